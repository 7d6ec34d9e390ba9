"""Settings for all integration tests."""

from __future__ import annotations

import pytest

PATIENT_S = 10.0


@pytest.fixture(autouse=True)
def patient_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set longer time limits for DynamoDB than in production, because a busy test machine is slow.

    The trials in `tests/faults` test the normal time limits.
    """
    for limit in ("CONNECT_S", "READ_S", "LATEST_START_S"):
        monkeypatch.setattr(f"blur.accounts.dynamo.client.{limit}", PATIENT_S)
