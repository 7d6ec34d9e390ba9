// The ways in which a photo comes: chosen, taken, dropped, pasted, or the example.

import { Photo } from "./calls.js";
import { byId, here } from "./dom.js";

/** Call `onPhoto` with each photo, and `onOther` where something else was given. */
export function openPhotos(onPhoto, onOther) {
  const take = (files) => {
    const file = Array.from(files).find(looksLikePhoto);
    if (file) onPhoto(new Photo(file));
    else if (files.length) onOther(files[0].name);
  };
  for (const [button, input] of [["choose", "file"], ["shoot", "camera"]]) {
    byId(button).addEventListener("click", () => byId(input).click());
    byId(input).addEventListener("change", (event) => {
      take(event.target.files);
      event.target.value = ""; // so that the same file can be chosen again
    });
  }
  byId("use-sample").addEventListener("click", async () => {
    const answer = await fetch(here("sample.jpg"));
    onPhoto(new Photo(new File([await answer.blob()], "example.jpg", { type: "image/jpeg" })));
  });
  document.addEventListener("paste", (event) => take(event.clipboardData.files));
  acceptDrops(take);
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

/** Whether to send it: a file that some systems know no type of is the server's to judge. */
function looksLikePhoto(file) {
  return file.type === "" || file.type.startsWith("image/");
}
