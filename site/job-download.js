// The downloads of a job: its results as ZIPs of limited size, and its manifest.

import { make } from "./dom.js";
import { fetchResult, manifestPages } from "./job-calls.js";
import { EXTENSIONS } from "./result.js";
import { Zip } from "./zip.js";

const MAX_ZIP_BYTES = 500_000_000; // the browser keeps a ZIP in memory until the ZIP is saved
const MAX_ZIP_FILES = 65_000; // the largest number of files without ZIP64
const AT_ONCE = 4;

/**
 * Save all results, as one or more ZIPs. `onProgress(count)` is called after each result. Return how
 * many results have expired.
 */
export async function saveResults(job, name, key, { onProgress, signal }) {
  let [zip, number, count, expired] = [new Zip(), 1, 0, 0];
  const saveZip = (isLast) => {
    if (zip.count) save(zip.toBlob(), `${name || "photos"}${isLast && number === 1 ? "" : `-${number}`}.zip`);
    [zip, number] = [new Zip(), number + 1];
  };
  for await (const [row, blob] of results(job.job_id, key, signal)) {
    if (!blob) {
      expired += 1;
      continue;
    }
    if (zip.count === MAX_ZIP_FILES || (zip.count && zip.size + blob.size > MAX_ZIP_BYTES)) saveZip(false);
    await zip.add(pathOf(row.source, blob.type), blob);
    onProgress(++count);
  }
  saveZip(true);
  return expired;
}

/** Save the manifest as a file of JSON lines. */
export async function saveManifest(job, name, key) {
  const pages = [];
  for await (const page of manifestPages(job.job_id, key)) pages.push(page);
  save(new Blob(pages, { type: "application/jsonl" }), `${name || "photos"}-manifest.jsonl`);
}

/**
 * Yield each row of the manifest with its result, or with null if the result has expired. A few
 * results are requested in advance.
 */
async function* results(id, key, signal) {
  const running = [];
  for await (const row of finishedRows(id, key, signal)) {
    const result = fetchResult(id, row, key, signal).catch(nullIfExpired).then((blob) => [row, blob]);
    result.catch(() => {}); // the loop below throws the error of this request
    running.push(result);
    if (running.length === AT_ONCE) yield await running.shift();
  }
  for (const result of running) yield await result;
}

function nullIfExpired(failure) {
  if (failure.code !== "result_not_found") throw failure;
  return null;
}

async function* finishedRows(id, key, signal) {
  for await (const page of manifestPages(id, key, signal)) {
    for (const line of page.split("\n").filter(Boolean)) {
      const row = JSON.parse(line);
      if (row.result) yield row;
    }
  }
}

/** Return the path of a result in the ZIP: the photo's safe path, with the new extension. */
function pathOf(source, type) {
  const parts = source.split(/[/\\]/).filter((part) => !/^\.*$/.test(part));
  const stem = parts.join("/").replace(/[\u0000-\u001f:]/g, "_").replace(/\.[^./]*$/, "") || "photo";
  return `${stem}.${EXTENSIONS[type] ?? "png"}`;
}

function save(blob, fileName) {
  const url = URL.createObjectURL(blob);
  make("a", { href: url, download: fileName }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
