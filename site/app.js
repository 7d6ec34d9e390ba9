// The page: photos, settings and a key in; results out. This module joins the others.

import { currentKey, forget, keyKind, openAccount, refreshCredits, showCredits } from "./account.js";
import { blur } from "./calls.js";
import { openCode, showCode } from "./code.js";
import { byId, inBytes, inTime, say, show } from "./dom.js";
import { explain, LASTING } from "./errors.js";
import { clearFailure, openFailures, showFailure, shownCode } from "./failure.js";
import { examplePhoto, openPhotos } from "./photo.js";
import { Item, openQueue, showQueue } from "./queue.js";
import { fileName, showFacts, showTiming } from "./result.js";
import { FORMAT_NAMES, openSettings, recipeFor, showSettings } from "./settings.js";
import { markResult, openStage, showExample, showPhoto, showResult } from "./stage.js";

const MAX_WAITS = 20; // in a row, for one photo of several
/** Errors after which the other photos of the list would fail too. */
const STOPS = new Set(["cancelled", "invalid_api_key", "insufficient_credits", "unreachable"]);
const TYPE_NAMES = Object.fromEntries(Object.entries(FORMAT_NAMES).map(([format, name]) => [`image/${format}`, name]));

const isTouched = matchMedia("(pointer: coarse)");
const price = Number(document.querySelector("meta[name=price]").content);
const state = { items: [], selected: null, work: null, isFollowing: true, note: "" };

// The list of photos.

function addPhotos(photos) {
  const [first] = state.items;
  const isReplaced = state.items.length === 1 && !first.result && (photos.length === 1 || first.state === "failed");
  if (isReplaced && !state.work) removeItem(first);
  const items = photos.map((photo) => new Item(photo));
  state.items.push(...items);
  clearFailure("photo");
  if (!state.work) select(items[0]);
  else refresh();
  say(items.length === 1 ? `${items[0].photo.file.name} is ready` : `${items.length} photos are ready`);
}

function removeItem(item) {
  item.forget();
  state.items = state.items.filter((each) => each !== item);
  if (!failedCount()) clearFailure("photo");
  else if (shownCode() === "some_failed") showFailedCount();
  if (state.selected === item) select(state.items[0] ?? null);
  else refresh();
}

async function select(item, { isNew = false } = {}) {
  state.selected = item;
  refresh();
  if (!item) return showExample();
  await showPhoto(item.photo);
  if (state.selected === item && item.result) await showItemResult(item, isNew);
  refresh();
}

async function showItemResult(item, isNew) {
  const { result } = item;
  const size = await showResult(result.blob, { isNew });
  showTiming(result);
  const left = result.creditsLeft ?? (await refreshCredits().catch(() => null));
  result.creditsLeft = left;
  showFacts([
    ["Size", size && `${size.width} by ${size.height}`],
    ["File", `${inBytes(result.blob.size)} ${TYPE_NAMES[result.blob.type] ?? ""}`],
    ["Took", inTime(result.tookMs)],
    ["Credits left", left === null ? null : left.toLocaleString("en")],
  ]);
}

// The photos to process: those without a result for these settings, except those that would fail again.

const isCurrent = ({ photo, result }) =>
  Boolean(result) && JSON.stringify(result.recipe) === JSON.stringify(recipeFor(photo));
const pending = () => state.items.filter((item) => !isCurrent(item) && !LASTING.has(item.failure?.code));
const failedCount = () => state.items.filter(({ failure }) => failure).length;

/** Show the state of everything that is not the picture itself. */
function refresh() {
  const { items, selected, work } = state;
  const todo = pending();
  showSettings(selected?.photo);
  showCode(recipeFor(selected?.photo));
  showQueue(items, selected, Boolean(work));
  const isStale = Boolean(selected?.result) && !isCurrent(selected);
  markResult(isStale);
  byId("choose-label").textContent = "Choose a photo";
  show(byId("choose"), !selected);
  show(byId("more"), Boolean(selected));
  byId("caption").textContent = captionOf(selected);
  show(byId("outcome"), Boolean(selected?.result));
  byId("placeholder").textContent = selected ? placeholderOf(selected) : "";
  show(byId("go"), !work && (todo.length > 0 || !selected?.result));
  byId("go").textContent = goLabel(todo);
  show(byId("download"), !work && Boolean(selected?.result));
  byId("download").classList.toggle("primary", !todo.length);
  if (selected?.result) {
    Object.assign(byId("download"), { href: selected.url, download: fileName(selected.photo, selected.result) });
  }
  if (!work && !state.note) byId("hint").textContent = costNote(todo);
  show(byId("hint"), !work);
}

