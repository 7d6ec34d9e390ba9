// Calls to the API, with uploads and retries. They use XMLHttpRequest, because fetch() does not report the progress of
// an upload.

import { absoluteUrl } from "./dom.js";

const UPLOAD_ABOVE_BYTES = 4_000_000; // in base64, larger photos can exceed Lambda's limit of 6 MB
const KNOWN_TYPES = new Set([
  "image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/tiff",
  "image/heic", "image/heif", "image/avif",
]);
const TYPES_BY_EXTENSION = {
  jpg: "image/jpeg", jpeg: "image/jpeg", png: "image/png", webp: "image/webp", gif: "image/gif",
  bmp: "image/bmp", tif: "image/tiff", tiff: "image/tiff", heic: "image/heic", heif: "image/heif",
  avif: "image/avif",
};

export class Failure extends Error {
  /** `isFree`: the response states that nothing was charged. */
  constructor(code, message, details = {}) {
    super(message);
    Object.assign(this, { requestId: null, retryAfter: null, status: 0, isFree: false }, details, { code });
  }
}

/** A photo, its uploads, and its calls that have no result yet. */
export class Photo {
  constructor(file) {
    this.file = file;
    this.uploads = new Map(); // the upload id for each API key
    // Calls without a result, by key and options. `id` is the Idempotency-Key; `isUnsure` is true
    // if the call was possibly charged, because a response did not state that it was free.
    this.attempts = new Map();
  }

  get contentType() {
    if (KNOWN_TYPES.has(this.file.type)) return this.file.type;
    return TYPES_BY_EXTENSION[this.file.name.toLowerCase().split(".").pop()] ?? "image/jpeg";
  }
}

export async function account(key) {
  const response = await send("GET", "v2/account", { headers: { ApiKey: key } });
  return JSON.parse(await response.body.text());
}

/** Exchange a link's one-time code for an API key; only the embedded server issues such codes. */
export async function exchangeCode(code) {
  try {
    const response = await send("POST", "key-link", { body: JSON.stringify({ code }) });
    return JSON.parse(await response.body.text()).key;
  } catch (failure) {
    throw failure.status === 404 ? new Failure("link_expired", failure.message) : failure;
  }
}

/**
 * Blur a photo. `hooks` has `signal`, which can cancel the call, and three functions that are called
 * with the progress: `onUpload(share)`, `onBlur()` and `onReceive(share, isPaid)`. `share` is the
 * transferred part of the bytes, from 0 to 1, or null if the total is unknown.
 */
export async function blur(photo, options, key, hooks) {
  try {
    return await blurOnce(photo, options, key, hooks);
  } catch (failure) {
    // The response of an earlier attempt can be lost after the photo was charged. So a later response
    // does not prove that nothing was charged.
    if (photo.attempts.get(attemptName(key, options))?.isUnsure) failure.isFree = false;
    throw failure;
  }
}

const attemptName = (key, options) => JSON.stringify([key, options]);

async function blurOnce(photo, options, key, hooks) {
  try {
    return await sendForm(await photoField(photo, key, hooks), photo, options, key, hooks);
  } catch (failure) {
    if (failure.code === "upload_not_found") {
      photo.uploads.delete(key); // uploads expire after a day
      return sendForm(await photoField(photo, key, hooks), photo, options, key, hooks);
    }
    if (failure.status !== 413 || photo.uploads.has(key)) throw failure;
    const uploadId = await upload(photo, key, hooks);
    if (!uploadId) throw failure;
    return sendForm(["upload_id", uploadId], photo, options, key, hooks);
  }
}

async function photoField(photo, key, hooks) {
  const uploadId = photo.file.size > UPLOAD_ABOVE_BYTES && (await upload(photo, key, hooks));
  return uploadId ? ["upload_id", uploadId] : ["image", photo.file];
}

async function sendForm([field, value], photo, options, key, hooks) {
  const form = new FormData();
  for (const [name, text] of Object.entries(options)) form.append(name, text);
  form.append(field, value);
  const name = attemptName(key, options);
  if (!photo.attempts.has(name)) photo.attempts.set(name, { id: randomText(), isUnsure: false });
  const attempt = photo.attempts.get(name);
  const started = performance.now();
  try {
    const response = await send("POST", "v2/rembg/blur/", {
      headers: { ApiKey: key, "Idempotency-Key": attempt.id },
      body: form,
      ...hooks,
    });
    photo.attempts.delete(name);
    return parseResult(response, performance.now() - started);
  } catch (failure) {
    attempt.isUnsure ||= !failure.isFree;
    if (!attempt.isUnsure) photo.attempts.delete(name);
    throw failure;
  }
}

