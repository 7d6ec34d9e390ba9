// The stage: the photo, the result below it, the line between them, and the view at 1:1.

import { absoluteUrl, byId, show } from "./dom.js";

const SWEEP_MS = 900;
const DRAG_PX = 5; // if the pointer moves less, the gesture is a click
const GRIP_PX = 28; // at 1:1, a drag that starts this near to the line moves the line
const RATIOS = [0.62, 2.4]; // the limits of the frame's aspect ratio; other pictures have margins
const MAX_SCALE = 8;

const isCalm = matchMedia("(prefers-reduced-motion: reduce)");
const frame = byId("frame");
const urls = { before: null, after: null };
const pointers = new Map();
const view = { scale: 1, x: 0, y: 0 }; // zoom and offset of the pictures
let size = null; // the natural size of the picture
let gesture = null;
let sweep = 0;

/**
 * Set up the stage, the area with the photo and its result. `onPress()` is called if the user
 * clicks the stage while there is no result.
 */
export function openStage(onPress) {
  const split = byId("split");
  split.addEventListener("input", () => moveSplit(Number(split.value)));
  frame.addEventListener("pointerdown", begin);
  frame.addEventListener("pointermove", move);
  frame.addEventListener("pointerup", (event) => end(event, onPress));
  frame.addEventListener("pointercancel", (event) => end(event, null));
  frame.addEventListener("dragstart", (event) => event.preventDefault());
  frame.addEventListener("wheel", (event) => {
    if (!event.ctrlKey || !hasResult()) return; // browsers send a trackpad's pinch as Ctrl and wheel
    event.preventDefault();
    zoomAt(view.scale * Math.exp(-event.deltaY / 150), event);
  }, { passive: false });
  byId("zoom").addEventListener("click", () => toggleZoom());
  addEventListener("resize", () => zoomTo(1));
  moveSplit(50);
  measure(byId("before")).then((natural) => natural && setSize(natural));
}

/** Show a photo alone, or the placeholder if this browser cannot show it; return the photo's size, or null. */
export async function showPhoto(photo) {
  frame.removeAttribute("data-example");
  const isShown = urls.before?.file === photo.file;
  const natural = isShown ? urls.before.natural : await load("before", photo.file);
  setState(natural ? "before" : "unseen");
  show(byId("placeholder"), !natural);
  if (natural) setSize(natural);
  return natural;
}

/** Show a result next to its photo; return the result's size in pixels, or null if the browser cannot show the result. */
export async function showResult(blob, { isNew }) {
  const isUnseen = frame.dataset.state === "unseen";
  const natural = await load("after", blob);
  if (!natural) return null;
  byId("save").src = byId("after").src;
  setSize(natural);
  setState(isUnseen ? "after" : "compare");
  show(byId("placeholder"), false);
  if (isNew && !isUnseen && !isCalm.matches) sweepTo(50);
  else moveSplit(50);
  return natural;
}

/** Show the example again. */
export async function showExample() {
  for (const [id, file] of [["before", "sample.jpg"], ["after", "sample-blurred.jpg"]]) {
    if (urls[id]) URL.revokeObjectURL(urls[id].url);
    urls[id] = null;
    byId(id).src = absoluteUrl(file);
  }
  show(byId("placeholder"), false);
  frame.toggleAttribute("data-example", true);
  setState("compare");
  const natural = await measure(byId("before"));
  if (natural && "example" in frame.dataset) setSize(natural);
}

/** Show below the picture whether the settings have changed since the result was made. */
export function markResult(isStale) {
  byId("tag-after").textContent = isStale ? "After, with earlier settings" : "After";
  frame.toggleAttribute("data-stale", isStale);
}

const hasResult = () => ["compare", "after"].includes(frame.dataset.state) && !("example" in frame.dataset);

function setState(state) {
  frame.dataset.state = state;
  const isCompared = state === "compare";
  show(byId("zoom"), hasResult());
  show(byId("save"), hasResult());
  for (const tag of ["tag-before", "tag-after"]) show(byId(tag), isCompared);
  if (!isCompared) markResult(false);
  zoomTo(1);
}

/** Give the frame the picture's aspect ratio, within limits, and centre the picture in it. */
function setSize(natural) {
  size = natural;
  const ratio = natural.width / natural.height;
  const shape = Math.min(Math.max(ratio, RATIOS[0]), RATIOS[1]);
  const [wide, tall] = [Math.min(1, ratio / shape), Math.min(1, shape / ratio)];
  byId("frame").parentElement.style.setProperty("--ratio", shape);
  const inFrame = { "--wide": wide, "--tall": tall, "--from-left": (wide - 1) / 2 / wide, "--from-top": (tall - 1) / 2 / tall };
  for (const [name, share] of Object.entries(inFrame)) frame.style.setProperty(name, `${share * 100}%`);
}

function moveSplit(percent) {
  cancelAnimationFrame(sweep);
  setSplit(percent);
}

function setSplit(percent) {
  byId("split").value = percent;
  frame.style.setProperty("--split", `${percent}%`);
  const whole = Math.round(percent);
  byId("split").setAttribute("aria-valuetext", `${whole} % before, ${100 - whole} % after`);
}

