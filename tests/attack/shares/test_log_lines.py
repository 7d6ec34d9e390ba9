"""Each response has exactly one line in the log, even if the request is invalid."""

from __future__ import annotations

import json
import time

from tests.attack.raw_http import everything, head, replies
from tests.attack.shares.shared_server import CLOSE, Served, photo_head, unknown_key


def test_each_response_has_exactly_one_log_line(served: Served) -> None:
    asked = {
        "bad HTTP": b"GET /health HTTP/9.9x\r\n\r\n",
        "unknown method": head("Connection: close", method="BREW" * 15_000),
        "no route": head("Connection: close", method="GET", target="/nowhere"),
        "no key": head("Connection: close", "Content-Length: 0"),
        "unknown key": photo_head(unknown_key(), "Connection: close", "Content-Length: 0"),
        "upload without a form": head(
            "Connection: close", "Content-Length: 0", target="/media/uploads"
        ),
        "no form": photo_head(served.key, "Connection: close", "Content-Length: 0"),
        "account": head(
            f"ApiKey: {served.key}", "Connection: close", method="GET", target="/v2/account"
        ),
    }
    slashes = {"target": "/v2/account" + "/" * 50_000}
    asked["many slashes"] = head(f"ApiKey: {served.key}", CLOSE, method="GET", **slashes)
    chunked = {
        "no route": {"method": "POST", "target": "/nowhere"},
        "page": {"method": "GET", "target": "/"},
        "account": {"method": "GET", "target": "/v2/account"},
        "one-time code": {"method": "POST", "target": "/key-link"},
        "upload": {"method": "POST", "target": "/media/uploads"},
        "photo": {"method": "POST", "target": "/v2/rembg/blur"},
    }
    for name, request in chunked.items():
        fields = (f"ApiKey: {served.key}", "Transfer-Encoding: chunked")
        asked[f"bad chunk, {name}"] = head(*fields, **request) + b"5\r\nhello\r\nzz\r\n"
    for name, sent in asked.items():
        before = len(served.log())
        with served.connect() as client:
            client.sendall(sent)
            (reply,) = replies(everything(client))
        request_id = reply.headers["x-request-id"]
        found = [line for line in served.log() if line.get("request_id") == request_id]
        time.sleep(0.1)  # wait for a possible second line, which would have another id
        assert len(served.log()) == before + 1, name
        assert len(found) == 1, name
        assert found[0]["status"] == reply.status, name
        assert len(json.dumps(found[0])) < 1_000, name


def test_a_bad_chunk_after_the_response_gets_no_second_response(served: Served) -> None:
    sent = head(f"ApiKey: {served.key}", "Transfer-Encoding: chunked", target="/v2/rembg/blur")
    before = len(served.log())
    with served.connect() as client:
        client.sendall(sent + b"5\r\nhello\r\n")
        time.sleep(0.05)
        client.sendall(b"zz\r\n")
        found = replies(everything(client))
    assert len(found) == 1
    assert [line["status"] for line in served.log()[before:]] == [found[0].status]
