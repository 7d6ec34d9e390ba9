// The list of photos: a thumbnail, a state and a download for each photo, and one ZIP of all
// results.

import { byId, formatBytes, formatTime, make, show } from "./dom.js";
import { fileName } from "./result.js";
import { zipOf } from "./zip.js";

const THUMBNAIL_PX = 112;
const MAX_ZIP_BYTES = 4_000_000_000; // the maximum size of a ZIP without ZIP64

let zipUrl = null;

/** One photo of the list, with its state and result. */
export class Item {
  constructor(photo) {
    this.photo = photo;
    this.state = "waiting"; // or "working", "done", "failed"
    this.text = "";
    this.result = null; // {blob, options, …}
    this.failure = null; // the error of the last attempt
    this.row = null;
    this.url = null;
  }

  setResult(result) {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = URL.createObjectURL(result.blob);
    this.result = result;
    this.state = "done";
    this.text = `${formatTime(result.tookMs)}, ${formatBytes(result.blob.size)}`;
  }

  forget() {
    if (this.url) URL.revokeObjectURL(this.url);
  }
}

export function openPhotoList({ onSelect, onRemove, onClear }) {
  byId("queue-items").addEventListener("click", (event) => {
    const row = event.target.closest("li");
    if (event.target.closest(".remove")) onRemove(row.item);
    else if (event.target.closest(".pick")) onSelect(row.item);
  });
  byId("clear").addEventListener("click", onClear);
  byId("download-all").addEventListener("click", saveAll);
}

export function showPhotoList(items, selected, isBusy) {
  show(byId("queue"), items.length > 1);
  const rows = items.map((item) => {
    item.row ??= rowOf(item);
    showRow(item, item === selected);
    return item.row;
  });
  const list = byId("queue-items");
  if (list.children.length !== rows.length || rows.some((row, index) => row !== list.children[index])) {
    list.replaceChildren(...rows);
  }
  const failed = items.filter(({ failure }) => failure).length;
  const done = items.filter(({ result, failure }) => result && !failure).length;
  byId("queue-title").textContent = `${done} of ${items.length} photos done${failed ? `, ${failed} failed` : ""}`;
  const finished = items.filter(({ result }) => result);
  byId("download-all").items = finished;
  show(byId("download-all"), finished.length > 1 && !isBusy);
  show(byId("clear"), !isBusy);
}

function rowOf(item) {
  const name = make("span", { className: "name", textContent: item.photo.file.name });
  const state = make("span", { className: "state" });
  const canvas = make("canvas", { width: THUMBNAIL_PX, height: THUMBNAIL_PX, ariaHidden: "true" });
  drawThumbnail(canvas, item.photo.file);
  const pick = make("button", { type: "button", className: "pick" }, canvas, make("span", { className: "words" }, name, state));
  const save = make("a", { className: "save", textContent: "Download", hidden: true });
  const remove = make("button", { type: "button", className: "quiet remove", textContent: "Remove" });
  remove.setAttribute("aria-label", `Remove ${item.photo.file.name}`);
  const row = make("li", {}, pick, save, remove);
  row.item = item;
  return row;
}

function showRow({ row, state, text, url, result, photo }, isSelected) {
  row.dataset.state = state;
  row.querySelector(".pick").setAttribute("aria-pressed", isSelected);
  row.querySelector(".state").textContent = { waiting: "Waiting" }[state] ?? text;
  const save = row.querySelector(".save");
  show(save, Boolean(result));
  if (result) Object.assign(save, { href: url, download: fileName(photo, result) });
  if (result) save.setAttribute("aria-label", `Download ${save.download}`);
  show(row.querySelector(".remove"), state === "waiting" || state === "failed");
}

async function drawThumbnail(canvas, file) {
  const pen = canvas.getContext("2d");
  try {
    const bitmap = await createImageBitmap(file);
    const side = Math.min(bitmap.width, bitmap.height); // show the middle square
    const [x, y] = [(bitmap.width - side) / 2, (bitmap.height - side) / 2];
    pen.drawImage(bitmap, x, y, side, side, 0, 0, THUMBNAIL_PX, THUMBNAIL_PX);
    bitmap.close();
  } catch {
    const extension = file.name.split(".").pop().slice(0, 5).toUpperCase();
    Object.assign(pen, { font: "600 26px sans-serif", textAlign: "center", fillStyle: "#8a8175" });
    pen.fillText(extension, THUMBNAIL_PX / 2, THUMBNAIL_PX / 2 + 9);
  }
}

/** Make the ZIP and save it, with a click on a hidden link. */
async function saveAll() {
  const button = byId("download-all");
  const files = button.items.map(({ photo, result }) => [fileName(photo, result), result.blob]);
  if (files.reduce((sum, [, { size }]) => sum + size, 0) > MAX_ZIP_BYTES) {
    button.textContent = "Too large for one ZIP: download each result";
    return;
  }
  if (zipUrl) URL.revokeObjectURL(zipUrl);
  zipUrl = URL.createObjectURL(await zipOf(files));
  make("a", { href: zipUrl, download: "photos.zip" }).click();
}
