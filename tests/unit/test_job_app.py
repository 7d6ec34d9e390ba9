"""The composition of bulk jobs."""

from __future__ import annotations

import pytest

from blur.job_app import has_workers
from blur.settings import Settings


@pytest.mark.parametrize(
    ("accounts", "media", "has"),
    [
        ("sqlite:accounts.db", "folder:media", True),
        ("dynamodb:accounts", "s3:bucket", True),
        ("sqlite:accounts.db", "s3:bucket", False),
        ("dynamodb:accounts", "folder:media", False),
        ("sqlite:accounts.db", "", False),
        ("dynamodb:accounts", "", False),
    ],
)
def test_jobs_need_a_queue_and_a_storage_that_the_same_workers_use(
    accounts: str, media: str, *, has: bool
) -> None:
    assert has_workers(Settings(accounts=accounts, media=media)) is has
