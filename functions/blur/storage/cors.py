"""The bucket's CORS configuration, in the format of PutBucketCors.

When the API redirects (303) a page's fetch(), the browser sends a GET to the bucket. If the API and
the page have different origins, the GET has `Origin: null`. The GET keeps the headers that the page
set, except `Authorization` and the body's headers, so the browser sends a preflight first
(https://fetch.spec.whatwg.org/#http-redirect-fetch). Every origin is allowed: access needs a signed
link, not a cookie.

A progress listener on an upload causes a preflight before the form's POST
(https://xhr.spec.whatwg.org/#the-send()-method). The form's signed policy limits the upload.
"""

from __future__ import annotations

from typing import Any

CORS: dict[str, Any] = {
    "CORSRules": [
        {
            "AllowedOrigins": ["*"],
            "AllowedMethods": ["GET", "POST"],
            "AllowedHeaders": ["ApiKey", "Idempotency-Key"],
            "MaxAgeSeconds": 3600,
        }
    ]
}