/** Uncover the result: move the line between photo and result once, from the right edge to `target`. */
function sweepTo(target) {
  cancelAnimationFrame(sweep);
  const started = performance.now();
  const step = (now) => {
    const share = Math.min(Math.max((now - started) / SWEEP_MS, 0), 1);
    setSplit(100 + (target - 100) * (1 - (1 - share) ** 3));
    if (share < 1) sweep = requestAnimationFrame(step);
  };
  setSplit(100);
  sweep = requestAnimationFrame(step);
}

function begin(event) {
  if (event.button || event.target.closest("button")) return;
  pointers.set(event.pointerId, event);
  frame.setPointerCapture(event.pointerId);
  const rest = { x: view.x, y: view.y };
  gesture = { start: event, rest, hasMoved: false, pinch: null, movesLine: view.scale === 1 || isOnLine(event) };
  if (pointers.size === 2) gesture = { ...gesture, hasMoved: true, pinch: { distance: pinchDistance(), scale: view.scale } };
}

function move(event) {
  if (!gesture || !pointers.has(event.pointerId)) return;
  pointers.set(event.pointerId, event);
  if (gesture.pinch) {
    if (pointers.size === 2 && hasResult()) zoomAt((gesture.pinch.scale * pinchDistance()) / gesture.pinch.distance, pinchCentre());
    return;
  }
  const [dx, dy] = [event.clientX - gesture.start.clientX, event.clientY - gesture.start.clientY];
  if (Math.hypot(dx, dy) > DRAG_PX) gesture.hasMoved = true;
  if (!gesture.hasMoved) return;
  if (!gesture.movesLine) pan(gesture.rest.x + dx, gesture.rest.y + dy);
  else if (frame.dataset.state === "compare") moveSplit(shareOf(event) * 100);
}

function end(event, onPress) {
  if (!pointers.delete(event.pointerId) || pointers.size) return;
  const isClick = onPress && gesture && !gesture.hasMoved;
  gesture = null;
  if (!isClick) return;
  if (hasResult()) toggleZoom(event);
  else onPress();
}

const shareOf = ({ clientX }) => {
  const { left, width } = frame.getBoundingClientRect();
  return Math.min(Math.max((clientX - left) / width, 0), 1);
};
const isOnLine = (event) => {
  const line = parseFloat(frame.style.getPropertyValue("--split")) / 100;
  return Math.abs(shareOf(event) - line) * frame.clientWidth < GRIP_PX;
};

function pinchDistance() {
  const [first, second] = pointers.values();
  return Math.hypot(first.clientX - second.clientX, first.clientY - second.clientY);
}

function pinchCentre() {
  const [first, second] = pointers.values();
  return { clientX: (first.clientX + second.clientX) / 2, clientY: (first.clientY + second.clientY) / 2 };
}

/** Switch between the whole picture and the view at 1:1. */
function toggleZoom(event = null) {
  if (view.scale !== 1) return zoomTo(1);
  const { left, top } = frame.getBoundingClientRect();
  const centre = { clientX: left + frame.clientWidth / 2, clientY: top + frame.clientHeight / 2 };
  zoomAt(oneToOne(), event ?? centre);
}

function oneToOne() {
  const fitted = Math.min(frame.clientWidth / size.width, frame.clientHeight / size.height);
  return 1 / (fitted * devicePixelRatio);
}

/** Zoom around the pointer. */
function zoomAt(target, { clientX, clientY }) {
  const scale = Math.min(Math.max(target, Math.min(1, oneToOne())), Math.max(MAX_SCALE, oneToOne()));
  const { left, top } = frame.getBoundingClientRect();
  const [x, y] = [clientX - left, clientY - top];
  const factor = scale / view.scale;
  zoomTo(scale, x - (x - view.x) * factor, y - (y - view.y) * factor);
}

function pan(x, y) {
  zoomTo(view.scale, x, y);
}

function zoomTo(scale, x = 0, y = 0) {
  const [slackX, slackY] = [frame.clientWidth * (1 - scale), frame.clientHeight * (1 - scale)];
  const clamp = (value, slack) => (slack < 0 ? Math.min(Math.max(value, slack), 0) : slack / 2);
  Object.assign(view, scale === 1 ? { scale, x: 0, y: 0 } : { scale, x: clamp(x, slackX), y: clamp(y, slackY) });
  frame.style.setProperty("--view", `translate(${view.x}px, ${view.y}px) scale(${view.scale})`);
  frame.toggleAttribute("data-zoomed", scale !== 1);
  const isOneToOne = scale !== 1;
  byId("zoom").setAttribute("aria-pressed", isOneToOne);
  byId("zoom").textContent = isOneToOne ? "Fit" : "1:1";
}

/** Load a file into an image element; return the image's size, or null if it cannot be shown. */
async function load(id, file) {
  if (urls[id]) URL.revokeObjectURL(urls[id].url);
  urls[id] = { file, url: URL.createObjectURL(file) };
  const image = byId(id);
  image.src = urls[id].url;
  const natural = await measure(image);
  if (urls[id]?.file === file) urls[id].natural = natural;
  return natural;
}

async function measure(image) {
  try {
    await image.decode();
  } catch {
    return null;
  }
  return { width: image.naturalWidth, height: image.naturalHeight };
}
