"""Settings for all integration tests."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def patient_clients(patient_client: None) -> None:
    """Use longer time limits in all integration tests; `tests/faults` tests the real limits."""
