"""Which pages a browser lets read the bucket: the CORS configuration, as PutBucketCors has it.

A page's fetch() that the API redirects (303) arrives here as GET. It has `Origin: null` where
the API was another origin than the page already, and the headers that the page set itself:
the browser drops the body's own and `Authorization`, no others, and asks by a preflight first
(https://fetch.spec.whatwg.org/#http-redirect-fetch). Any origin is safe to allow, since no
cookie opens an object, only its link does.

A page that shows how far its upload has come listens to it, and listening asks for a preflight
of the form's POST (https://xhr.spec.whatwg.org/#the-send()-method); what may be posted is the
form's signed policy's to say.
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
