// Blurs the background of photo.jpg with fetch (Node.js 20 or later).
import { openAsBlob } from "node:fs";
import { writeFile } from "node:fs/promises";

const form = new FormData();
form.append("image", await openAsBlob("photo.jpg"), "photo.jpg");
form.append("radius", "1%"); // of the longer side, so that the blur looks the same at every size

const response = await fetch("https://api.example.com/v2/rembg/blur/", {
  method: "POST",
  headers: { ApiKey: "YOUR_API_KEY" },
  body: form,
});

if (response.ok) {
  await writeFile("blurred.png", new Uint8Array(await response.arrayBuffer()));
} else {
  console.error(await response.text());
  process.exitCode = 1;
}
