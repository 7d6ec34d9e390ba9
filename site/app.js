// The page: it takes photos, settings and a key, and shows results. This module connects the other modules.

import { currentKey, forget, openAccount, refreshCredits, showCredits } from "./account.js";
import { blur } from "./calls.js";
import { openCode, showCode } from "./code.js";
import { announce, byId, formatTime, show } from "./dom.js";
import { explain, isPermanent } from "./errors.js";
import { clearFailure, openFailures, showFailure, shownCode } from "./failure.js";
import { checkJob, draftedJob, offerFolder, openJob, startJob } from "./job.js";
import {
  buttonLabel, cancelNote, captionFor, costNote, failedMessage, jobCosts, jobLabel, placeholderFor,
} from "./labels.js";
import { examplePhoto, openPhotos } from "./add-photos.js";
import { Item, openPhotoList, showPhotoList } from "./photo-list.js";
import { openRegion, showRegion } from "./region.js";
import { fileName, showDetails } from "./result.js";
import { openSettings, optionsFor, showSettings } from "./settings.js";
import { markResult, openStage, showExample, showPhoto, showResult } from "./stage.js";

const MAX_WAITS = 20; // if there are several photos, the page waits and retries at most this many times for each
/** Errors that would also occur for the other photos of the list. */
const BATCH_STOPPING_ERRORS = new Set(["cancelled", "invalid_api_key", "insufficient_credits", "unreachable"]);

const isTouchScreen = matchMedia("(pointer: coarse)");
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
  announce(items.length === 1 ? `${items[0].photo.file.name} is ready` : `${items.length} photos are ready`);
}

function addFolder(folder) {
  clearFailure("photo");
  offerFolder(folder);
  byId("job").scrollIntoView({ block: "nearest" });
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
  item.photo.natural = await showPhoto(item.photo);
  if (state.selected === item && item.result) await showItemResult(item, isNew);
  refresh();
}

async function showItemResult(item, isNew) {
  const { result } = item;
  const size = await showResult(result.blob, { isNew });
  result.creditsLeft ??= await refreshCredits().catch(() => null);
  showDetails(result, size);
}

// Pending photos have no result for these settings, and no permanent error.

const isCurrent = ({ photo, result }) =>
  Boolean(result) && JSON.stringify(result.options) === JSON.stringify(optionsFor(photo));
const isPending = (item) => !isCurrent(item) && !isPermanent(item.failure, optionsFor(item.photo));
const pending = () => state.items.filter(isPending);
const failedCount = () => state.items.filter(({ failure }) => failure).length;

/** Update everything on the page except the pictures. */
function refresh() {
  const { items, selected, work } = state;
  const todo = pending();
  const draft = draftedJob();
  const shownPhoto = draft ? null : selected?.photo;
  const options = optionsFor(shownPhoto);
  showSettings(shownPhoto, Boolean(draft));
  showCode(options);
  showPhotoList(items, selected, Boolean(work));
  const isStale = Boolean(selected?.result) && !isCurrent(selected);
  markResult(isStale);
  byId("choose-label").textContent = "Choose a photo";
  show(byId("choose"), !selected);
  showRegion(selected?.photo, Boolean(selected?.photo.natural));
  show(byId("more"), Boolean(selected));
  byId("caption").textContent = captionFor(selected, isTouchScreen.matches);
  show(byId("outcome"), Boolean(selected?.result));
  byId("placeholder").textContent = selected ? placeholderFor(selected) : "";
  show(byId("go"), !work && (todo.length > 0 || !selected?.result));
  byId("go").textContent = buttonLabel(items, todo, options);
  show(byId("download"), !work && Boolean(selected?.result));
  byId("download").classList.toggle("primary", !todo.length);
  if (selected?.result) {
    Object.assign(byId("download"), { href: selected.url, download: fileName(selected.photo, selected.result) });
  }
  if (!work && !state.note) byId("hint").textContent = costNote(todo, options);
  show(byId("hint"), !work);
  if (draft && !work) offerStart(draft, options);
}

/** Let the main button start a job. */
function offerStart({ photos }, options) {
  show(byId("go"));
  show(byId("download"), false);
  byId("go").textContent = jobLabel(photos.length, options);
  byId("hint").textContent = jobCosts(photos.length, options);
}

async function startDraft() {
  if (!currentKey()) return showFailure({ code: "no_key" });
  showFailure(null);
  try {
    await startJob(optionsFor(null));
  } catch (failure) {
    showFailure(failure);
  }
}

/** Show a sentence instead of the costs, until a setting changes or a call starts. */
function note(text) {
  state.note = text;
  byId("hint").textContent = text;
  announce(text);
}

// Blurring.

async function start(event) {
  event?.preventDefault();
  if (state.work) return;
  if (draftedJob()) return startDraft();
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
    if (!todo) state.items.push(new Item(await examplePhoto()));
    const list = todo ?? [...state.items];
    for (const item of list) {
      if (!state.items.includes(item)) continue; // the photo was removed in the meantime
      if (!(await blurItem(item, list.length > 1))) failed += 1;
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
  showFailure(failed ? { code: "some_failed", message: failedMessage(failed) } : null);
}

/**
 * Blur one photo; return whether it has a result now. If there is only one photo, throw every error;
 * otherwise, throw only errors that would also occur for the other photos.
 */
async function blurItem(item, isOfMany) {
  Object.assign(item, { state: "working", text: "", failure: null });
  if (state.isFollowing) await select(item);
  try {
    const result = await withWaits(item, isOfMany);
    item.setResult(result);
    showCredits(result.creditsLeft);
    if (state.isFollowing || state.selected === item) await select(item, { isNew: true });
    announce(`${item.photo.file.name} is done, in ${formatTime(result.tookMs)}`);
    return true;
  } catch (failure) {
    const isCancelled = failure.code === "cancelled";
    if (isCancelled) Object.assign(item, { state: "waiting", text: "Cancelled." });
    else Object.assign(item, { state: "failed", text: explain(failure).join(" "), failure });
    if (item.result) item.state = "done";
    refresh();
    if (!isOfMany || BATCH_STOPPING_ERRORS.has(failure.code)) throw failure;
    return false;
  }
}

/** Blur a photo. If there are several photos and an error has `retryAfter`, wait for that time and try again. */
async function withWaits(item, isOfMany) {
  for (let waits = 0; ; waits++) {
    const { work } = state;
    const options = optionsFor(item.photo);
    work.isPaid = false;
    try {
      const hooks = {
        signal: work.abort.signal,
        onUpload: (share) => showStep(item, "Uploading", share),
        onBlur: () => showStep(item, options.mode === "cutout" ? "Removing the background" : "Blurring"),
        onReceive: (share, isPaid) => showStep(item, "Receiving", share, isPaid),
      };
      return { ...(await blur(item.photo, options, currentKey(), hooks)), options };
    } catch (failure) {
      failure.options = options;
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
  showPhotoList(state.items, state.selected, true);
  if (isOther && !name.startsWith("Waiting")) announce(name);
}

function onSettingChange() {
  state.note = "";
  const canSendAgain = shownCode() === "no_subject" && isPending(state.selected);
  clearFailure(canSendAgain ? "photo" : "setting");
  refresh();
}

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
openPhotos(addPhotos, addFolder, showFailure);
openPhotoList({
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
openRegion(onSettingChange);
openSettings(onSettingChange);
openAccount((failure) => {
  if (failure) showFailure(failure);
  else clearFailure("key");
  checkJob();
});
openJob(refresh, () => byId("folder").click());
byId("panel").addEventListener("submit", start);
byId("cancel").addEventListener("click", () => state.work?.abort.abort());
refresh();
