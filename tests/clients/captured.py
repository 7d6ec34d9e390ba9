"""The requests that remove.bg's clients send, byte for byte. The tests do not run these clients.

Each function builds the body that a client sends: the order of the fields, the headers of each
part, and the boundary. The details are from the source of the client and of the library that
encodes its forms.
"""

from __future__ import annotations

import json
import random
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import requests

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROUTE = "/v1.0/removebg"
HEX = string.hexdigits[:16]
UNUSED = [
    *("size", "type", "type_level", "format", "roi", "crop", "crop_margin", "scale", "position"),
    *("channels", "add_shadow", "semitransparency", "bg_color"),
]
"""The fields that remove-bg-cli sends in each request, in this order."""


@dataclass(frozen=True, slots=True)
class File:
    """A file on the client's disk."""

    name: str
    data: bytes


Part = tuple[list[str], bytes]
"""The headers and the content of one part of a multipart form."""


def command_line(url: str, key: str, photo: File, **options: str) -> requests.PreparedRequest:
    """Build the request of remove.bg's official command, remove-bg-cli 2.0.3.

    `lib/functions.js` sends every unused option as an empty field, after the file.
    superagent 6.1 and form-data 3.0 encode the form. `format` is `zip` if the user asks for a PNG.
    """
    fields = {name: options.get(name, "") for name in UNUSED}
    parts = [_typed_file("image_file", photo, "image/jpeg"), *map(_field, fields.items())]
    boundary = "-" * 26 + _random(24, HEX)
    headers = {"User-Agent": "remove-bg-cli-2.0.3", "Accept-Encoding": "gzip, deflate"}
    return _form(url, key, boundary, parts, headers)


def go(
    url: str, key: str, photo: File, *, background: File | None = None, **params: str
) -> requests.PreparedRequest:
    """Build the request of remove.bg's official command in Go, remove-bg/go.

    `client/client.go` attaches the files first, as `application/octet-stream`. The fields
    come from a map, in random order.
    """
    files = {"image_file": photo} | ({"bg_image_file": background} if background else {})
    binary = "application/octet-stream"
    fields = list(params.items())
    random.shuffle(fields)
    parts = [_typed_file(name, file, binary) for name, file in files.items()]
    headers = {"User-Agent": "remove-bg-go-1.4.0", "Accept-Encoding": "gzip"}
    boundary = _random(60, HEX)
    return _form(url, key, boundary, [*parts, *map(_field, fields)], headers)


def ruby_file(
    url: str, key: str, photo: File, kind: str = "image/jpeg", **options: str
) -> requests.PreparedRequest:
    """Build the request of the official Ruby gem, remove_bg 2.2.1, for a file.

    `lib/remove_bg/request_options.rb` adds `size=auto`. faraday-multipart and multipart-post add
    `Content-Length` and `Content-Transfer-Encoding` to the headers of the form's part for the file.
    """
    head = [
        f'Content-Disposition: form-data; name="image_file"; filename="{photo.name}"',
        f"Content-Length: {len(photo.data)}",
        f"Content-Type: {kind}",
        "Content-Transfer-Encoding: binary",
    ]
    fields = {**options, "size": options.get("size", "auto")}
    boundary = "-----------RubyMultipartPost-" + _random(32, HEX)
    return _form(url, key, boundary, [*map(_field, fields.items()), (head, photo.data)], RUBY)


def ruby_url(url: str, key: str, image_url: str, **options: str) -> requests.PreparedRequest:
    """Build the Ruby gem's request for an image URL: a urlencoded form with sorted fields."""
    fields = {**options, "size": options.get("size", "auto"), "image_url": image_url}
    return _urlencoded(url, key, sorted(fields.items()), RUBY)


RUBY = {
    "User-Agent": "remove-bg-ruby-2.2.1",
    "Accept-Encoding": "gzip;q=1.0,deflate;q=0.6,identity;q=0.3",
    "Accept": "*/*",
}


def php_file(url: str, key: str, photo: File, **body: str | bool) -> requests.PreparedRequest:
    """Build the request of the PHP package mtownsend/remove-bg for a file.

    `src/RemoveBg.php` gives every file a name with `.png`; Guzzle 7 derives the part's type from
    that name, sends `true` as 1 and `false` as an empty text, and gives each part a
    `Content-Length`.
    """
    name = photo.name.split(".", 1)[0] + ".png"
    head = [
        f'Content-Disposition: form-data; name="image_file"; filename="{name}"',
        f"Content-Length: {len(photo.data)}",
        "Content-Type: image/png",
    ]
    parts: list[Part] = [(head, photo.data)]
    for field, value in body.items():
        text = _php_text(value).encode()
        length = [f"Content-Length: {len(text)}"] if text else []
        parts.append(([f'Content-Disposition: form-data; name="{field}"', *length], text))
    return _form(url, key, _random(40, HEX), parts, PHP)


