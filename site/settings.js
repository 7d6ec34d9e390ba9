// The settings of the panel, their fields in a request, and the notes next to them.

import { byId, show } from "./dom.js";

const KERNEL_NOTES = {
  gaussian: "Smooth, as photo editors blur.",
  bokeh: "Discs and bright highlights, as a lens blurs.",
};
/** The format of "Auto": the photo's own, where the API writes it; else one that every program reads. */
const FORMAT_OF_TYPE = {
  "image/jpeg": "jpeg", "image/heic": "jpeg", "image/heif": "jpeg",
  "image/webp": "webp", "image/avif": "avif",
};
export const FORMAT_NAMES = { png: "PNG", jpeg: "JPEG", webp: "WebP", avif: "AVIF" };
const CUTOUT_RADIUS = "0";

const form = byId("panel");
let blurRadius = "12"; // of the background, while it is removed

/** Call `onChange` after each change of a setting. */
export function openSettings(onChange) {
  form.addEventListener("input", (event) => {
    if (!event.target.name) return;
    if (event.target.name === "mode") swapRadius(event.target.value);
    onChange();
  });
}

/** Return the fields to send for a photo; without one, those for the example. */
export function recipeFor(photo) {
  const { radius, blur: kernel, mode, format: chosen, quality } = Object.fromEntries(new FormData(form));
  const format = chosen === "auto" ? autoFormat(photo, mode) : chosen;
  const recipe = { radius, blur: kernel, mode, format };
  return format === "png" ? recipe : { ...recipe, quality };
}

export function showSettings(photo) {
  const recipe = recipeFor(photo);
  const isCutout = recipe.mode === "cutout";
  byId("radius-value").textContent = `${recipe.radius} px`;
  byId("radius-label").textContent = isCutout ? "Blur the subject" : "Blur strength";
  byId("radius-note").textContent = isCutout ? cutoutNote(recipe.radius) : "";
  byId("quality-value").textContent = byId("quality").value;
  byId("blur-note").textContent = KERNEL_NOTES[recipe.blur];
  byId("format-note").textContent = formatNote(photo, recipe, isCutout);
  show(byId("kernel-set"), recipe.radius !== "0");
  show(byId("quality-set"), recipe.format !== "png");
}

/** Removing starts with a sharp subject; blurring again starts with the strength from before. */
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
  return radius === "0" ? "At 0 px the subject stays sharp." : "The subject itself is blurred, with its outline.";
}

function formatNote(photo, { format }, isCutout) {
  if (isCutout && format === "jpeg") return "JPEG has no transparency: the removed background turns white.";
  if (form.elements.format.value !== "auto") return "";
  if (isCutout) return "PNG, which can be transparent.";
  return `${FORMAT_NAMES[format]}, like your photo.`;
}
