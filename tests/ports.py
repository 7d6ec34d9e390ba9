"""Free ports for servers that tests start."""

from __future__ import annotations

import contextlib
import secrets
import socket

# Operating systems give ports above 32767 to connections and to servers that ask for port 0. So no
# other program of the test run gets a port from this range before the server listens on it.
PORTS = range(20_000, 32_000)


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port of `PORTS` on which no program listens."""
    while True:
        port = secrets.choice(PORTS)  # Hypothesis seeds `random`, which then repeats its numbers
        with contextlib.suppress(OSError), socket.create_server((host, port)):
            return port
