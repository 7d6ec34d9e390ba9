"""Fetchers that can reach a server on loopback, as if the server's address were public."""

from __future__ import annotations

import io
import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from PIL import Image

from blur.fetching.connections import Connections
from blur.fetching.fetcher import ImageFetcher
from blur.imaging.decode.formats import is_supported

if TYPE_CHECKING:
    from tests.integration.fetching.image_host import (
        ImageHost,
    )

    from blur.fetching.addresses import IPAddress

MAX_BYTES = 500_000
HOST = "images.example"


def png(side_px: int = 40) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side_px, side_px), "green").save(buffer, "PNG")
    return buffer.getvalue()


class Names:
    """A name server that returns the address lists of a name in turn, and repeats the last list."""

    def __init__(self, answers: dict[str, list[list[str]]]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def resolve(self, host: str, _port: int) -> list[str]:
        self.asked.append(host)
        answers = self.answers.get(host)
        if not answers:
            message = "unknown name"
            raise socket.gaierror(message)
        return answers.pop(0) if len(answers) > 1 else answers[0]


def is_loopback_1(address: IPAddress) -> bool:
    """Return whether the address is 127.0.0.1, which counts as public in these tests."""
    return address == ip_address("127.0.0.1")


def fetcher(
    host: ImageHost,
    names: Names | None = None,
    max_bytes: int = MAX_BYTES,
    timeout_s: float = 60.0,
    **options: Any,  # noqa: ANN401 - any arguments of `Connections`
) -> ImageFetcher:
    return ImageFetcher(
        connections(host, names, **options),
        is_image=is_supported,
        max_bytes=max_bytes,
        timeout_s=timeout_s,
    )


def connections(
    host: ImageHost,
    names: Names | None = None,
    **options: Any,  # noqa: ANN401 - any arguments of `Connections`
) -> Connections:
    """Return connections that are allowed only to the port of `host` on 127.0.0.1."""
    names = names or Names({HOST: [["127.0.0.1"]]})
    defaults: dict[str, Any] = {
        "resolve": names.resolve,
        "is_allowed": is_loopback_1,
        "ports": {host.port},
    }
    return Connections(**defaults | options)
