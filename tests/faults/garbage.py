"""What a server of AWS's may answer with when it is out of its mind, or out of time.

Every fault comes in two kinds: the request has *arrived* and its answer is spoiled on the
way, or it is *lost* and the answer is nobody's.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from tests.faults.relay import Answer, Fault, Forward, Request

SLOW_S = 3.0
SILENCE_S = 12.0
PAGE = b"<!doctype html><html><body>Please log in to the network.</body></html>"
NOBODY = Answer(
    200,
    {"Content-Type": "application/x-amz-json-1.0", "x-amzn-RequestId": "A1"},
    b'{"Attributes": {"balance": {"N": "1000000"}}}',
)


def html(answer: Answer) -> Answer:
    return replace(answer, status=200, headers={"Content-Type": "text/html"}, body=PAGE)


def empty(answer: Answer) -> Answer:
    return replace(answer, headers={}, body=b"")


def half(answer: Answer) -> Answer:
    return replace(answer, body=answer.body[: len(answer.body) // 2])


def cut_off(answer: Answer) -> Answer:
    whole = {"Content-Length": str(len(answer.body))}
    return replace(half(answer), headers=answer.headers | whole)


def wrong_sum(answer: Answer) -> Answer:
    sums = {"x-amz-crc32": "1", "x-amz-checksum-crc32": "AAAAAA=="}
    kept = {name: v for name, v in answer.headers.items() if name.lower() not in sums}
    return replace(answer, headers=kept | sums)


def of_another_kind(answer: Answer) -> Answer:
    return replace(answer, body=b'["an", {"answer": 1}]')


def nothing_in_it(answer: Answer) -> Answer:
    return replace(answer, body=b"{}")


def strange_values(answer: Answer) -> Answer:
    return replace(answer, body=b'{"Attributes": {"balance": {"N": "many"}}}')


def broken_500(answer: Answer) -> Answer:
    return replace(answer, status=500, headers={"Content-Type": "text/html"}, body=PAGE)


SPOILED: dict[str, Callable[[Answer], Answer]] = {
    spoil.__name__: spoil
    for spoil in (
        html,
        empty,
        half,
        cut_off,
        wrong_sum,
        of_another_kind,
        nothing_in_it,
        strange_values,
        broken_500,
    )
}


def spoiling(spoil: Callable[[Answer], Answer], *, arrives: bool) -> Fault:
    """Answer with garbage."""

    def fault(request: Request, forward: Forward) -> None:
        request.respond(spoil(forward() if arrives else NOBODY))

    return fault


def resetting(request: Request, forward: Forward, *, arrives: bool) -> None:
    """Reset the connection in place of an answer."""
    if arrives:
        forward()
    linger = struct.pack("ii", 1, 0)
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    request.connection.close()


def slow(request: Request, forward: Forward, *, arrives: bool) -> None:
    """Answer after three seconds; a request that does not arrive is answered by nobody."""
    answer = forward() if arrives else NOBODY
    time.sleep(SLOW_S)
    request.respond(answer)


def silent(request: Request, forward: Forward) -> None:
    """Say nothing for as long as anyone would wait."""
    del request, forward
    time.sleep(SILENCE_S)


def faults() -> dict[str, Fault]:
    """Return every fault, each in both kinds."""
    made: dict[str, Fault] = {}
    for kind, arrives in (("arrived", True), ("lost", False)):
        for name, spoil in SPOILED.items():
            made[f"{name}-{kind}"] = spoiling(spoil, arrives=arrives)
        made[f"reset-{kind}"] = partial(resetting, arrives=arrives)
        made[f"slow-{kind}"] = partial(slow, arrives=arrives)
    return made
