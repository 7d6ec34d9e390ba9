// The region in which the service searches for the subject: a box that the user draws, or moves with
// the keyboard.

import { announce, byId, show } from "./dom.js";

const INITIAL_BOX = { x1: 0.25, y1: 0.1, x2: 0.75, y2: 0.9 };
const MIN_SHARE = 0.03; // the smallest side of the box, as a share of the photo's side
const KEY_STEP = 0.02;
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const frame = byId("frame");
const box = byId("region");
let photo = null; // the displayed photo; its region is the property `region`
let corner = null; // the point at which the user started to draw

/** Set up the drawing of regions. `onChange()` is called after each change. */
export function openRegion(onChange) {
  byId("choose-subject").addEventListener("click", () => {
    photo.region ??= { ...INITIAL_BOX };
    setDrawing(!("drawing" in frame.dataset));
    onChange();
    if ("drawing" in frame.dataset) announce("Draw a box around the subject, or move the box with the arrow keys.");
  });
  byId("clear-region").addEventListener("click", () => {
    photo.region = null;
    setDrawing(false);
    onChange();
    byId("choose-subject").focus();
  });
  const whileDrawing = (handle) => (event) => {
    if (!("drawing" in frame.dataset) || event.target.closest("button")) return;
    event.stopImmediatePropagation();
    event.preventDefault();
    handle(event);
  };
  const capture = { capture: true };
  frame.addEventListener("pointerdown", whileDrawing((event) => {
    if (event.button) return;
    corner = pointIn(event);
    frame.setPointerCapture(event.pointerId);
  }), capture);
  frame.addEventListener("pointermove", whileDrawing((event) => {
    if (!corner) return;
    photo.region = between(corner, pointIn(event));
    place();
  }), capture);
  frame.addEventListener("pointerup", whileDrawing((event) => {
    const end = corner && pointIn(event);
    if (end && Math.abs(end.x - corner.x) >= MIN_SHARE && Math.abs(end.y - corner.y) >= MIN_SHARE) setDrawing(false);
    corner = null;
    onChange();
  }), capture);
  frame.addEventListener("pointercancel", whileDrawing(() => (corner = null)), capture);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === "Escape") {
      setDrawing(false);
      byId("choose-subject").focus();
    } else if (event.key in KEYS) {
      const [dx, dy] = KEYS[event.key].map((sign) => sign * KEY_STEP);
      photo.region = event.shiftKey ? resized(photo.region, dx, dy) : moved(photo.region, dx, dy);
      place();
      onChange();
    } else return;
    event.preventDefault();
  });
}

/** Show the region of a photo; `isShown` is false if the browser cannot show the photo. */
export function showRegion(shown, isShown) {
  if (shown !== photo) setDrawing(false);
  photo = shown ?? null;
  show(byId("choose-subject"), Boolean(photo) && isShown);
  show(byId("clear-region"), Boolean(photo?.region) && isShown);
  show(box, Boolean(photo?.region) && isShown);
  place();
}

/** Return the value of the field `roi` for a photo, or null for the whole photo. */
export function roiOf(shown) {
  if (!shown?.region) return null;
  const { x1, y1, x2, y2 } = shown.region;
  return [x1, y1, x2, y2].map((share) => `${(100 * share).toFixed(1)}%`).join(" ");
}

function setDrawing(isDrawing) {
  frame.toggleAttribute("data-drawing", isDrawing);
  const button = byId("choose-subject");
  button.setAttribute("aria-pressed", isDrawing);
  button.textContent = isDrawing ? "Draw a box around it" : "Choose the subject";
  corner = null;
}

function place() {
  if (!photo?.region) return;
  for (const [name, share] of Object.entries(photo.region)) box.style.setProperty(`--${name}`, share);
}

/** Return the pointer's position: x and y as shares of the photo's width and height. */
function pointIn({ clientX, clientY }) {
  const { left, top, width, height } = frame.getBoundingClientRect();
  const part = (name) => parseFloat(frame.style.getPropertyValue(name) || "100") / 100;
  const share = (offset, side, whole) => clamp((offset / side - (1 - whole) / 2) / whole, 0, 1);
  return { x: share(clientX - left, width, part("--wide")), y: share(clientY - top, height, part("--tall")) };
}

function between(one, other) {
  const [x1, x2] = span(one.x, other.x);
  const [y1, y2] = span(one.y, other.y);
  return { x1, y1, x2, y2 };
}

function span(one, other) {
  const start = Math.min(one, other, 1 - MIN_SHARE);
  return [start, Math.max(one, other, start + MIN_SHARE)];
}

function moved({ x1, y1, x2, y2 }, dx, dy) {
  const [x, y] = [clamp(dx, -x1, 1 - x2), clamp(dy, -y1, 1 - y2)];
  return { x1: x1 + x, y1: y1 + y, x2: x2 + x, y2: y2 + y };
}

function resized({ x1, y1, x2, y2 }, dx, dy) {
  return { x1, y1, x2: clamp(x2 + dx, x1 + MIN_SHARE, 1), y2: clamp(y2 + dy, y1 + MIN_SHARE, 1) };
}

const clamp = (value, least, most) => Math.min(Math.max(value, least), most);
