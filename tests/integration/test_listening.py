"""The addresses that the server prints, and the errors if the server cannot listen."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
import requests
from tests.integration.running import BGBLUR, environment, running

from bgblur.serving.listening import is_reachable_from_elsewhere, own_addresses, urls

CHECKOUT = Path(__file__).parents[2]


def run(
    *command: str, env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=env, cwd=cwd, capture_output=True, text=True, check=False, timeout=120
    )


def test_the_error_for_a_port_in_use_is_one_line_that_suggests_another_port(
    tmp_path: Path, model_dir: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        env = environment(tmp_path, model_dir)
        done = run(*BGBLUR, "serve", "--port", str(port), env=env)
    assert done.returncode == 1
    sentence = rf"Error: Port {port} is already in use\. Choose another one, such as --port \d+\.\n"
    assert re.fullmatch(sentence, done.stderr)


def test_the_error_for_a_metrics_port_in_use_names_the_port_and_the_option(
    tmp_path: Path, model_dir: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        env = environment(tmp_path, model_dir)
        done = run(*BGBLUR, "serve", "--port", "0", "--metrics", str(port), env=env)
    assert done.returncode == 1
    assert "such as --metrics" in done.stderr
    assert f"Port {port} is already in use." in done.stderr
    assert "Errno" not in done.stderr


def test_error_for_the_address_of_another_machine_is_one_line_without_an_errno(
    tmp_path: Path, model_dir: Path
) -> None:
    env = environment(tmp_path, model_dir)
    done = run(*BGBLUR, "serve", "--host", "192.0.2.9", env=env)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: Cannot listen on 192.0.2.9, port 8080: ")
    assert "Errno" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_make_run_with_a_port_in_use_prints_only_how_to_choose_another_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        # Nothing is installed or downloaded here: with -o, make does not rebuild prerequisites.
        arguments = (
            "run",
            f"PORT={port}",
            "-o",
            "model",
            "-o",
            "README.md",
            "SERVE_READY=README.md",
        )
        env = {name: text for name, text in os.environ.items() if not name.startswith("MAKE")}
        done = run("make", *arguments, cwd=CHECKOUT, env=env)
    message = f"Port {port} is already in use. Choose another one: make run PORT={port + 1}\n"
    assert (done.stdout, done.stderr) == ("", message)
    assert done.returncode == -signal.SIGPIPE


def test_a_server_on_all_addresses_prints_usable_urls_and_a_warning(
    tmp_path: Path, model_dir: Path
) -> None:
    env = environment(tmp_path, model_dir)
    with running(tmp_path, env, "--host", "0.0.0.0") as server:  # noqa: S104 - the test needs this address
        printed = re.findall(r" on (http://\S+:\d+)", server.out.read_text())
        assert not any("0.0.0.0" in url for url in printed)  # noqa: S104 - the test only compares this address
        assert any("127.0.0.1" in url for url in printed)
        assert len(printed) == len(own_addresses(socket.AF_INET)) + 1
        for url in printed:
            assert requests.get(f"{url}/health", timeout=30).json() == {"status": "ok"}
    assert "sent unencrypted (HTTP)" in (tmp_path / "server.log").read_text()


@pytest.mark.parametrize(
    ("host", "reachable"),
    [
        ("127.0.0.1", False),
        ("127.8.8.8", False),
        ("::1", False),
        ("localhost", False),
        ("0.0.0.0", True),  # noqa: S104 - the test only compares this address
        ("::", True),
        ("192.0.2.1", True),
        ("photos.example", True),
    ],
)
def test_server_is_reachable_from_other_machines_unless_its_host_is_a_loopback_address(
    host: str, *, reachable: bool
) -> None:
    assert is_reachable_from_elsewhere(host) is reachable


def test_only_urls_with_an_ipv6_address_have_brackets() -> None:
    assert urls("::1", 8080) == ["http://[::1]:8080"]
    assert urls("photos.example", 80) == ["http://photos.example:80"]


def test_a_server_on_a_loopback_address_shows_how_to_get_a_key_and_prints_no_warning(
    tmp_path: Path, model_dir: Path
) -> None:
    with running(tmp_path, environment(tmp_path, model_dir)) as server:
        deadline = time.monotonic() + 30
        while "bgblur keys issue" not in server.out.read_text():
            assert time.monotonic() < deadline, server.out.read_text()
            time.sleep(0.05)
    assert "Warning" not in (tmp_path / "server.log").read_text()
