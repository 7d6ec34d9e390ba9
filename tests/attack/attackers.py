"""Clients that misuse a server, in a separate process that runs for a limited time.

`python -m tests.attack.attackers` reads an `Attack` as JSON from its standard input.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from blur.api.removebg.paths import key_header

LONGEST_S = 300
PLACING_S = 20.0
"""After this time the attack counts as running, even if some clients have not started."""
PAUSE_S = 0.2
"""A client's pause between two connections."""
READ_BYTES = 65_536
SMALL_BUFFER_BYTES = 4096
"""The size of the receive buffer of clients that do not read."""
TCP_ESTABLISHED = 1
BODY_BYTES = 20_000_000
MISSING_BYTES = 100
PHOTO_PATH = "/v2/rembg/blur/"
DRIP_S = 5.0
HEADERS = 9_000
CHUNKS = 20_000
CHUNK_BYTES_PER_S = 1_500_000
PIPELINED = 2_000
PIPELINE_S = 1.0
"""The time from the start of an `unread_pipeline` client until its attack counts as running."""
PIPELINE_PATH = "/sample.jpg"


@dataclass(frozen=True, slots=True)
class Attack:
    """The kind and the number of the clients to run, and the requests that they send."""

    name: str
    host: str
    port: int
    connections: int
    source: str = "127.0.0.2"
    """The address that the connections come from."""
    keys: tuple[str, ...] = ()
    """The API keys, which the clients use in turn; if there are none, no key is sent."""
    path: str = PHOTO_PATH
    method: str = "POST"
    body: str = ""
    """The body of each request in base64; `content_type` is its media type."""
    content_type: str = "application/octet-stream"

    def head(self, number: int, *lines: str) -> bytes:
        """Return the head of a request that the client with this number sends."""
        name = key_header(self.path)
        key = [f"{name}: {self.keys[number % len(self.keys)]}"] if self.keys else []
        start = f"{self.method} {self.path} HTTP/1.1"
        return "\r\n".join((start, "Host: x", *key, *lines, "", "")).encode()

    def photo(self, number: int) -> bytes:
        """Return a complete request with the body."""
        body = base64.b64decode(self.body)
        lines = [f"Content-Type: {self.content_type}", f"Content-Length: {len(body)}"]
        return self.head(number, *lines, "Connection: close") + body


class Connection:
    """One connection of an attacker."""

    def __init__(self, attack: Attack, number: int, receive_bytes: int | None = None) -> None:
        """Create the socket; `receive_bytes` is the size of the socket's receive buffer."""
        self.attack = attack
        self.number = number
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket()
        self._socket.setblocking(False)  # noqa: FBT003 - the method takes no keyword
        if receive_bytes is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self._socket.bind((attack.source, 0))

    async def __aenter__(self) -> Self:
        await self._loop.sock_connect(self._socket, (self.attack.host, self.attack.port))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._socket.close()

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self._socket, data)

    async def read_to_end(self) -> None:
        while await self._loop.sock_recv(self._socket, READ_BYTES):
            pass

    async def read_some(self) -> bytes:
        return await self._loop.sock_recv(self._socket, READ_BYTES)

    async def hold(self) -> None:
        """Keep the connection open without reading, until the server closes it."""
        while True:
            await asyncio.sleep(PAUSE_S)
            info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
            if info[0] != TCP_ESTABLISHED:
                return


Placed = Callable[[], None]
"""The callback that a client calls as soon as its attack is running."""
Client = Callable[[Attack, int, Placed], Awaitable[None]]


async def photos(attack: Attack, number: int, placed: Placed) -> None:
    """Send a photo and read the response."""
    async with Connection(attack, number) as connection:
        await connection.send(attack.photo(number))
        placed()
        await connection.read_to_end()


async def dripped_body(attack: Attack, number: int, placed: Placed) -> None:
    """Send a body at one byte every `DRIP_S` seconds."""
    async with Connection(attack, number) as connection:
        await connection.send(attack.head(number, "Content-Length: 1000"))
        while True:
            await connection.send(b"a")
            placed()
            await asyncio.sleep(DRIP_S)