function captionOf(item) {
  if (!item && isTouched.matches) return "An example. Tap it to choose a photo.";
  if (!item) return "An example. Drop a photo here, click, or paste one.";
  return `${item.photo.file.name}, ${inBytes(item.photo.file.size)}`;
}

/** The text instead of a photo that this browser cannot show. */
function placeholderOf({ photo, failure }) {
  const { name } = photo.file;
  if (failure) return `No result for ${name}. ${explain(failure)[0]}`;
  return `This browser cannot show ${name}. It is sent unchanged.`;
}

const isFree = () => keyKind() === "test";
const inCredits = (count) => `${count} ${count === 1 ? "credit" : "credits"}`;

function goLabel(todo) {
  if (!state.items.length) return "Try it with the example";
  if (!todo.length) return "Choose another photo";
  const isCutout = byId("panel").elements.mode.value === "cutout";
  const areFailed = state.items.length > 1 && todo.length > 0 && todo.every((item) => item.state === "failed");
  if (areFailed) return todo.length > 1 ? `Try ${todo.length} photos again` : "Try 1 photo again";
  const isAgain = todo.length > 0 && todo.every(({ result }) => result);
  const cost = isFree() ? "free" : inCredits(todo.length * price);
  const [verb, one, many] = isCutout ? ["Remove", "background", "backgrounds"] : ["Blur", "background", "photos"];
  if (isAgain && todo.length === 1) return `${verb} again (${cost})`;
  if (isAgain) return `${verb} ${todo.length} ${many} again (${cost})`;
  return todo.length > 1 ? `${verb} ${todo.length} ${many}` : `${verb} ${one}`;
}

function costNote(todo) {
  if (isFree()) return "Free with a test key; results are marked TEST and less sharp.";
  const each = `${inCredits(price)} for each result. Errors are free.`;
  return todo.length > 1 ? `${inCredits(todo.length * price)} in all: ${each}` : each;
}

/** Show a sentence instead of the costs, until something changes. */
function note(text) {
  state.note = text;
  byId("hint").textContent = text;
  say(text);
}

// The work.

async function start(event) {
  event?.preventDefault();
  if (state.work) return;
  const todo = state.items.length ? pending() : null;
  if (todo && !todo.length) {
    if (!state.selected?.result) byId("file").click(); // the button reads "Choose another photo"
    return;
  }
  if (!currentKey()) return showFailure({ code: "no_key" });
  showFailure(null);
  state.note = "";
  state.isFollowing = true;
  state.work = { abort: new AbortController(), name: "", isPaid: false };
  setBusy(true);
  let failed = 0;
  try {
    if (!todo) addExample(await examplePhoto());
    const list = todo ?? [...state.items];
    for (const item of list) {
      if (!state.items.includes(item)) continue; // it was removed during the call
      if (!(await workOn(item, list.length > 1))) failed += 1;
    }
    if (failed) showFailedCount();
  } catch (failure) {
    if (failure.code === "cancelled") note(cancelNote(state.work));
    else showFailure(Object.assign(failure, { isBlur: true }));
    if (failure.code === "invalid_api_key") forget();
  } finally {
    state.work = null;
    setBusy(false);
    refresh();
  }
}

function showFailedCount() {
  const failed = failedCount();
  const message = `${failed} ${failed === 1 ? "photo" : "photos"} failed. The list shows why.`;
  showFailure(failed ? { code: "some_failed", message } : null);
}

function addExample(photo) {
  state.items.push(new Item(photo));
}

