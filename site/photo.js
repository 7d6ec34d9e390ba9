// The ways to add photos: choose, take, drop, paste, or use the example.

import { Failure, Photo } from "./calls.js";
import { absoluteUrl, byId } from "./dom.js";

/** Call `onPhotos` with photos, and `onFailure` for files that are not photos. */
export function openPhotos(onPhotos, onFailure) {
  const addFiles = (files) => {
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
      addFiles(event.target.files);
      event.target.value = ""; // so that the same file can be chosen again
    });
  }
  document.addEventListener("paste", (event) => addFiles(event.clipboardData.files));
  acceptDrops(addFiles);
}

export async function examplePhoto() {
  try {
    const response = await fetch(absoluteUrl("sample.jpg"));
    return new Photo(new File([await response.blob()], "example.jpg", { type: "image/jpeg" }));
  } catch {
    throw new Failure("unreachable", "The service cannot be reached.");
  }
}

function acceptDrops(addFiles) {
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
    addFiles(event.dataTransfer.files);
  });
}

/** A file of an unknown type is accepted too: the server decides. */
function looksLikePhoto(file) {
  return file.type === "" || file.type.startsWith("image/");
}
