"""`shared_dynamodb_local`, the DynamoDB Local server that all processes of a test run share."""

from __future__ import annotations

import socket
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