/** Blur one photo. Return whether that worked; throw errors that would also stop the other photos. */
async function workOn(item, isOfMany) {
  Object.assign(item, { state: "working", text: "", failure: null });
  if (state.isFollowing) await select(item);
  try {
    const result = await withWaits(item, isOfMany);
    item.setResult(result);
    showCredits(result.creditsLeft);
    if (state.isFollowing || state.selected === item) await select(item, { isNew: true });
    say(`${item.photo.file.name} is done, in ${inTime(result.tookMs)}`);
    return true;
  } catch (failure) {
    const isCancelled = failure.code === "cancelled";
    if (isCancelled) Object.assign(item, { state: "waiting", text: "Cancelled." });
    else Object.assign(item, { state: "failed", text: explain(failure).join(" "), failure });
    if (item.result) item.state = "done";
    refresh();
    if (!isOfMany || STOPS.has(failure.code)) throw failure;
    return false;
  }
}

/** Among several photos, wait as long as the service asks, then continue. */
async function withWaits(item, isOfMany) {
  for (let waits = 0; ; waits++) {
    const { work } = state;
    const recipe = recipeFor(item.photo);
    work.isPaid = false;
    try {
      const hooks = {
        signal: work.abort.signal,
        onUpload: (share) => showStep(item, "Uploading", share),
        onBlur: () => showStep(item, recipe.mode === "cutout" ? "Removing the background" : "Blurring"),
        onReceive: (share, isPaid) => showStep(item, "Receiving", share, isPaid),
      };
      return { ...(await blur(item.photo, recipe, currentKey(), hooks)), recipe };
    } catch (failure) {
      if (!isOfMany || !failure.retryAfter || waits === MAX_WAITS) throw failure;
      await waitFor(item, failure.retryAfter, work.abort.signal);
    }
  }
}

async function waitFor(item, seconds, signal) {
  for (let left = seconds; left > 0; left--) {
    if (signal.aborted) throw Object.assign(new Error("Cancelled."), { code: "cancelled" });
    showStep(item, `Waiting ${left} s for the service`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

function showStep(item, name, share = null, isPaid = false) {
  const { work } = state;
  const isOther = work.name !== name;
  Object.assign(work, { name, isPaid });
  const percent = share === null ? "" : `${Math.floor(share * 100)} %`;
  byId("step-name").textContent = name;
  byId("step-share").textContent = percent;
  if (share === null) byId("progress-bar").removeAttribute("value");
  else byId("progress-bar").value = share;
  item.text = `${name} ${percent}`.trim();
  showQueue(state.items, state.selected, true);
  if (isOther && !name.startsWith("Waiting")) say(name);
}

/** The text about the cost of a cancelled call. The photo keeps its Idempotency-Key, so a second try is the same call. */
const cancelNote = ({ isPaid }) => isPaid
  ? "Cancelled. This result is already paid for: you can try again for free."
  : "Cancelled. You can safely try again: this result is charged at most once.";

function setBusy(isBusy) {
  byId("stage").setAttribute("aria-busy", isBusy);
  show(byId("progress"), isBusy);
  if (isBusy) byId("progress-bar").value = 0;
  refresh();
  if (isBusy) byId("cancel").focus({ preventScroll: true });
  else if (document.activeElement === document.body) {
    const next = ["download", "go", "retry"].map(byId).find((each) => each.checkVisibility());
    next?.focus({ preventScroll: true });
  }
}

openStage(() => byId("file").click());
openCode();
openFailures(() => start());
openPhotos(addPhotos, showFailure);
openQueue({
  onSelect: (item) => {
    state.isFollowing = false;
    select(item);
  },
  onRemove: removeItem,
  onClear: () => {
    for (const item of state.items) item.forget();
    state.items = [];
    clearFailure("photo");
    select(null);
  },
});
openSettings(() => {
  state.note = "";
  clearFailure("setting");
  refresh();
});
openAccount((failure) => {
  if (failure) showFailure(failure);
  else clearFailure("key");
  refresh();
});
// On small screens the bar covers the lower edge of the page, so the footer has a margin of that height.
new ResizeObserver(([{ target }]) => {
  document.documentElement.style.setProperty("--bar", `${target.offsetHeight}px`);
}).observe(byId("go-bar"));
byId("panel").addEventListener("submit", start);
byId("cancel").addEventListener("click", () => state.work?.abort.abort());
refresh();
