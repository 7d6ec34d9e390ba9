"""The parts of bulk jobs that `job_app` builds from the settings."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from secrets import token_bytes
from typing import TYPE_CHECKING

import pytest
from aws_lambda_powertools import Logger
from tests.clocks import START
from tests.unit.jobs.conftest import SOURCE, new_job

from blur.account_status import RateLimit
from blur.accounts import keys
from blur.accounts.admin import AccountAdmin
from blur.accounts.model import KeyKind
from blur.accounts.sqlite.account_store import SqliteAccountStore
from blur.credits import ONE, Credits, whole
from blur.job_app import (
    build_keeper,
    ended_fields,
    has_workers,
    new_secret,
    notifier,
    open_job_files,
)
from blur.jobs.model import Job, JobObject, Notification, ObjectState
from blur.jobs.runner import EndedObject
from blur.settings import Settings

if TYPE_CHECKING:
    from blur.jobs.keeper import JobKeeper


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
def test_jobs_need_sqlite_with_a_folder_or_dynamodb_with_a_bucket(
    accounts: str, media: str, *, has: bool
) -> None:
    assert has_workers(Settings(accounts=accounts, media=media)) is has


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        accounts=f"sqlite:{tmp_path / 'accounts.db'}",
        media=f"folder:{tmp_path / 'media'}",
        price=whole(2),
        price_person=whole(3),
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteAccountStore]:
    store = SqliteAccountStore(tmp_path / "accounts.db")
    yield store
    store.close()


@pytest.fixture
def keeper(settings: Settings) -> JobKeeper:
    stream = io.StringIO()
    return build_keeper(
        settings,
        logger=Logger(service=f"test-{id(stream)}", stream=stream),
        enqueue=lambda *_: None,
        announce=lambda _: None,
        period_s=60,
        retry_s=600,
        max_attempt_s=180,
        max_run_s=120,
        clock=lambda: START,
    )


def job_of(store: SqliteAccountStore, funds: Credits, subject: str = "auto") -> Job:
    """Create an account with the credits `funds`, and return a job of this account."""
    admin = AccountAdmin(store, token_bytes, START)
    account_id = admin.create_account("A customer", credits=funds)
    key = keys.parse(admin.issue_key(account_id, KeyKind.LIVE, limit=RateLimit(60, 10))[0])
    return replace(new_job(subject=subject), account_id=account_id, key_digest=key.digest)


def test_the_keeper_computes_for_how_many_photos_the_balance_pays(
    keeper: JobKeeper, store: SqliteAccountStore
) -> None:
    assert keeper.payable(job_of(store, whole(7))) == 3
    assert keeper.payable(job_of(store, ONE)) == 0
    assert keeper.payable(job_of(store, whole(7), subject="person")) == 2
    assert keeper.payable(replace(job_of(store, ONE), key_kind=KeyKind.TEST)) is None


def test_a_job_needs_no_balance_if_its_photos_will_fail_without_a_charge(
    keeper: JobKeeper, store: SqliteAccountStore
) -> None:
    job = job_of(store, ONE)
    assert keeper.payable(replace(job, parameters={"radius": "wide"})) is None
    store.revoke_key(job.account_id, job.key_digest)
    assert keeper.payable(job) is None


def test_no_notification_is_sent_after_the_setting_fetch_urls_was_turned_off(
    settings: Settings,
) -> None:
    target = Notification(url="https://shop.example/", secret=new_secret())
    job = replace(new_job(), notification=target)
    assert not notifier(settings, lambda: START)(job)


def test_the_secret_of_a_notification_has_256_random_bits() -> None:
    prefix, _, encoded = new_secret().partition("_")
    assert (prefix, len(base64.b64decode(encoded, validate=True))) == ("whsec", 32)
    assert new_secret() != new_secret()


def test_the_log_line_of_a_photo_in_a_job_does_not_contain_its_name() -> None:
    row = JobObject(
        job_id="job_1",
        source=SOURCE,
        state=ObjectState.DONE,
        charged=ONE,
        duration_ms=412,
        pixels=12_345_678,
    )
    fields = ended_fields(EndedObject(new_job(), row, {"read": 1.23}))
    assert fields == {
        "job": "job_1",
        "object": row.object_id,
        "account": "account",
        "state": "done",
        "code": None,
        "credits": 1,
        "duration_ms": 412,
        "steps_ms": {"read": 1.2},
        "megapixels": 12.346,
    }
    assert "shoe" not in json.dumps(fields)


def test_without_blur_media_the_storage_for_jobs_cannot_be_opened(settings: Settings) -> None:
    assert open_job_files(settings)
    with pytest.raises(ValueError, match="BLUR_MEDIA='' cannot store the photos of jobs"):
        open_job_files(replace(settings, media=""))
