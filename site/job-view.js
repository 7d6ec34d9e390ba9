// The view of a job: its counts, time left and failures, and the buttons for its state.

import { byId, formatBytes, formatDuration, make, show } from "./dom.js";
import { explain } from "./errors.js";

const ACTIONS = {
  onZip: "job-zip", onManifest: "job-manifest", onAgain: "job-again", onClose: "job-close",
  onCancel: "job-cancel", onStop: "job-stop", onRemove: "job-remove", onMore: "job-more",
};

let shownSources = ""; // the failures in the list, which is drawn again only if they change

/** Set up the buttons: a click on a button calls its function. */
export function onJobActions(functions) {
  for (const [name, id] of Object.entries(ACTIONS)) byId(id).addEventListener("click", functions[name]);
}

/** Show the draft or the job; if there is neither, hide the section. */
export function showJob(state, isInterrupted) {
  const { draft, saved, job, upload, download } = state;
  const focused = document.activeElement;
  show(byId("job"), Boolean(draft || saved));
  if (!draft && !saved) return;
  const isRunning = Boolean(job) && !draft && !isEnded(job);
  byId("job").dataset.state = draft ? "draft" : (job?.state ?? "unknown");
  byId("job-title").textContent = draft ? draftTitle(draft) : titleOf(state, isInterrupted);
  byId("job-text").textContent = draft ? draftText(draft) : textOf(state, isInterrupted);
  showProgress(state, isInterrupted);
  const alert = draft ? "" : alertOf(state, isInterrupted);
  byId("job-alert").textContent = alert;
  show(byId("job-alert"), Boolean(alert));
  const hasResults = Boolean(job?.counts.done) && !draft;
  show(byId("job-zip"), hasResults && !isRunning && !download);
  show(byId("job-manifest"), hasResults && !isRunning && !download);
  show(byId("job-stop"), Boolean(download) && !draft);
  show(byId("job-again"), isInterrupted && !draft);
  show(byId("job-close"), isInterrupted && job.counts.received > 0 && !draft);
  show(byId("job-cancel"), isRunning);
  show(byId("job-remove"), Boolean(draft) || (!isRunning && !upload && !download));
  byId("job-remove").textContent = draft ? "Remove" : "Remove from this page";
  show(byId("job-id-line"), Boolean(job) && !draft);
  byId("job-id").textContent = job?.job_id ?? "";
  showFailures(state);
  if (focused?.hidden && byId("job").contains(focused)) byId("job-title").focus(); // keep the focus when the button is hidden
}

const isEnded = ({ state }) => state === "done" || state === "cancelled";
const photosText = (count) => `${count.toLocaleString("en")} ${count === 1 ? "photo" : "photos"}`;
const fromFolder = ({ name }) => (name ? ` from ${name}` : "");

const draftTitle = (draft) => photosText(draft.photos.length) + fromFolder(draft);

function draftText({ photos }) {
  const size = formatBytes(photos.reduce((sum, { file }) => sum + file.size, 0));
  return `${size}. The photos are uploaded, processed in the background with these settings, and kept for 7 days.`;
}

function titleOf({ saved, job, lost, upload, download, downloaded }, isInterrupted) {
  if (!job) return `A job with ${photosText(saved.total)}${fromFolder(saved)}`;
  const { received, done, failed, cancelled } = job.counts;
  if (download) return `Downloading ${downloaded.toLocaleString("en")} of ${photosText(done)}`;
  if (upload) return `Uploading ${saved.sent.toLocaleString("en")} of ${photosText(saved.total)}${fromFolder(saved)}`;
  if (isInterrupted) return `The upload was interrupted after ${saved.sent.toLocaleString("en")} of ${photosText(saved.total)}`;
  const more = [[failed, "failed"], [cancelled, "cancelled"], [lost.length, "not uploaded"]].filter(([count]) => count);
  const prefix = job.state === "cancelled" ? "Cancelled: " : "";
  return [`${prefix}${done.toLocaleString("en")} of ${photosText(received)} done`, ...more.map(([count, word]) => `${count.toLocaleString("en")} ${word}`)].join(", ");
}

function textOf({ saved, job, upload, download }, isInterrupted) {
  if (!job) return "";
  const { done, charged } = job.counts;
  if (download) return "Large downloads are split into several ZIPs.";
  if (upload) return `Keep this page open until all photos are uploaded. Processed so far: ${photosText(done)}.`;
  if (isInterrupted) return `Choose ${saved.name ? `the folder ${saved.name}` : "the photos"} again to continue. Photos that were uploaded are not sent or charged again.`;
  const cost = `${charged} ${charged === 1 ? "credit" : "credits"} charged.`;
  if (isEnded(job) && !job.ended_at) return `${cost} Photos that are being processed are finished first, so the job ends a few minutes after it was cancelled.`;
  if (isEnded(job)) return `${cost} The results can be downloaded for 7 days.`;
  const left = job.seconds_left === null || job.state === "paused" ? "" : `About ${formatDuration(job.seconds_left)} left. `;
  return `${left}You can close this page and come back. ${cost}`;
}

function alertOf({ job, problem, uploadProblem }, isInterrupted) {
  const shown = problem ?? (isInterrupted ? uploadProblem : null);
  if (shown) return explain(shown).join(" ");
  return job?.state === "paused" ? "Paused: the account has too few credits. The job goes on after a top-up." : "";
}

function showProgress({ draft, saved, job, upload, download, downloaded }, isInterrupted) {
  const bar = byId("job-progress");
  show(bar, !draft && Boolean(job) && (!isEnded(job) || Boolean(download)));
  if (!job) return;
  const { received, done, failed, cancelled } = job.counts;
  const [part, all] = download
    ? [downloaded, done]
    : upload || isInterrupted ? [saved.sent, saved.total] : [done + failed + cancelled, received];
  bar.value = all ? part / all : 0;
}

function showFailures({ draft, job, lost, failures, cursor }) {
  const count = draft ? 0 : (job?.counts.failed ?? 0) + lost.length;
  show(byId("job-failures"), count > 0);
  if (!count) return;
  byId("job-failed").textContent = `${photosText(count)} failed, and ${count === 1 ? "was" : "were"} not charged`;
  const all = [...lost, ...failures];
  const sources = all.map(({ source }) => source).join("\n");
  if (shownSources !== sources) byId("job-failure-items").replaceChildren(...all.map(failureRow));
  shownSources = sources;
  show(byId("job-more"), Boolean(cursor));
}

function failureRow(failure) {
  const name = make("span", { className: "name", textContent: failure.source });
  const [problem, ...remedy] = explain(failure);
  // These messages are about this photo: why its file cannot be read, or that the job's key has expired.
  const isAboutThisPhoto = ["invalid_image", "invalid_api_key"].includes(failure.code) && failure.message;
  const details = isAboutThisPhoto ? [failure.message] : remedy;
  return make("li", {}, name, make("span", { className: "state", textContent: [problem, ...details].join(" ") }));
}
