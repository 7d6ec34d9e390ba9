"""Settings for all integration tests."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def patient_clients(patient_client: None) -> None:
    """Use `patient_client` in all integration tests. Only `tests/faults` tests the time limits."""
