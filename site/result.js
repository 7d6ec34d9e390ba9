// The stage: the photo, the result over it, the line between them, and what is told of it.

import { byId, inBytes, inTime, make, show } from "./dom.js";

const ENDINGS = { "image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/avif": "avif" };
const urls = { before: null, after: null };

export function openStage() {
  const split = byId("split");
  split.addEventListener("input", () => moveTo(split.value));
  moveTo(split.value);
}

/** Show a photo by itself, or say why it cannot be shown. */
export async function showPhoto(photo) {
  clearOutcome();
  const seen = await load("before", photo.file);
  byId("frame").dataset.state = seen ? "before" : "unseen";
  show(byId("placeholder"), !seen);
  if (!seen) {
    byId("placeholder").textContent = `This browser cannot show ${photo.file.name}. It is sent as it is.`;
    byId("frame").style.removeProperty("--ratio");
  }
  byId("caption").textContent = `${photo.file.name}, ${inBytes(photo.file.size)}`;
}

/** Show a result beside its photo; return its size in pixels, or null if it cannot be shown. */
export async function showResult(photo, result) {
  const unseen = byId("frame").dataset.state === "unseen";
  const size = await load("after", result.blob);
  if (size) {
    byId("frame").dataset.state = unseen ? "after" : "compare";
    show(byId("placeholder"), false);
  }
  byId("split").value = 50;
  moveTo(50);
  offerDownload(photo, result);
  showTiming(result);
  show(byId("outcome"));
  return size;
}

export function showFacts(pairs) {
  const items = pairs
    .filter(([, value]) => value !== null)
    .map(([name, value]) => make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: value })));
  byId("facts").replaceChildren(...items);
}

export function clearOutcome() {
  show(byId("outcome"), false);
  if (byId("frame").dataset.state === "compare") byId("frame").dataset.state = "before";
}

function moveTo(percent) {
  byId("frame").style.setProperty("--split", `${percent}%`);
  byId("split").setAttribute("aria-valuetext", `${percent} % before, ${100 - percent} % after`);
}

/** Load a file into an image of the frame; give its size, or null where there is no reading it. */
async function load(id, blob) {
  if (urls[id]) URL.revokeObjectURL(urls[id]);
  urls[id] = URL.createObjectURL(blob);
  const image = byId(id);
  image.src = urls[id];
  try {
    await image.decode();
  } catch {
    return null;
  }
  const size = { width: image.naturalWidth, height: image.naturalHeight };
  byId("frame").style.setProperty("--ratio", size.width / size.height);
  return size;
}

function offerDownload(photo, result) {
  const link = byId("download");
  const name = photo.file.name.replace(/\.[^.]*$/, "") || "photo";
  link.href = urls.after;
  link.download = `${name}-blurred.${ENDINGS[result.blob.type] ?? "png"}`;
}

function showTiming({ timing, tookMs }) {
  const { total, ...steps } = timing;
  show(byId("timing"), total !== undefined);
  if (total === undefined) return;
  const spans = Object.entries({ ...steps, "on the way": Math.max(0, tookMs - total) });
  byId("spans").replaceChildren(...spans.map(([name, ms]) => bar(name, ms)));
  byId("legend").replaceChildren(...spans.map(([name, ms]) => entry(name, ms)));
}

function bar(name, ms) {
  const span = make("span", { className: `span-${name.split(" ")[0]}`, title: `${name}: ${inTime(ms)}` });
  span.style.flexGrow = Math.max(ms, 1);
  return span;
}

function entry(name, ms) {
  const dot = make("i", { className: `span-${name.split(" ")[0]}` });
  return make("li", {}, dot, `${name} `, make("b", { textContent: inTime(ms) }));
}
