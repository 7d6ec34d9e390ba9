// The API's calls. XMLHttpRequest sends them, because fetch() does not report upload progress.

import { here } from "./dom.js";

const DIRECT_BYTES = 4_000_000; // this size fits into Lambda's 6 MB, also in base64
const KNOWN_TYPES = new Set([
  "image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/tiff",
  "image/heic", "image/heif", "image/avif",
]);
const TYPES_BY_ENDING = {
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

/** A photo, its upload and its calls without a result. */
export class Photo {
  constructor(file) {
    this.file = file;
    this.uploads = new Map(); // by key
    // Calls without a result, by key and recipe: `id` is the Idempotency-Key, and `isUnsure` is true
    // after a response that did not state that nothing was charged.
    this.attempts = new Map();
  }

  get contentType() {
    if (KNOWN_TYPES.has(this.file.type)) return this.file.type;
    return TYPES_BY_ENDING[this.file.name.toLowerCase().split(".").pop()] ?? "image/jpeg";
  }
}

export async function account(key) {
  const answer = await send("GET", "v2/account", { headers: { ApiKey: key } });
  return JSON.parse(await answer.body.text());
}

/** Exchange a link's one-time code for its key; only a server on one machine has such codes. */
export async function keyOf(code) {
  try {
    const answer = await send("POST", "key-link", { body: JSON.stringify({ code }) });
    return JSON.parse(await answer.body.text()).key;
  } catch (failure) {
    throw failure.status ? new Failure("link_expired", failure.message) : failure;
  }
}

/**
 * Blur a photo. `hooks` are the caller's: `signal` to cancel, and for its progress
 * `onUpload(share)`, `onBlur()` and `onReceive(share, isPaid)`; a share of null is unknown.
 */
export async function blur(photo, recipe, key, hooks) {
  try {
    return await blurOnce(photo, recipe, key, hooks);
  } catch (failure) {
    // This response can be free although an earlier call, whose response was lost, was charged.
    if (photo.attempts.get(attemptOf(key, recipe))?.isUnsure) failure.isFree = false;
    throw failure;
  }
}

const attemptOf = (key, recipe) => JSON.stringify([key, recipe]);

async function blurOnce(photo, recipe, key, hooks) {
  try {
    return await blurBy(await wayOf(photo, key, hooks), photo, recipe, key, hooks);
  } catch (failure) {
    if (failure.code === "upload_not_found") {
      photo.uploads.delete(key); // uploads expire after a day
      return blurBy(await wayOf(photo, key, hooks), photo, recipe, key, hooks);
    }
    if (failure.status !== 413 || photo.uploads.has(key)) throw failure;
    const upload = await uploaded(photo, key, hooks);
    if (!upload) throw failure;
    return blurBy(["upload_id", upload], photo, recipe, key, hooks);
  }
}

async function wayOf(photo, key, hooks) {
  const upload = photo.file.size > DIRECT_BYTES && (await uploaded(photo, key, hooks));
  return upload ? ["upload_id", upload] : ["image", photo.file];
}

async function blurBy([field, value], photo, recipe, key, hooks) {
  const form = new FormData();
  for (const [name, text] of Object.entries(recipe)) form.append(name, text);
  form.append(field, value);
  const name = attemptOf(key, recipe);
  if (!photo.attempts.has(name)) photo.attempts.set(name, { id: randomText(), isUnsure: false });
  const attempt = photo.attempts.get(name);
  const started = performance.now();
  try {
    const answer = await send("POST", "v2/rembg/blur/", {
      headers: { ApiKey: key, "Idempotency-Key": attempt.id },
      body: form,
      ...hooks,
    });
    photo.attempts.delete(name);
    return picture(answer, performance.now() - started);
  } catch (failure) {
    attempt.isUnsure ||= !failure.isFree;
    if (!attempt.isUnsure) photo.attempts.delete(name);
    throw failure;
  }
}

/** Return the id of the uploaded photo, or null if the service has no uploads. */
async function uploaded(photo, key, hooks) {
  if (photo.uploads.has(key)) return photo.uploads.get(key);
  const offer = await offered(photo, key, hooks);
  if (!offer) return null;
  const form = new FormData();
  for (const [name, value] of Object.entries(offer.fields)) form.append(name, value);
  form.append("file", photo.file);
  await send("POST", reached(offer.url), { body: form, onUpload: hooks.onUpload, signal: hooks.signal });
  photo.uploads.set(key, offer.upload_id);
  return offer.upload_id;
}

/** A form's URL can be relative to the API; a URL on this host uses the page's own protocol. */
function reached(url) {
  const target = new URL(url, here("v2/uploads"));
  if (target.host === location.host) target.protocol = location.protocol;
  return target.href;
}

async function offered(photo, key, { signal }) {
  const wanted = { content_type: photo.contentType, bytes: photo.file.size };
  const headers = { ApiKey: key, "Content-Type": "application/json" };
  try {
    const body = JSON.stringify(wanted);
    const answer = await send("POST", "v2/uploads", { headers, body, signal });
    return JSON.parse(await answer.body.text());
  } catch (failure) {
    if (failure.code === "not_found") return null;
    throw failure;
  }
}

function send(method, path, { headers = {}, body = null, onUpload, onBlur, onReceive, signal } = {}) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(new Failure("cancelled", "Cancelled."));
    const call = new XMLHttpRequest();
    const header = (name) => call.getResponseHeader(name);
    call.open(method, here(path));
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
      const answer = { status: call.status, body: call.response, header };
      if (call.status < 300) resolve(answer);
      else failureOf(answer).then(reject);
    };
    signal?.addEventListener("abort", () => call.abort());
    call.send(body);
  });
}

async function failureOf({ status, body, header }) {
  const isFree = header("X-Credits-Charged") === "0";
  try {
    const { error } = JSON.parse(await body.text());
    const { code, message, request_id: requestId, retry_after: retryAfter } = error;
    return new Failure(code, message, { requestId, retryAfter, status, isFree });
  } catch {
    const requestId = header("X-Request-Id");
    return new Failure("unexpected", `The service answered with status ${status}.`, { requestId, status, isFree });
  }
}

/** Read a response. A response from a bucket, or one without a confirmed charge, has no credits. */
function picture({ body, header }, tookMs) {
  const number = (name) => (header(name) === null ? null : Number(header(name)));
  return {
    blob: body,
    tookMs,
    timing: spansOf(header("Server-Timing")),
    charged: number("X-Credits-Charged"),
    creditsLeft: number("X-Credits-Remaining"),
  };
}

/** Read a Server-Timing field into names and milliseconds. */
export function spansOf(field) {
  const entries = (field ?? "").matchAll(/([a-z]+);dur=([\d.]+)/g);
  return Object.fromEntries(Array.from(entries, ([, name, ms]) => [name, Number(ms)]));
}

function randomText() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
