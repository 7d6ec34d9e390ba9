"""Requests with a form for the blur route."""

from __future__ import annotations

from blur.api.request import HttpRequest

MOST = 1_000
FORM = (("image", "bytes"), ("radius", "7"))


def request(
    *fields: tuple[str, str | bytes], body: bytes | None = None, **headers: str
) -> HttpRequest:
    """Return a request with a form of these fields, in this order."""
    parts = [
        b'--X\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
        % (name.encode(), value.encode() if isinstance(value, str) else value)
        for name, value in fields
    ]
    raw = b"".join(parts) + b"--X--\r\n" if body is None else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    all_headers = {"content-type": "multipart/form-data; boundary=X", **named}
    return HttpRequest("POST", "/", all_headers, "req_1", raw.decode("latin-1"), False, 1, "/")  # noqa: FBT003
