// The ways to add photos: choose, take, drop, paste, or use the example.

import { Failure, Photo } from "./calls.js";
import { absoluteUrl, byId, show } from "./dom.js";
import { chosenFolder, droppedFolder, looseFiles } from "./folder.js";
import { hasJobs } from "./job-calls.js";

const MANY_PHOTOS = 25; // this many photos or more become a bulk job

/**
 * Call `onPhotos` with photos, `onFolder` with a folder or many photos, and `onFailure` for files
 * that are not photos.
 */
export function openPhotos(onPhotos, onFolder, onFailure) {
  const addFolder = (folder) => {
    if (!folder.photos.length) onFailure(new Failure("no_photos", folder.name));
    else if (hasJobs()) onFolder(folder);
    else onPhotos(folder.photos.map(({ file }) => new Photo(file)));
  };
  const addFiles = (files) => {
    const all = Array.from(files);
    const photos = all.filter(looksLikePhoto);
    if (hasJobs() && photos.length >= MANY_PHOTOS) addFolder(looseFiles(photos));
    else if (photos.length) onPhotos(photos.map((file) => new Photo(file)));
    const other = all.find((file) => !looksLikePhoto(file));
    if (other) onFailure(new Failure("no_photo", other.name));
  };
  for (const [button, input] of [["choose", "file"], ["more", "file"], ["choose-folder", "folder"], ["shoot", "camera"]]) {
    byId(button).addEventListener("click", () => byId(input).click());
  }
  for (const input of ["file", "camera"]) {
    byId(input).addEventListener("change", (event) => {
      addFiles(event.target.files);
      event.target.value = ""; // so that the same file can be chosen again
    });
  }
  byId("folder").addEventListener("change", ({ target }) => {
    if (target.files.length) addFolder(chosenFolder(target.files));
    target.value = "";
  });
  show(byId("kept"), hasJobs());
  show(byId("choose-folder"), hasJobs() && "webkitdirectory" in HTMLInputElement.prototype);
  document.addEventListener("paste", (event) => addFiles(event.clipboardData.files));
  acceptDrops(addFiles, addFolder);
}

export async function examplePhoto() {
  try {
    const response = await fetch(absoluteUrl("sample.jpg"));
    if (!response.ok) throw new Error(response.statusText);
    return new Photo(new File([await response.blob()], "example.jpg", { type: "image/jpeg" }));
  } catch {
    throw new Failure("unreachable", "The service cannot be reached.");
  }
}

function acceptDrops(addFiles, addFolder) {
  const root = document.documentElement;
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    root.classList.add("dragging");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) root.classList.remove("dragging");
  });
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    root.classList.remove("dragging");
    const files = Array.from(event.dataTransfer.files);
    const folder = await droppedFolder(event.dataTransfer.items);
    if (folder) addFolder(folder);
    else addFiles(files);
  });
}

/** Whether the file can be a photo; for an unknown type, the server decides. */
function looksLikePhoto(file) {
  return file.type === "" || file.type.startsWith("image/");
}
