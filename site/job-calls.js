// The calls of bulk jobs: create a job, upload its photos, and read its state and results.

import { Failure, send, storageUrl } from "./calls.js";
import { formatBytes } from "./dom.js";

const ATTEMPTS = 6;
const RESULT_PATH = /\/v2\/jobs\/[^/]+\/results\/([^/?#]+)/;
const PAGE_ROWS = 1000;

/** Whether this server has bulk jobs. */
export const hasJobs = () => document.querySelector("meta[name=jobs]").content === "yes";

export const createJob = (options, key) => call("POST", "v2/jobs", key, options);
export const readJob = (id, key, after) => call("GET", pathOf(id) + (after ? `?after=${encodeURIComponent(after)}` : ""), key);
export const closeJob = (id, key, signal) => withRetries(() => call("POST", `${pathOf(id)}/close`, key), signal);
export const cancelJob = (id, key) => call("DELETE", pathOf(id), key);

const pathOf = (id) => `v2/jobs/${encodeURIComponent(id)}`;

async function call(method, path, key, json) {
  const headers = { ApiKey: key, ...(json && { "Content-Type": "application/json" }) };
  const response = await send(method, path, { headers, body: json && JSON.stringify(json) });
  return JSON.parse(await response.body.text());
}

/** Uploads photos with the job's form, and gets a new form when the form has expired. */
export class Uploads {
  constructor(job, key, signal) {
    Object.assign(this, { id: job.job_id, form: job.upload, key, signal });
  }

  /** Upload one photo; after a temporary failure, wait and try again. */
  upload(photo) {
    return withRetries(async () => {
      const { form } = this;
      try {
        return await this.#send(form, photo);
      } catch (failure) {
        if (!isExpired(failure)) throw failure;
        await this.#renew(form);
        return this.#send(this.form, photo);
      }
    }, this.signal);
  }

  async #send({ url, fields, prefix, max_bytes: maxBytes }, { source, file }) {
    if (file.size > maxBytes) {
      throw new Failure("image_too_large", `A photo can have at most ${formatBytes(maxBytes)}.`, { status: 413 });
    }
    const form = new FormData();
    for (const [name, value] of Object.entries({ ...fields, key: prefix + source })) form.append(name, value);
    form.append("file", file);
    await send("POST", storageUrl(url), { body: form, signal: this.signal });
  }

  async #renew(expired) {
    if (this.form !== expired) return; // another upload has already requested a new form
    const job = await readJob(this.id, this.key);
    if (!job.upload) throw new Failure("job_closed", "No photo can be added to this job any more.", { status: 409 });
    this.form = job.upload;
  }
}

const isExpired = ({ code, status }) => code === "upload_not_found" || (code === "unexpected" && status === 403);
const isRetryable = ({ code, status }) => code === "unreachable" || code === "idempotency_in_progress" || status === 429 || status >= 500;

/** Whether an error concerns only one photo: it is too large, arrives too slowly, or its name is not accepted. */
export const isOfPhoto = ({ status }) => status === 400 || status === 413;

/** Call a function; after a temporary failure, wait and call it again. */
async function withRetries(run, signal) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (failure) {
      if (!isRetryable(failure) || attempt === ATTEMPTS) throw failure;
      await pause((failure.retryAfter ?? 0) + 2 ** (attempt - 1), signal);
    }
  }
}

/** Wait for this number of seconds, or until the signal is aborted. */
export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new Failure("cancelled", "Cancelled."));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, seconds * 1000);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Yield the pages of the manifest as texts of JSON lines. */
export async function* manifestPages(id, key, signal) {
  let query = `limit=${PAGE_ROWS}`;
  while (query) {
    const path = `${pathOf(id)}/manifest?${query}`;
    const response = await withRetries(() => send("GET", path, { headers: { ApiKey: key }, signal }), signal);
    yield await response.body.text();
    query = response.header("Link")?.match(/\?([^>]*)>;\s*rel="?next/)?.[1];
  }
}

/** Return the result that a row of the manifest names, as a blob. Links to other hosts get no key. */
export async function fetchResult(id, { result }, key, signal) {
  const [, objectId] = result.match(RESULT_PATH) ?? [];
  const request = objectId
    ? ["GET", `${pathOf(id)}/results/${objectId}`, { headers: { ApiKey: key }, signal }]
    : ["GET", storageUrl(result), { signal }];
  return (await withRetries(() => send(...request), signal)).body;
}
