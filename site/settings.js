// The settings of the panel, the blur options of a photo, and the notes next to the settings.

import { byId, show } from "./dom.js";
import { roiOf } from "./region.js";

const KERNEL_NOTES = {
  gaussian: "A smooth blur, as in photo editors.",
  bokeh: "Discs and bright highlights, as from a lens.",
};
/** The format that "Auto" chooses for each type of photo, unless the result is a cutout. For other types it is PNG. */
const FORMAT_OF_TYPE = {
  "image/jpeg": "jpeg", "image/heic": "jpeg", "image/heif": "jpeg",
  "image/webp": "webp", "image/avif": "avif",
};
export const FORMAT_NAMES = { png: "PNG", jpeg: "JPEG", webp: "WebP", avif: "AVIF" };
const CUTOUT_RADIUS = "0";

const form = byId("panel");
let blurRadius = "1"; // the radius to restore when the mode is "Blur" again

/** Call `onChange` after each change of a setting. */
export function openSettings(onChange) {
  form.addEventListener("input", (event) => {
    if (!event.target.name) return;
    if (event.target.name === "mode") swapRadius(event.target.value);
    onChange();
  });
  // On small screens the bar with the main button covers the lower edge of the page, so the footer
  // gets a margin of the bar's height.
  new ResizeObserver(([{ target }]) => {
    document.documentElement.style.setProperty("--bar", `${target.offsetHeight}px`);
  }).observe(byId("go-bar"));
}

/** Return the form's blur options for a photo. Without a photo, the options have no `roi`. */
export function optionsFor(photo) {
  const { radius, blur: kernel, depth, subject, mode, format: chosen, quality } = Object.fromEntries(new FormData(form));
  const format = chosen === "auto" ? autoFormat(photo, mode) : chosen;
  const roi = roiOf(photo);
  return {
    radius: radius === "0" ? "0" : `${radius}%`,
    blur: kernel,
    ...(mode === "background" && { depth }),
    subject,
    ...(roi && { roi }),
    mode,
    format,
    ...(format !== "png" && { quality }),
  };
}

/** Show the settings' values and notes; `isOfMany` is true for the photos of a job. */
export function showSettings(photo, isOfMany = false) {
  const options = optionsFor(photo);
  const isCutout = options.mode === "cutout";
  byId("radius-value").textContent = radiusText(options.radius, photo);
  byId("radius-label").textContent = isCutout ? "Blur the subject" : "Blur strength";
  byId("radius-note").textContent = isCutout ? cutoutNote(options.radius) : "";
  byId("quality-value").textContent = byId("quality").value;
  byId("blur-note").textContent = KERNEL_NOTES[options.blur];
  byId("format-note").textContent = formatNote(options, photo?.contentType ?? "image/jpeg", isCutout, isOfMany);
  show(byId("kernel-set"), options.radius !== "0");
  show(byId("depth-set"), options.radius !== "0" && !isCutout);
  show(byId("quality-set"), options.format !== "png");
}

/** The radius in percent, and in pixels of a photo whose size is known. */
function radiusText(radius, photo) {
  if (!photo?.natural) return radius;
  const { width, height } = photo.natural;
  return `${radius} · ${Math.round((parseFloat(radius) / 100) * Math.max(width, height))} px`;
}

/** Set the radius for a mode: 0 for "Remove", and the previous radius for "Blur". */
function swapRadius(mode) {
  const slider = byId("radius");
  if (mode === "cutout") [blurRadius, slider.value] = [slider.value, CUTOUT_RADIUS];
  else slider.value = blurRadius;
}

function autoFormat(photo, mode) {
  if (mode === "cutout") return "png";
  return FORMAT_OF_TYPE[photo?.contentType ?? "image/jpeg"] ?? "png";
}

function cutoutNote(radius) {
  return radius === "0" ? "At 0 the subject stays sharp." : "The subject itself is blurred, with its outline.";
}

function formatNote({ format }, contentType, isCutout, isOfMany) {
  if (isCutout && format === "jpeg") return "JPEG has no transparency: the removed background turns white.";
  if (form.elements.format.value !== "auto") return "";
  if (isCutout) return "PNG, which can be transparent.";
  if (isOfMany) return `${FORMAT_NAMES[format]}, for all photos.`;
  return contentType === `image/${format}` ? `${FORMAT_NAMES[format]}, like your photo.` : `${FORMAT_NAMES[format]}.`;
}
