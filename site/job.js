// The bulk job on the page, from the choice of a folder to the download of the results. The job
// continues after a reload of the page.

import { currentKey, refreshCredits } from "./account.js";
import { announce } from "./dom.js";
import { cancelJob, closeJob, createJob, isOfPhoto, pause, readJob, Uploads } from "./job-calls.js";
import { saveManifest, saveResults } from "./job-download.js";
import { onJobActions, showJob } from "./job-view.js";
import { loadJob, removeJob, storeJob } from "./saved-job.js";

const AT_ONCE = 3;
const POLL_S = 2;
const HIDDEN_POLL_S = 15;
const EMPTY = { lost: [], failures: [], cursor: null, hasMore: false, problem: null, uploadProblem: null };

/**
 * `draft`: a folder that is not sent yet. `saved`: the job in this browser's storage, `{id, name,
 * total, sent, last}`. The uploads of the first `sent` of `total` photos have ended, and `last` is
 * the source of the last of these photos. `job`: the job, as the API returned it. `upload`: an
 * AbortController while photos are uploaded. `download`: an AbortController while results are
 * downloaded. `downloaded`: the number of downloaded results. `lost`: photos that could not be
 * uploaded. `hasMore`: whether more than the first page of failures is shown. `problem`: the error
 * of the last request. `uploadProblem`: the error that interrupted the upload.
 */
const state = {
  draft: null, saved: null, job: null, upload: null, download: null, downloaded: 0, ...EMPTY,
};
let onChange = () => {};
let polling = null;

/** Set up the section for the job. `onUpdate()` is called when the page must update its button or hint. */
export function openJob(onUpdate, onChooseFolder) {
  onChange = onUpdate;
  onJobActions({
    onZip: () => download(),
    onManifest: () => saveManifest(state.job, state.saved.name, currentKey()).catch(fail),
    onAgain: onChooseFolder,
    onClose: () => change(closeJob),
    onCancel: () => cancel(),
    onStop: () => state.download?.abort(),
    onRemove: remove,
    onMore: () => showMore(),
  });
  document.addEventListener("visibilitychange", () => document.hidden || poll());
  addEventListener("beforeunload", (event) => state.upload && event.preventDefault());
  loadJob().then((saved) => {
    state.saved ??= saved;
    poll();
  });
}

export const draftedJob = () => state.draft;

/** Use a chosen folder: upload the rest of an interrupted job, or show the folder as a draft of a job. */
export function offerFolder(folder) {
  if (isInterrupted() && folder.name === state.saved.name) return upload(folder.photos, state.job);
  state.draft = folder;
  announce(`${folder.photos.length} photos are ready`);
  update();
}

/** Read the job's state again, for example with another key. */
export const checkJob = () => poll();

/** Create a job for the chosen photos (the draft) and upload them. Throws an error if the job cannot be created. */
export async function startJob(options) {
  const { name, photos } = state.draft;
  const job = await createJob(options, currentKey());
  const saved = { id: job.job_id, name, total: photos.length, sent: 0, last: null };
  await storeJob(saved, "strict"); // stored before the first photo is sent and charged
  Object.assign(state, { draft: null, saved, job, ...EMPTY });
  upload(photos, job);
}

/** Whether the job still accepts photos, but this page uploads none. */
const isInterrupted = () => Boolean(state.job?.upload) && !state.upload;

async function upload(photos, job) {
  const { saved } = state;
  const key = currentKey();
  const controller = new AbortController();
  Object.assign(state, { upload: controller, problem: null, uploadProblem: null });
  try {
    if (!job.upload) job = await readJob(saved.id, key);
    const uploads = new Uploads(job, key, controller.signal);
    const start = photos.length === saved.total && photos[saved.sent - 1]?.source === saved.last ? saved.sent : 0;
    Object.assign(saved, { total: photos.length, sent: start });
    poll();
    await sendAll(photos, start, uploads, saved);
    state.job = await closeJob(saved.id, key, controller.signal);
    announce("All photos are uploaded");
  } catch (failure) {
    controller.abort(); // stops the other uploads
    if (failure.code !== "cancelled") state.uploadProblem = failure;
  } finally {
    state.upload = null;
    poll();
  }
}

