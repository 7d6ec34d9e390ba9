// Shows errors next to the key's field or above the main button, with a countdown if waiting helps.

import { showKeyError } from "./account.js";
import { byId, make, show } from "./dom.js";
import { explain } from "./errors.js";

/** Errors caused by the key; the page shows them next to the key's field. */
const KEY_ERRORS = new Set(["no_key", "invalid_api_key", "link_expired"]);
/**
 * Errors that disappear when the user chooses other photos, but not when a setting changes; `app.js` also clears
 * `no_subject` when the settings for the subject change.
 */
const PHOTO_ERRORS = new Set(["invalid_image", "image_too_large", "no_subject", "no_photo", "no_photos", "some_failed"]);

const NOTHING_CHARGED = "Nothing was charged.";

let shown = null;
let countdownTimer = 0;

/** Set up the retry button, which calls `onRetry()`. */
export function openFailures(onRetry) {
  byId("retry").addEventListener("click", onRetry);
  addEventListener("online", () => shown?.code === "unreachable" && showFailure(null));
}

/** Show an error; with null, remove the shown error. */
export function showFailure(failure) {
  clearInterval(countdownTimer);
  shown = failure;
  const isOfKey = KEY_ERRORS.has(failure?.code);
  showKeyError(...(isOfKey ? linesFor(failure) : []));
  const lines = failure && !isOfKey ? linesFor(failure) : [];
  byId("failure-text").replaceChildren(...lines);
  show(byId("failure"), lines.length > 0);
  byId("stage").toggleAttribute("data-invalid", PHOTO_ERRORS.has(failure?.code) && failure.code !== "some_failed");
  show(byId("countdown"), false);
  show(byId("retry"), Boolean(failure?.isBlur) && canRetry(failure));
  byId("retry").disabled = false;
  if (lines.length && failure.retryAfter) countDown(failure.retryAfter);
}

export const shownCode = () => shown?.code;

/** Remove the error if the user's change can solve it. `cause`: "photo", "key" or "setting" was changed. */
export function clearFailure(cause) {
  if (!shown) return;
  const isOfPhoto = PHOTO_ERRORS.has(shown.code);
  const isOfKey = KEY_ERRORS.has(shown.code) || shown.code === "insufficient_credits";
  const isGone = { photo: !isOfKey, key: isOfKey, setting: !isOfKey && !isOfPhoto && !shown.retryAfter }[cause];
  if (isGone) showFailure(null);
}

const canRetry = ({ code, status }) =>
  status === 0 || status === 409 || status === 429 || status >= 500 || code === "unexpected";

function countDown(seconds) {
  const endsAt = Date.now() + seconds * 1000;
  const tick = () => {
    const left = Math.max(0, Math.ceil((endsAt - Date.now()) / 1000));
    byId("countdown").textContent = left ? `You can try again in ${left} s.` : "You can try again now.";
    byId("retry").disabled = left > 0;
    if (!left) clearInterval(countdownTimer);
  };
  show(byId("countdown"));
  countdownTimer = setInterval(tick, 250);
  tick();
}

function linesFor(failure) {
  const [problem, ...next] = explain(failure);
  const isAlreadyStated = [problem, ...next].some((text) => text.includes(NOTHING_CHARGED));
  if (failure.isFree && !isAlreadyStated) next.push(NOTHING_CHARGED);
  else if (failure.isBlur && !failure.isFree) next.push("You can safely try again: this photo with these settings is charged once.");
  const lines = [make("p", { textContent: problem })];
  if (next.length) lines.push(make("p", { textContent: next.join(" ") }));
  if (failure.requestId) {
    lines.push(make("p", { className: "trace" }, "Request ", make("code", { textContent: failure.requestId })));
  }
  return lines;
}
