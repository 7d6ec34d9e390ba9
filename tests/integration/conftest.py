"""Settings for all integration tests."""

from __future__ import annotations

import pytest

PATIENT_S = 10.0


@pytest.fixture(autouse=True)
def patient_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give DynamoDB Local more time than DynamoDB: a busy machine is not an outage.

    The fault trials test the time limits.
    """
    for limit in ("CONNECT_S", "READ_S", "LATEST_START_S"):
        monkeypatch.setattr(f"blur.accounts.dynamo.client.{limit}", PATIENT_S)