/** Upload the photos from index `start`, a few at the same time, and store the progress. */
async function sendAll(photos, start, uploads, saved) {
  const ended = new Set();
  let next = start;
  const send = async () => {
    while (next < photos.length) {
      const index = next++;
      await sendOne(photos[index], uploads);
      ended.add(index);
      while (ended.delete(saved.sent)) saved.sent += 1;
      saved.last = photos[saved.sent - 1]?.source ?? null;
      storeJob(saved);
      update();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, send));
}

async function sendOne(photo, uploads) {
  try {
    await uploads.upload(photo);
  } catch (failure) {
    if (!isOfPhoto(failure)) throw failure;
    state.lost.push({ source: photo.source, code: failure.code, message: failure.message });
  }
}

/** Read the job now, and then every few seconds until it has ended. */
async function poll() {
  polling?.abort();
  update();
  if (!state.saved || !currentKey()) return;
  const controller = new AbortController();
  polling = controller;
  while (!controller.signal.aborted) {
    let wait = document.hidden ? HIDDEN_POLL_S : POLL_S;
    try {
      const before = state.job;
      const job = await readJob(state.saved.id, currentKey());
      if (controller.signal.aborted) return;
      Object.assign(state, { job, problem: null });
      if (!state.hasMore) Object.assign(state, { failures: job.failures, cursor: job.next });
      if (job.ended_at) return end(before);
    } catch (failure) {
      if (controller.signal.aborted) return;
      fail(failure);
      if (failure.code === "job_not_found" || failure.code === "invalid_api_key") return;
      wait = Math.max(wait, failure.retryAfter ?? 0);
    }
    update();
    await pause(wait, controller.signal).catch(() => {});
  }
}

function end(before) {
  update();
  if (!before || before.ended_at) return;
  announce(`The job has ended: ${state.job.counts.done} photos are done`);
  refreshCredits().catch(() => {});
}

/** Show the next page of failures. */
async function showMore() {
  const { cursor } = state;
  state.hasMore = true;
  try {
    const { failures, next } = await readJob(state.saved.id, currentKey(), cursor);
    if (cursor !== state.cursor) return; // a second click has already shown this page of failures
    Object.assign(state, { failures: [...state.failures, ...failures], cursor: next });
    update();
  } catch (failure) {
    fail(failure);
  }
}

async function change(call) {
  try {
    state.job = await call(state.saved.id, currentKey());
    poll();
  } catch (failure) {
    fail(failure);
  }
}

function cancel() {
  if (!confirm("Cancel the job? Only photos that have already started are finished.")) return;
  state.upload?.abort();
  change(cancelJob);
}

async function download() {
  Object.assign(state, { download: new AbortController(), downloaded: 0, problem: null });
  update();
  try {
    const expired = await saveResults(state.job, state.saved.name, currentKey(), {
      signal: state.download.signal,
      onProgress: (count) => {
        state.downloaded = count;
        update();
      },
    });
    if (expired) fail({ code: "results_expired" });
  } catch (failure) {
    if (failure.code !== "cancelled") fail(failure);
  }
  state.download = null;
  update();
}

/** Remove the draft or the job from the page; the job on the server does not change. */
async function remove() {
  if (state.draft) state.draft = null;
  else {
    polling?.abort();
    await removeJob(); // if the page were reloaded before this ends, it would show the job again
    Object.assign(state, { saved: null, job: null, ...EMPTY });
  }
  update();
}

function fail(failure) {
  state.problem = failure;
  update();
}

function update() {
  showJob(state, isInterrupted());
  onChange();
}
