// Texts of the page that depend on its state: labels, captions and costs.

import { creditsLeft, keyKind } from "./account.js";
import { formatBytes } from "./dom.js";
import { explain } from "./errors.js";
import { hasJobs } from "./job-calls.js";

const priceOf = (name) => Number(document.querySelector(`meta[name=${name}]`).content);
const PRICES = { auto: priceOf("price"), person: priceOf("person-price") };

export function captionFor(item, isTouch) {
  if (!item && isTouch) return "An example. Tap it to choose a photo.";
  if (!item && hasJobs()) return "An example. Drop a photo or a folder here, or click.";
  if (!item) return "An example. Drop a photo here, click, or paste one.";
  return `${item.photo.file.name}, ${formatBytes(item.photo.file.size)}`;
}

/** The text that is shown instead of a photo that this browser cannot show. */
export function placeholderFor({ photo, failure }) {
  const { name } = photo.file;
  if (failure) return `No result for ${name}. ${explain(failure)[0]}`;
  return `This browser cannot show ${name}. The photo is sent unchanged.`;
}

const isFree = () => keyKind() === "test";
const inCredits = (count) => `${count} ${count === 1 ? "credit" : "credits"}`;

/** The label of the main button, for the chosen mode and subject. */
export function buttonLabel(items, todo, { mode, subject }) {
  if (!items.length) return "Try it with the example";
  if (!todo.length) return "Choose another photo";
  const areFailed = items.length > 1 && todo.length > 0 && todo.every((item) => item.state === "failed");
  if (areFailed) return todo.length > 1 ? `Try ${todo.length} photos again` : "Try 1 photo again";
  const isAgain = todo.length > 0 && todo.every(({ result }) => result);
  const cost = isFree() ? "free" : inCredits(todo.length * PRICES[subject]);
  const [verb, one, many] = mode === "cutout" ? ["Remove", "background", "backgrounds"] : ["Blur", "background", "photos"];
  if (isAgain && todo.length === 1) return `${verb} again (${cost})`;
  if (isAgain) return `${verb} ${todo.length} ${many} again (${cost})`;
  return todo.length > 1 ? `${verb} ${todo.length} ${many}` : `${verb} ${one}`;
}

/** The text about costs, which the page shows below the main button. */
export function costNote(todo, { subject }) {
  if (isFree()) return "Free with a test key; results are marked TEST and less sharp.";
  const price = PRICES[subject];
  const each = `${inCredits(price)} for each result. Errors are free.`;
  return todo.length > 1 ? `${inCredits(todo.length * price)} in all: ${each}` : each;
}

/** The label and the costs of a job that has not started. */
export function jobLabel(count, { mode }) {
  const [verb, many] = mode === "cutout" ? ["Remove", "backgrounds"] : ["Blur", "photos"];
  return `${verb} ${count.toLocaleString("en")} ${count === 1 ? many.slice(0, -1) : many}`;
}

export function jobCosts(count, { subject }) {
  if (isFree()) return "Free with a test key; results are marked TEST and less sharp.";
  const total = count * PRICES[subject];
  const costs = `At most ${total.toLocaleString("en")} ${total === 1 ? "credit" : "credits"}. Photos that fail are free.`;
  const left = creditsLeft();
  if (left === null || left >= total) return costs;
  return `${costs} The balance is ${left.toLocaleString("en")}. When it is used up, the job waits for a top-up.`;
}

export const failedMessage = (failed) =>
  `${failed} ${failed === 1 ? "photo" : "photos"} failed. The list shows why.`;

/** The note about the cost of a cancelled call. Because of the Idempotency-Key, a retry is charged at most once. */
export const cancelNote = ({ isPaid }) => isPaid
  ? "Cancelled. This result is already paid for: you can try again for free."
  : "Cancelled. You can safely try again: this result is charged at most once.";
