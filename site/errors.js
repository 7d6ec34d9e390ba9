// The texts for each error: on the page, and in the reference for developers.

/**
 * The page's text for each error: the problem and the remedy. If an entry has no remedy, the page
 * shows the API's message after the problem. If the remedy is empty, the page shows no text after the
 * problem; a countdown or a button can follow.
 */
const MESSAGES = {
  invalid_image: ["This file cannot be read as a photo.", "Choose a complete JPEG, PNG, WebP, BMP, GIF, TIFF, HEIC or AVIF file."],
  invalid_api_key: ["This key is not valid.", "Check it for missing characters, or ask the operator whether it was revoked or has expired."],
  insufficient_credits: ["This account has too few credits.", "Ask the operator to add credits."],
  image_too_large: ["This photo is too large."],
  no_subject: ["No subject was found in this photo.", "Choose a photo that shows a person, an animal or an object in front of a background, or choose the subject yourself."],
  rate_limit_exceeded: ["Too many photos in a short time.", ""],
  internal_error: ["The service failed to process this photo.", ""],
  overloaded: ["The service is busy.", ""],
  temporarily_unavailable: ["The service is not available right now.", ""],
  unreachable: ["The service cannot be reached.", "Check your network connection."],
  idempotency_in_progress: ["The first request for this photo is still running.", ""],
  job_not_found: ["No job with this id was found for this key, or the job has expired.", "Use a key of the job's account, or remove the job from this page."],
  job_closed: ["No photo can be added to this job any more.", ""],
  results_expired: ["The download is not complete: some results have expired.", "Results are kept for 7 days."],
  no_photos: ["There is no photo in this folder.", "Choose a folder with JPEG, PNG, WebP, BMP, GIF, TIFF, HEIC or AVIF files. Earlier results are skipped."],
  no_key: ["Enter an API key first.", ""],
  no_photo: ["This file is not a photo.", "Choose a JPEG, PNG, WebP, BMP, GIF, TIFF, HEIC or AVIF file."],
  link_expired: ["This link was used before or has expired.", "Enter the key instead."],
};

/** Errors that the photo's file causes: with other settings, the same error occurs. */
const FILE_ERRORS = new Set(["invalid_image", "image_too_large"]);

/** Whether a failed photo would get the same error again with these blur options. */
export function isPermanent(failure, { subject, roi }) {
  if (failure?.code !== "no_subject") return FILE_ERRORS.has(failure?.code);
  return failure.options.subject === subject && failure.options.roi === roi;
}

/** Return the problem and the remedy; for an error that is not in `MESSAGES`, the API's message. */
export function explain({ code, message }) {
  const [problem, remedy = message] = MESSAGES[code] ?? [message, ""];
  return [problem, remedy].filter(Boolean);
}

/** The remedy for each code of the API, for developers; the reference lists the remedies. */
export const REMEDIES = {
  invalid_image: "Send a complete JPEG, PNG, WebP, BMP, GIF, TIFF, HEIC or AVIF file. Open it in an image viewer first to check it.",
  invalid_request: "The message names the field, parameter or header. Send a photo as multipart/form-data with one `image` (or `upload_id`), and let your HTTP client write the Content-Type header with its boundary.",
  invalid_radius: "Send `radius` once, as a whole number from 0 to 50 or a percentage from 0.1% to 5%.",
  invalid_depth: "Send `depth` as flat or ground, or leave it out.",
  invalid_subject: "Send `subject` as auto or person, or leave it out. Some servers have no model for people.",
  invalid_roi: "Send `roi` as four values, such as 0% 0% 50% 100%, or leave it out.",
  roi_exceeds_bounds: "Send a region within the upright image, or use percent.",
  roi_region_empty: "Send the left, top, right and bottom of the region, in this order.",
  invalid_mode: "Send `mode` as background or cutout, or leave it out.",
  invalid_blur: "Send `blur` as gaussian or bokeh, or leave it out.",
  invalid_format: "Send `format` as png, jpeg, webp or avif, or leave it out. For very large pictures use png.",
  invalid_quality: "Send `quality` as a whole number from 1 to 100, or leave it out.",
  invalid_content_type: "Send the media type of the photo, such as image/jpeg.",
  invalid_bytes: "Send the size of the file in bytes, as a whole number.",
  invalid_notify: "Send an http or https URL with a public host and port 80 or 443, or leave `notify` out.",
  invalid_idempotency_key: "Send 1 to 255 visible ASCII characters, such as a UUID.",
  invalid_api_key: "Check the ApiKey header for missing characters and spaces. Ask the operator whether the key was revoked or has expired.",
  insufficient_credits: "Ask the operator to add credits to the account. `GET /v2/account` shows the balance.",
  not_found: "Check the path; the routes are listed on this page.",
  upload_not_found: "Request a new upload and send the file again. An upload is kept for a day and belongs to the key that requested it.",
  job_not_found: "Check the job's id, and use a key of the account that created the job. A job is kept for 30 days.",
  job_closed: "Create another job for more photos.",
  too_many_jobs: "Close or cancel jobs of the account, or wait until some have ended.",
  result_not_found: "Use the URLs in the manifest of the job. Results are kept for 7 days.",
  method_not_allowed: "Use one of the methods in the Allow header.",
  idempotency_conflict: "Use a new Idempotency-Key for a different photo or different parameters.",
  idempotency_in_progress: "Wait `retry_after` seconds and send the same call again; it is charged once.",
  image_too_large: "If the photo has too many pixels, scale it down. If the request is too large, send the file with `POST /v2/uploads`.",
  no_subject: "Send a photo that shows a person, an animal or an object in front of a background. With `subject=person` only people are found, and with `roi` only subjects in this region.",
  rate_limit_exceeded: "Wait `retry_after` seconds and send the call again. The RateLimit header shows the remaining requests.",
  internal_error: "Send the call again with the same Idempotency-Key; it is charged at most once. Report the `request_id` if it happens again.",
  temporarily_unavailable: "Wait `retry_after` seconds and send the call again.",
  overloaded: "Wait `retry_after` seconds and send the call again, or send fewer photos at the same time.",
};
