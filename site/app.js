// The page: a photo, a recipe, a key; and what comes of them.

import { currentKey, forget, openAccount, refreshCredits, showCredits, showKeyError } from "./account.js";
import { blur } from "./calls.js";
import { openCode, showCode } from "./code.js";
import { byId, inBytes, inTime, make, say, show } from "./dom.js";
import { openPhotos } from "./photo.js";
import { clearOutcome, openStage, showFacts, showPhoto, showResult } from "./result.js";

const NOTES = {
  gaussian: "Smooth, as photo editors blur.",
  bokeh: "Discs and bright highlights, as a lens blurs.",
  background: "The subject stays sharp, what is behind it is blurred.",
  cutout: "The background goes; what is left is blurred. Radius 0 keeps it sharp.",
};
const WORDS = {
  invalid_image: "This file cannot be read as a photo. It may be cut short, or of a kind that is not taken.",
  invalid_api_key: "This key is not valid. A character may be missing, or the key has ended.",
  insufficient_credits: "There are no credits left on this account.",
  image_too_large: "This photo is too large.",
  no_subject: "Nothing in this photo stands out from a background.",
  rate_limit_exceeded: "Too many photos at once.",
  overloaded: "The service has more photos than it can take just now.",
  temporarily_unavailable: "The service cannot take the photo just now.",
  unreachable: "The service cannot be reached. Are you offline?",
  idempotency_in_progress: "The first try of this photo is still being worked on.",
  no_key: "Enter an API key first.",
  no_photo: "This file is not a photo.",
  link_expired: "This link was used before or has expired. Enter the key itself.",
};
/** Errors that a key is the cause of; they are shown next to its field. */
const KEY_ERRORS = new Set(["no_key", "invalid_api_key", "link_expired"]);

const FORMATS = { "image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WebP", "image/avif": "AVIF" };

const form = byId("panel");
const state = { photo: null, abort: null };

function recipeOf() {
  const { radius, blur: kernel, mode, format, quality } = Object.fromEntries(new FormData(form));
  const recipe = { radius, blur: kernel, mode, format };
  return format === "png" ? recipe : { ...recipe, quality };
}

function showRecipe() {
  const recipe = recipeOf();
  byId("radius-told").textContent = `${recipe.radius} px`;
  byId("quality-told").textContent = byId("quality").value;
  byId("blur-note").textContent = NOTES[recipe.blur];
  byId("mode-note").textContent = NOTES[recipe.mode];
  show(byId("quality-set"), recipe.format !== "png");
  showCode(recipe);
}

async function takePhoto(photo) {
  state.abort?.abort();
  state.photo = photo;
  showFailure(null);
  byId("photo-note").textContent = `${photo.file.name}, ${inBytes(photo.file.size)}`;
  await showPhoto(photo);
  say(`${photo.file.name} is ready`);
}

async function start(event) {
  event.preventDefault();
  if (state.abort) return;
  if (!currentKey()) return refuse("no_key", "key");
  if (!state.photo) return refuse("no_photo_yet", "choose");
  const { photo } = state;
  state.abort = new AbortController();
  const { signal } = state.abort;
  setBusy(true);
  try {
    const hooks = { signal, onSend: showSending, onWork: showWorking };
    const result = await blur(photo, recipeOf(), currentKey(), hooks);
    if (!signal.aborted) await showOutcome(photo, result);
  } catch (failure) {
    if (failure.code === "cancelled") say("Cancelled");
    else showFailure(Object.assign(failure, { isBlur: true }));
    if (failure.code === "invalid_api_key") forget();
  } finally {
    state.abort = null;
    setBusy(false);
  }
}

function refuse(code, focus) {
  showFailure({ code, message: "Choose a photo first, or use the example." });
  byId(focus).focus();
}

async function showOutcome(photo, result) {
  const size = await showResult(photo, result);
  showCredits(result.creditsLeft);
  const left = result.creditsLeft ?? (await refreshCredits().catch(() => null));
  showFacts([
    ["Size", size && `${size.width} by ${size.height}`],
    ["File", `${inBytes(result.blob.size)} ${FORMATS[result.blob.type] ?? ""}`],
    ["Took", inTime(result.tookMs)],
    ["Credits left", left === null ? null : left.toLocaleString("en")],
  ]);
  say(`Done in ${inTime(result.tookMs)}`);
}

function setBusy(busy) {
  byId("stage").setAttribute("aria-busy", busy);
  byId("go").setAttribute("aria-disabled", busy);
  show(byId("progress"), busy);
  if (!busy) return;
  showFailure(null);
  clearOutcome();
  showSending(0);
  const { top } = byId("frame").getBoundingClientRect();
  const { bottom } = byId("progress").getBoundingClientRect();
  if (top < 0 || bottom > innerHeight) byId("stage").scrollIntoView();
}

function showSending(share) {
  byId("stage-name").textContent = "Sending";
  byId("stage-share").textContent = `${Math.round(share * 100)} %`;
  byId("bar").value = share;
}

function showWorking() {
  byId("stage-name").textContent = "Blurring";
  byId("stage-share").textContent = "";
  byId("bar").removeAttribute("value"); // how far it has come is not told
  say("Blurring");
}

function showFailure(failure) {
  const isOfKey = KEY_ERRORS.has(failure?.code);
  showKeyError(...(isOfKey ? linesOf(failure) : []));
  const box = byId("failure");
  const lines = failure && !isOfKey ? linesOf(failure) : [];
  box.replaceChildren(...lines);
  show(box, lines.length > 0);
  if (lines.length) box.scrollIntoView({ block: "nearest" });
}

function linesOf(failure) {
  const lines = [make("p", { textContent: WORDS[failure.code] ?? failure.message })];
  if (WORDS[failure.code] && failure.status) lines.push(make("p", { textContent: failure.message }));
  if (failure.retryAfter) lines.push(make("p", { textContent: `Try again in ${failure.retryAfter} s.` }));
  if (failure.isFree) lines.push(make("p", { textContent: "Nothing was charged." }));
  else if (failure.isBlur) {
    lines.push(make("p", { textContent: "Trying again is safe: this photo with these settings is charged once." }));
  }
  if (failure.requestId) {
    lines.push(make("p", { className: "trace" }, "Request ", make("code", { textContent: failure.requestId })));
  }
  return lines;
}

openStage();
openCode();
openPhotos(takePhoto, (name) => {
  showFailure({ code: "no_photo", message: name });
});
openAccount(showFailure);
form.addEventListener("input", showRecipe);
form.addEventListener("submit", start);
byId("cancel").addEventListener("click", () => state.abort?.abort());
showRecipe();