async def dripped_head(attack: Attack, number: int, placed: Placed) -> None:
    """Send the headers of a request without an end, one line per second."""
    async with Connection(attack, number) as connection:
        await connection.send(attack.head(number)[:-2])
        while True:
            await connection.send(b"A: b\r\n")
            placed()
            await asyncio.sleep(1)


async def unread_pipeline(attack: Attack, number: int, placed: Placed) -> None:
    """Send one request after another and read no response."""
    async with Connection(attack, number, SMALL_BUFFER_BYTES) as connection:
        request = f"GET {PIPELINE_PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        asyncio.get_running_loop().call_later(PIPELINE_S, placed)
        await connection.send(request * PIPELINED)
        await connection.hold()


async def unfinished_body(attack: Attack, number: int, placed: Placed) -> None:
    """Send most of a large body quickly, and then the last bytes one at a time."""
    async with Connection(attack, number) as connection:
        head = attack.head(number, f"Content-Length: {BODY_BYTES}", "Content-Type: a/b")
        await connection.send(head + bytes(BODY_BYTES - MISSING_BYTES))
        placed()
        answer = asyncio.create_task(connection.read_to_end())
        try:
            while not answer.done():
                await connection.send(b"a")  # so the server keeps waiting for the rest of the body
                await asyncio.wait([answer], timeout=DRIP_S)
        finally:
            answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)


async def unread_result(attack: Attack, number: int, placed: Placed) -> None:
    """Send a photo and do not read the result."""
    async with Connection(attack, number, SMALL_BUFFER_BYTES) as connection:
        await connection.send(attack.photo(number))
        placed()
        await connection.hold()


async def tiny_chunks(attack: Attack, number: int, placed: Placed) -> None:
    """Send a body in chunks of one byte."""
    async with Connection(attack, number) as connection:
        await connection.send(attack.head(number, "Transfer-Encoding: chunked"))
        chunks = b"1\r\na\r\n" * CHUNKS
        while True:
            await connection.send(chunks)
            placed()
            await asyncio.sleep(len(chunks) / CHUNK_BYTES_PER_S)


async def many_headers(attack: Attack, number: int, placed: Placed) -> None:
    """Send requests with thousands of headers."""
    async with Connection(attack, number) as connection:
        request = attack.head(number, *["A: b"] * HEADERS)
        while True:
            await connection.send(request)
            placed()
            if not await connection.read_some():
                return
            await asyncio.sleep(len(request) / CHUNK_BYTES_PER_S)


CLIENTS: dict[str, Client] = {
    client.__name__: client
    for client in (
        *(photos, dripped_body, dripped_head, unread_pipeline, unfinished_body),
        *(unread_result, tiny_chunks, many_headers),
    )
}


async def run(attack: Attack) -> None:
    """Keep all clients running; a client connects again when its connection has ended."""
    placed = [asyncio.Event() for _ in range(attack.connections)]

    async def client(number: int) -> None:
        while True:
            with suppress(OSError):
                await CLIENTS[attack.name](attack, number, placed[number].set)
            placed[number].set()  # the client has started, even if its connection was refused
            await asyncio.sleep(PAUSE_S)

    async def announce() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(PLACING_S):
                await asyncio.gather(*(each.wait() for each in placed))
        print("attacking", flush=True)  # noqa: T201 - the parent process waits for this line

    with suppress(TimeoutError):
        async with asyncio.timeout(LONGEST_S), asyncio.TaskGroup() as clients:
            clients.create_task(announce())
            for number in range(attack.connections):
                clients.create_task(client(number))


def main() -> None:
    """Run the attack at a low priority, because real attackers use other machines."""
    os.nice(19)
    asyncio.run(run(Attack(**json.loads(sys.stdin.readline()))))


if __name__ == "__main__":
    main()
