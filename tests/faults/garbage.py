"""Faulty responses of an AWS service: corrupted, slow or missing.

Every fault except `silent` has two variants. Either the request has *arrived* and the relay
corrupts or delays its response, or the request is *lost* and the relay fabricates a response.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from tests.faults.relay import Fault, Forward, Request, Response

SLOW_S = 3.0
SILENCE_S = 12.0
PAGE = b"<!doctype html><html><body>Please log in to the network.</body></html>"
FABRICATED = Response(
    200,
    {"Content-Type": "application/x-amz-json-1.0", "x-amzn-RequestId": "A1"},
    b'{"Attributes": {"balance": {"N": "1000000"}}}',
)


def html(response: Response) -> Response:
    return replace(response, status=200, headers={"Content-Type": "text/html"}, body=PAGE)


def empty(response: Response) -> Response:
    return replace(response, headers={}, body=b"")


def half(response: Response) -> Response:
    return replace(response, body=response.body[: len(response.body) // 2])


def cut_off(response: Response) -> Response:
    whole = {"Content-Length": str(len(response.body))}
    return replace(half(response), headers=response.headers | whole)


def wrong_sum(response: Response) -> Response:
    sums = {"x-amz-crc32": "1", "x-amz-checksum-crc32": "AAAAAA=="}
    kept = {name: v for name, v in response.headers.items() if name.lower() not in sums}
    return replace(response, headers=kept | sums)


def wrong_type(response: Response) -> Response:
    return replace(response, body=b'["an", {"answer": 1}]')


def empty_object(response: Response) -> Response:
    return replace(response, body=b"{}")


def strange_values(response: Response) -> Response:
    return replace(response, body=b'{"Attributes": {"balance": {"N": "many"}}}')


def broken_500(response: Response) -> Response:
    return replace(response, status=500, headers={"Content-Type": "text/html"}, body=PAGE)


CORRUPTIONS: dict[str, Callable[[Response], Response]] = {
    corrupt.__name__: corrupt
    for corrupt in (
        html,
        empty,
        half,
        cut_off,
        wrong_sum,
        wrong_type,
        empty_object,
        strange_values,
        broken_500,
    )
}


def corrupting(corrupt: Callable[[Response], Response], *, arrives: bool) -> Fault:
    """Return a fault that sends a corrupted response.

    If `arrives` is true, the fault corrupts the real response, otherwise a fabricated response.
    """

    def fault(request: Request, forward: Forward) -> None:
        request.respond(corrupt(forward() if arrives else FABRICATED))

    return fault


def resetting(request: Request, forward: Forward, *, arrives: bool) -> None:
    """Reset the connection instead of responding."""
    if arrives:
        forward()
    linger = struct.pack("ii", 1, 0)
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    request.connection.close()


def slow(request: Request, forward: Forward, *, arrives: bool) -> None:
    """Respond after three seconds."""
    response = forward() if arrives else FABRICATED
    time.sleep(SLOW_S)
    request.respond(response)


def silent(request: Request, forward: Forward) -> None:
    """Send no response before the client's timeout."""
    del request, forward
    time.sleep(SILENCE_S)


def faults() -> dict[str, Fault]:
    """Return all faults except `silent`, by name, for requests that arrive and that are lost."""
    created: dict[str, Fault] = {}
    for kind, arrives in (("arrived", True), ("lost", False)):
        for name, corrupt in CORRUPTIONS.items():
            created[f"{name}-{kind}"] = corrupting(corrupt, arrives=arrives)
        created[f"reset-{kind}"] = partial(resetting, arrives=arrives)
        created[f"slow-{kind}"] = partial(slow, arrives=arrives)
    return created
