"""S3 on a free loopback port, as a context manager: moto behind a proxy.

moto stores objects as S3 does, but it does not check signatures, expiry or POST policies, and it
allows every preflight. The proxy follows these pages of S3's documentation:

- CORS: https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html
- POST: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
- signed queries: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html

The proxy computes signatures (Signature Version 4) itself, and uses only boto's canonical form of
URLs.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import io
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any
from unittest import mock
from urllib.parse import parse_qs

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.session import get_session
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from multipart import parse_form_data
from werkzeug.serving import make_server

from blur.storage.cors import CORS

BUCKET = "media"
REGION = "eu-central-1"
SECRET = "local"  # noqa: S105 - this text is not a secret
ENVIRON = {
    "AWS_DEFAULT_REGION": REGION,
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_EC2_METADATA_DISABLED": "true",
}

NEVER_CONDITIONS = {"policy", "x-amz-signature", "file"}
"""The fields of a form that are allowed without a condition in the form's policy."""

Environ = dict[str, Any]
App = Callable[[Environ, Any], Iterable[bytes]]


@dataclass
class Gate:
    """WSGI middleware that rejects requests as S3 does, and records all requests."""

    app: App
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """Method, path and headers (lower case) of all requests."""

    def __call__(self, environ: Environ, start: Any) -> Iterable[bytes]:  # noqa: ANN401 - a WSGI callable
        headers = {
            k[5:].replace("_", "-").lower(): v for k, v in environ.items() if k[:5] == "HTTP_"
        }
        method = environ["REQUEST_METHOD"]
        self.seen.append((method, environ["PATH_INFO"], headers))
        if method == "OPTIONS":
            return _preflight(headers, start)
        refusal = self._refusal(environ)
        allowed = cors_headers(headers.get("origin"), method, ())
        if refusal:
            start(f"403 {refusal}", [("Content-Type", "application/xml"), *allowed])
            return [f"<Error><Code>{refusal}</Code></Error>".encode()]
        return self.app(environ, lambda status, own, *rest: start(status, [*own, *allowed], *rest))

    def _refusal(self, environ: Environ) -> str | None:
        if environ["REQUEST_METHOD"] == "POST":
            return _refused_form(environ)
        if "X-Amz-Signature" in environ["QUERY_STRING"]:
            return _refused_query(environ)
        return None if "HTTP_AUTHORIZATION" in environ else "AccessDenied"


def cors_headers(
    origin: str | None, method: str, request_headers: Iterable[str]
) -> list[tuple[str, str]]:
    """Return the CORS headers of the first rule that matches, or an empty list."""
    for rule in CORS["CORSRules"]:
        patterns = [pattern.lower() for pattern in rule["AllowedHeaders"]]
        if (
            origin is not None
            and any(fnmatchcase(origin, pattern) for pattern in rule["AllowedOrigins"])
            and method in rule["AllowedMethods"]
            and all(
                any(fnmatchcase(name, pattern) for pattern in patterns) for name in request_headers
            )
        ):
            return [
                ("Access-Control-Allow-Origin", "*"),
                ("Access-Control-Allow-Methods", ", ".join(rule["AllowedMethods"])),
                ("Access-Control-Allow-Headers", ", ".join(request_headers)),
            ]
    return []


def _preflight(headers: Mapping[str, str], start: Any) -> list[bytes]:  # noqa: ANN401 - a WSGI callable
    header = headers.get("access-control-request-headers", "").lower()
    request_headers = [name.strip() for name in header.split(",") if name.strip()]
    method = headers.get("access-control-request-method", "")
    granted = cors_headers(headers.get("origin"), method, request_headers)
    start("200 OK" if granted else "403 Forbidden", [*granted, ("Content-Length", "0")])
    return []


def _refused_query(environ: Environ) -> str | None:
    query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    started = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if datetime.now(UTC) > started + timedelta(seconds=int(query["X-Amz-Expires"])):
        return "AccessDenied"
    rest = "&".join(p for p in environ["QUERY_STRING"].split("&") if "X-Amz-Signature=" not in p)
    url = f"http://{environ['HTTP_HOST']}{environ['PATH_INFO']}?{rest}"
    request = AWSRequest(environ["REQUEST_METHOD"], url, {"host": environ["HTTP_HOST"]})
    request.context["timestamp"] = query["X-Amz-Date"]
    signer = S3SigV4QueryAuth(Credentials("local", SECRET), "s3", REGION)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    right = _sign(query["X-Amz-Date"][:8], text)
    return None if hmac.compare_digest(right, query["X-Amz-Signature"]) else "SignatureDoesNotMatch"


def _refused_form(environ: Environ) -> str | None:
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    environ["wsgi.input"] = io.BytesIO(body)
    forms, files = parse_form_data({**environ, "wsgi.input": io.BytesIO(body)})
    environ["wsgi.input"] = io.BytesIO(body)
    fields = {name: forms[name] for name in forms}
    size = len(files["file"].raw) if "file" in files else len(fields.pop("file", "").encode())
    for name in files:
        files[name].close()  # the parser stores large files on disk
    policy = json.loads(base64.b64decode(fields["policy"]))
    signature = _sign(fields["x-amz-date"][:8], fields["policy"])
    if not hmac.compare_digest(signature, fields["x-amz-signature"]):
        return "SignatureDoesNotMatch"
    if datetime.now(UTC) > datetime.fromisoformat(policy["expiration"]):
        return "AccessDenied"
    conditions = policy["conditions"]
    if fields.keys() - NEVER_CONDITIONS - {_field_of(each) for each in conditions}:
        return "AccessDenied"
    return None if all(_holds(each, fields, size) for each in conditions) else "AccessDenied"


def _holds(condition: Any, fields: Mapping[str, str], size: int) -> bool:  # noqa: ANN401 - any JSON value
    if isinstance(condition, list):
        kind, first, second = condition
        if kind == "starts-with":
            return fields.get(_field_of(condition), "").startswith(second)
        return bool(kind == "content-length-range" and first <= size <= second)
    ((name, value),) = condition.items()
    return bool(name == "bucket" or fields.get(name) == value)


def _field_of(condition: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return the name of the form field to which a condition of the policy applies."""
    name = condition[1] if isinstance(condition, list) else next(iter(condition))
    return str(name).removeprefix("$")


def _sign(day: str, text: str) -> str:
    key = f"AWS4{SECRET}".encode()
    for part in (day, REGION, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class S3Server:
    """A server with one bucket, `media`."""

    gate: Gate
    url: str

    @property
    def environ(self) -> dict[str, str]:
        """The environment variables that make boto use only this server."""
        return {**ENVIRON, "AWS_ENDPOINT_URL_S3": self.url}

    def client(self) -> Any:  # noqa: ANN401 - botocore makes its clients' classes at run time
        """Return an S3 client that uses this server."""
        return get_session().create_client(
            "s3",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key=SECRET,
        )


@contextlib.contextmanager
def s3_server() -> Iterator[S3Server]:
    """Run moto behind the proxy in a thread of this process."""
    with mock.patch("moto.moto_server.werkzeug_app.DISABLE_GLOBAL_CORS", new=True):
        gate = Gate(DomainDispatcherApplication(create_backend_app))
        server = make_server("127.0.0.1", 0, gate, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        running = S3Server(gate, f"http://127.0.0.1:{server.server_port}")
        try:
            constraint = {"LocationConstraint": REGION}
            client = running.client()
            # All servers of moto in a process share their buckets.
            with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou):
                client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=constraint)
            yield running
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
