"""Runs nginx in front of the server of a test."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING

from tests.e2e import machine, programs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def nginx(server: str, port: int, folder: Path) -> Iterator[None]:
    """Run nginx with this server block, which listens on this port of the loopback address."""
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; pid {folder}/pid; error_log stderr;\nuser root;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}{server}\n}}\n"
    )
    command = ["nginx", "-c", str(config), "-e", "stderr"]
    ready = partial(machine.listens, "127.0.0.1", port)
    with programs.started(command, folder=folder, log=folder / "nginx.log", until=ready):
        yield
