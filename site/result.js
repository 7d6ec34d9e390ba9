// The details of a result: size and format, file name, and the time of each step.

import { byId, inTime, make, show } from "./dom.js";

const ENDINGS = { "image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/avif": "avif" };

export function showFacts(pairs) {
  const items = pairs
    .filter(([, value]) => value !== null)
    .map(([name, value]) => make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: value })));
  byId("facts").replaceChildren(...items);
}

/** Return the file name of a result: `photo-blurred.jpg`, `photo-cutout.png`. */
export function fileName(photo, { blob, recipe }) {
  const stem = photo.file.name.replace(/\.[^.]*$/, "") || "photo";
  const suffix = recipe.mode === "cutout" ? "cutout" : "blurred";
  return `${stem}-${suffix}.${ENDINGS[blob.type] ?? "png"}`;
}

export function showTiming({ timing, tookMs }) {
  const { total, reserve = 0, read = 0, store = 0, settle = 0, ...steps } = timing;
  show(byId("timing"), total !== undefined);
  if (total === undefined) return;
  const spans = Object.entries({
    ...steps,
    "accounts and files": reserve + read + store + settle,
    "on the way": Math.max(0, tookMs - total),
  });
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
