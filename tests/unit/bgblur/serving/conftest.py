"""Fixtures for tests of the server."""

from __future__ import annotations

import pytest

from bgblur.serving import worker_pool


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "RESTART_PAUSES_S", (0.0, 0.0, 0.001))
    monkeypatch.setattr(worker_pool, "IDLE_CHECK_S", 0.01)
