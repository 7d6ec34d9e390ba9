"""Free ports for servers that tests start."""

from __future__ import annotations

import contextlib
import secrets
import socket

# Connections, and servers that ask for port 0, get ports above 32767 from the operating system. So
# no other program of the test run gets a port of `PORTS` before the test's server listens on it.
PORTS = range(20_000, 32_000)


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port of `PORTS` on which no program listens at `host`."""
    while True:
        port = secrets.choice(PORTS)  # Hypothesis seeds `random`, which then repeats its numbers
        with contextlib.suppress(OSError), socket.create_server((host, port)):
            return port