/** Upload the photo. Return the upload's id, or null if the service accepts no uploads. */
async function upload(photo, key, hooks) {
  if (photo.uploads.has(key)) return photo.uploads.get(key);
  const presigned = await presignUpload(photo, key, hooks);
  if (!presigned) return null;
  const form = new FormData();
  for (const [name, value] of Object.entries(presigned.fields)) form.append(name, value);
  form.append("file", photo.file);
  await send("POST", storageUrl(presigned.url), { body: form, onUpload: hooks.onUpload, signal: hooks.signal });
  photo.uploads.set(key, presigned.upload_id);
  return presigned.upload_id;
}

/** Make a form's URL absolute; if its host is the page's host, also use the page's protocol. */
export function storageUrl(url) {
  const target = new URL(url, absoluteUrl("v2/uploads"));
  if (target.host === location.host) target.protocol = location.protocol;
  return target.href;
}

async function presignUpload(photo, key, { signal }) {
  const declared = { content_type: photo.contentType, bytes: photo.file.size };
  const headers = { ApiKey: key, "Content-Type": "application/json" };
  try {
    const body = JSON.stringify(declared);
    const response = await send("POST", "v2/uploads", { headers, body, signal });
    return JSON.parse(await response.body.text());
  } catch (failure) {
    if (failure.code === "not_found") return null;
    throw failure;
  }
}

export function send(method, path, { headers = {}, body = null, onUpload, onBlur, onReceive, signal } = {}) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(new Failure("cancelled", "Cancelled."));
    const call = new XMLHttpRequest();
    const header = (name) => call.getResponseHeader(name);
    call.open(method, absoluteUrl(path));
    call.responseType = "blob";
    for (const [name, value] of Object.entries(headers)) call.setRequestHeader(name, value);
    if (onUpload) call.upload.onprogress = (event) => onUpload(event.loaded / event.total);
    if (onBlur) call.upload.onload = () => onBlur();
    if (onReceive) {
      call.onprogress = (event) => {
        if (call.status >= 300) return;
        onReceive(event.lengthComputable ? event.loaded / event.total : null, header("X-Credits-Charged") !== null);
      };
    }
    call.onerror = () => reject(new Failure("unreachable", "The service cannot be reached."));
    call.onabort = () => reject(new Failure("cancelled", "Cancelled."));
    call.onload = () => {
      const response = { status: call.status, body: call.response, header };
      if (call.status < 300) resolve(response);
      else parseFailure(response).then(reject);
    };
    const abort = () => call.abort();
    call.onloadend = () => signal?.removeEventListener("abort", abort); // the listener would keep the response in memory
    signal?.addEventListener("abort", abort);
    call.send(body);
  });
}

async function parseFailure({ status, body, header }) {
  const isFree = header("X-Credits-Charged") === "0";
  try {
    const { error } = JSON.parse(await body.text());
    const { code, message, request_id: requestId, retry_after: retryAfter } = error;
    return new Failure(code, message, { requestId, retryAfter, status, isFree });
  } catch {
    const requestId = header("X-Request-Id");
    return new Failure("unexpected", `The service responded with status ${status}.`, { requestId, status, isFree });
  }
}

/** The fields of a result. `charged` is null if a bucket sent the result, or if the charge is not confirmed. */
function parseResult({ body, header }, tookMs) {
  const number = (name) => (header(name) === null ? null : Number(header(name)));
  return {
    blob: body,
    tookMs,
    timing: parseServerTiming(header("Server-Timing")),
    depth: header("X-Depth"),
    charged: number("X-Credits-Charged"),
    creditsLeft: number("X-Credits-Remaining"),
  };
}

/** Return the milliseconds in a Server-Timing header, by the names of the steps. */
export function parseServerTiming(field) {
  const entries = (field ?? "").matchAll(/([a-z]+);dur=([\d.]+)/g);
  return Object.fromEntries(Array.from(entries, ([, name, ms]) => [name, Number(ms)]));
}

function randomText() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