def php_base64(url: str, key: str, encoded: str, **body: str | bool) -> requests.PreparedRequest:
    """Build the PHP package's request for a photo in base64, encoded with `http_build_query`."""
    values = {name: str(int(v)) if isinstance(v, bool) else v for name, v in body.items()}
    fields = {"image_file_b64": encoded, **values}
    return _urlencoded(url, key, fields.items(), {**PHP, "Accept": "application/json"})


PHP = {"User-Agent": "Mtownsend/RemoveBg (github.com/mtownsend5512/remove-bg)"}


def brilam(
    url: str, key: str, photo: File, *, crop: str | None = None, **options: str
) -> requests.PreparedRequest:
    """Build the request of the Python client brilam/remove-bg, in a revision after version 0.04.

    `removebg/removebg.py` sends every option, with these defaults. `requests` omits an
    option that is None.
    """
    data = {
        "size": "regular",
        "type": "auto",
        "type_level": "none",
        "format": "auto",
        "roi": "0 0 100% 100%",
        "crop": "true" if crop else "false",
        "crop_margin": crop,
        "scale": "original",
        "position": "original",
        "channels": "rgba",
        "add_shadow": "false",
        "semitransparency": "true",
        **options,
    }
    files = {"image_file": (photo.name, photo.data)}
    headers = {**requests.utils.default_headers(), "X-Api-Key": key}
    return requests.Request("POST", url + ROUTE, headers, files, data).prepare()


def axios(url: str, key: str, photo: File, **fields: str) -> requests.PreparedRequest:
    """Build the request of remove.bg's own sample for Node.js: axios with form-data.

    axios sends this `Accept` with all requests, even if the sample expects an image.
    """
    parts = [*map(_field, fields.items()), _typed_file("image_file", photo, "image/jpeg")]
    headers = {"Accept": "application/json, text/plain, */*", "User-Agent": "axios/1.7.2"}
    return _form(url, key, "-" * 26 + _random(24, HEX), parts, headers)


def pipedream(
    url: str, key: str, fields: Mapping[str, str | bool | None]
) -> requests.PreparedRequest:
    """Build the request of Pipedream's action, `remove-background.mjs`: axios sends JSON.

    Pipedream's action requires `image_url`, so users who send base64 also send an empty
    `image_url`.
    """
    present = {"image_url": "", **{n: value for n, value in fields.items() if value is not None}}
    body = json.dumps(present, separators=(",", ":"), ensure_ascii=False).encode()
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    return _request(url, {"X-API-Key": key, **headers}, body)


def _field(field: tuple[str, str]) -> Part:
    name, value = field
    return [f'Content-Disposition: form-data; name="{name}"'], value.encode()


def _typed_file(name: str, file: File, kind: str) -> Part:
    disposition = f'Content-Disposition: form-data; name="{name}"; filename="{file.name}"'
    return [disposition, f"Content-Type: {kind}"], file.data


def _form(
    url: str, key: str, boundary: str, parts: Iterable[Part], headers: Mapping[str, str]
) -> requests.PreparedRequest:
    body = b"".join(
        f"--{boundary}\r\n".encode() + "\r\n".join(head).encode() + b"\r\n\r\n" + content + b"\r\n"
        for head, content in parts
    )
    kind = f"multipart/form-data; boundary={boundary}"
    sent = {"X-Api-Key": key, **headers, "Content-Type": kind}
    return _request(url, sent, body + f"--{boundary}--\r\n".encode())


def _urlencoded(
    url: str, key: str, fields: Iterable[tuple[str, str]], headers: Mapping[str, str]
) -> requests.PreparedRequest:
    kind = "application/x-www-form-urlencoded"
    sent = {"X-Api-Key": key, **headers, "Content-Type": kind}
    return _request(url, sent, urlencode(list(fields)).encode())


def _request(url: str, headers: Mapping[str, str], body: bytes) -> requests.PreparedRequest:
    return requests.Request("POST", url + ROUTE, dict(headers), data=body).prepare()


def _php_text(value: str | bool) -> str:  # noqa: FBT001 - a PHP value can be a boolean
    """Return a value as PHP converts it to text."""
    return ("1" if value else "") if isinstance(value, bool) else value


def _random(count: int, letters: str) -> str:
    return "".join(random.choices(letters, k=count))
