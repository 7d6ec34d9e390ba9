"""The documented commands that start a server; each test starts its own."""

from __future__ import annotations

import re
import shlex
import signal
from typing import TYPE_CHECKING

import requests
from tests import documents
from tests.integration.client.shell import is_picture
from tests.integration.reader import Reader
from tests.integration.running import running

if TYPE_CHECKING:
    from pathlib import Path

SERVE = ".venv/bin/bgblur serve --host 127.0.0.1 --port 8080"


def test_the_server_starts_and_stops_as_documented(new_folder: Path, env: dict[str, str]) -> None:
    options = shlex.split(SERVE)[2:]
    assert options[-2:] == ["--port", "8080"]
    with running(new_folder, env, *options[:-1], "0") as server:
        assert requests.get(f"{server.url}/health", timeout=10).ok
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=10) == -signal.SIGTERM


def test_make_run_prints_a_link_to_the_page_and_a_command_that_saves_an_image(
    new_folder: Path, env: dict[str, str]
) -> None:
    makefile = (documents.ROOT / "Makefile").read_text("utf-8")
    [options] = re.findall(
        r"^run: .*\n(?:\t.*\n)*\t@.*exec \$\(BIN\)/bgblur serve (.*) --port \$\(PORT\)$",
        makefile,
        re.MULTILINE,
    )
    with running(new_folder, env, *shlex.split(options)) as server:
        assert requests.get(f"{server.url}/health", timeout=10).ok
        printed = dict(re.findall(r"^(Try it|Open): +(.+)$", server.out.read_text(), re.MULTILINE))
        Reader(new_folder, env, {}).types(printed["Try it"])
        assert is_picture((new_folder / "blurred.png").read_bytes())
        page = requests.get(printed["Open"], headers={"Accept": "text/html"}, timeout=10)
        error = Reader(new_folder, env, {}).types(
            f"! {{ {printed['Try it'].replace('bb_live_', 'bb_')}; }}"
        )
    assert "<title>Background Blur" in page.text
    assert "invalid_api_key" in error
    assert is_picture((new_folder / "blurred.png").read_bytes()), "the error was saved as a picture"
