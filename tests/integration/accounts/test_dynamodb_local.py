"""`shared_dynamodb_local`, the DynamoDB Local server that all processes of a test run share."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest
from tests.integration.accounts import dynamodb_local

if TYPE_CHECKING:
    from pathlib import Path


def test_the_error_for_a_server_that_cannot_listen_shows_the_output_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        monkeypatch.setattr(dynamodb_local, "free_port", lambda: port)
        with (
            pytest.raises(RuntimeError, match="Address already in use"),
            dynamodb_local.shared_dynamodb_local(tmp_path / "server"),
        ):
            pass


def test_the_error_for_a_server_shows_the_cause_that_java_writes_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(folder: Path, _pipe: Path, _port: int) -> None:
        log = folder / "log"
        log.write_text("java.io.IOException: Failed to bind\n")
        threading.Thread(target=add_the_cause, args=(log,)).start()

    def add_the_cause(log: Path) -> None:
        time.sleep(0.5)
        with log.open("a") as end:
            end.write("Caused by: java.net.BindException: Address already in use\n")

    monkeypatch.setattr(dynamodb_local, "_start_for_all", start)
    with (
        pytest.raises(RuntimeError, match="Address already in use"),
        dynamodb_local.shared_dynamodb_local(tmp_path / "server"),
    ):
        pass
