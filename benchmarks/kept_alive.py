"""Compare requests on a kept-alive connection with the same requests on new connections.

If small packets wait for an acknowledgement (Nagle's algorithm), requests on a kept-alive
connection take 40 ms longer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection

import report
import requests
from paired import paired, ratio, tenths_of_milliseconds
from served import Served, served
from subjects import photo

SIZE = (600, 399)
AT_MOST = 1.05


def kept_alive(rounds: int) -> str:
    """Compare a kept-alive connection with new ones, for `GET /health` and for a photo."""
    rows = []
    with served() as server:
        for name, ask, count in (
            ("GET /health", health(), 50),
            (f"{SIZE[0]} x {SIZE[1]} photo", blur(server), 1),
        ):
            kept = connection(server)
            times = paired(
                rounds,
                kept=partial(repeat, count, partial(ask, kept)),
                new=partial(repeat, count, partial(on_new_connection, server, ask)),
            )
            kept.close()
            each = {key: [seconds / count for seconds in values] for key, values in times.items()}
            rows.append(
                (
                    name,
                    tenths_of_milliseconds(each["kept"]),
                    tenths_of_milliseconds(each["new"]),
                    f"{ratio(times['kept'], times['new']):.2f}",
                    f"at most {AT_MOST}",
                )
            )
    head = ("request", "on a kept connection, ms", "on new connections, ms", "ratio", "target")
    return report.table(head, rows)


Ask = Callable[[HTTPConnection], None]


def health() -> Ask:
    """Return a function that sends one `GET /health`."""
    return partial(send, "GET", "/health", b"", {})


def blur(server: Served) -> Ask:
    """Return a function that sends one request with a photo."""
    form = requests.Request(
        "POST",
        server.url,
        files={"image": ("photo.jpg", photo(*SIZE), "image/jpeg")},
        data={"radius": 10},
    ).prepare()
    headers = {"ApiKey": server.key, "Content-Type": form.headers["Content-Type"]}
    body = form.body
    if not isinstance(body, bytes):
        raise TypeError
    return partial(send, "POST", "/v2/rembg/blur/", body, headers)


def send(
    method: str, path: str, body: bytes, headers: dict[str, str], kept: HTTPConnection
) -> None:
    """Send one request and read its response.

    Raises:
        RuntimeError: the response is not 200.

    """
    kept.request(method, path, body or None, headers)
    answer = kept.getresponse()
    content = answer.read()
    if answer.status != HTTPStatus.OK:
        raise RuntimeError(content[:200])


def connection(server: Served) -> HTTPConnection:
    """Return a connection to the server."""
    return HTTPConnection(server.url.removeprefix("http://"), timeout=60)


def on_new_connection(server: Served, ask: Ask) -> None:
    """Send a request on a new connection, and close the connection."""
    new = connection(server)
    ask(new)
    new.close()


def repeat(count: int, work: Callable[[], None]) -> None:
    """Call `work` `count` times."""
    for _ in range(count):
        work()
