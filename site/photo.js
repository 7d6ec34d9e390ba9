// The ways to add photos: chosen, taken, dropped, pasted, or the example.

import { Failure, Photo } from "./calls.js";
import { byId, here } from "./dom.js";

/** Call `onPhotos` with photos, and `onFailure` for files that are not photos. */
export function openPhotos(onPhotos, onFailure) {
  const take = (files) => {
    const all = Array.from(files);
    const photos = all.filter(looksLikePhoto);
    if (photos.length) onPhotos(photos.map((file) => new Photo(file)));
    const other = all.find((file) => !looksLikePhoto(file));
    if (other) onFailure(new Failure("no_photo", other.name));
  };
  for (const [button, input] of [["choose", "file"], ["more", "file"], ["shoot", "camera"]]) {
    byId(button).addEventListener("click", () => byId(input).click());
  }
  for (const input of ["file", "camera"]) {
    byId(input).addEventListener("change", (event) => {
      take(event.target.files);
      event.target.value = ""; // so that the same file can be chosen again
    });
  }
  document.addEventListener("paste", (event) => take(event.clipboardData.files));
  acceptDrops(take);
}

export async function examplePhoto() {
  try {
    const answer = await fetch(here("sample.jpg"));
    return new Photo(new File([await answer.blob()], "example.jpg", { type: "image/jpeg" }));
  } catch {
    throw new Failure("unreachable", "The service cannot be reached.");
  }
}

function acceptDrops(take) {
  const root = document.documentElement;
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    root.classList.add("dragging");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) root.classList.remove("dragging");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    root.classList.remove("dragging");
    take(event.dataTransfer.files);
  });
}

/** A file whose type the system does not know is sent too: the server decides. */
function looksLikePhoto(file) {
  return file.type === "" || file.type.startsWith("image/");
}
