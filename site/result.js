// The details of a result: facts, file name, and the time of each step.

import { byId, formatBytes, formatTime, make, show } from "./dom.js";
import { FORMAT_NAMES } from "./settings.js";

const TYPE_NAMES = Object.fromEntries(Object.entries(FORMAT_NAMES).map(([format, name]) => [`image/${format}`, name]));
export const EXTENSIONS = { "image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/avif": "avif" };

/** Show the facts of a result, and the time of each step; `size` is null if the size is unknown. */
export function showDetails(result, size) {
  const { blob, tookMs, creditsLeft } = result;
  showFacts([
    ["Size", size && `${size.width} by ${size.height}`],
    ["File", `${formatBytes(blob.size)} ${TYPE_NAMES[blob.type] ?? ""}`],
    ["Ground", groundFact(result)],
    ["Time", formatTime(tookMs)],
    ["Credits left", creditsLeft === null ? null : creditsLeft.toLocaleString("en")],
  ]);
  showTiming(result);
}

/** The text about `depth=ground`: whether the ground under the subject was found; null if unknown or not requested. */
function groundFact({ depth, options }) {
  if (options.depth !== "ground" || !depth) return null;
  return depth === "ground" ? "Sharp at the subject" : "Not found: blurred evenly";
}

function showFacts(pairs) {
  const items = pairs
    .filter(([, value]) => value !== null)
    .map(([name, value]) => make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: value })));
  byId("facts").replaceChildren(...items);
}

/** Return the file name of a result: `photo-blurred.jpg`, `photo-cutout.png`. */
export function fileName(photo, { blob, options }) {
  const stem = photo.file.name.replace(/\.[^.]*$/, "") || "photo";
  const suffix = options.mode === "cutout" ? "cutout" : "blurred";
  return `${stem}-${suffix}.${EXTENSIONS[blob.type] ?? "png"}`;
}

function showTiming({ timing, tookMs }) {
  const { total, reserve = 0, read = 0, store = 0, settle = 0, ...steps } = timing;
  show(byId("timing"), total !== undefined);
  if (total === undefined) return;
  const spans = Object.entries({
    ...steps,
    "accounts and files": reserve + read + store + settle,
    network: Math.max(0, tookMs - total),
  });
  byId("spans").replaceChildren(...spans.map(([name, ms]) => bar(name, ms)));
  byId("legend").replaceChildren(...spans.map(([name, ms]) => entry(name, ms)));
}

function bar(name, ms) {
  const span = make("span", { className: `span-${name.split(" ")[0]}`, title: `${name}: ${formatTime(ms)}` });
  span.style.flexGrow = Math.max(ms, 1);
  return span;
}

function entry(name, ms) {
  const dot = make("i", { className: `span-${name.split(" ")[0]}` });
  return make("li", {}, dot, `${name} `, make("b", { textContent: formatTime(ms) }));
}
