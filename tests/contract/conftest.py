"""The handler as Lambda builds it, and a SQLite store with the accounts that the events use."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools import Logger
from events import make
from tests.clocks import Clock

from bgblur.serving.proxy_events import InvocationContext
from blur.account_status import RateLimit
from blur.accounts import keys
from blur.accounts.model import EntryKind, Instant, KeyRecord, LedgerEntry
from blur.accounts.sqlite.account_store import SqliteAccountStore
from blur.app import build_app
from blur.clock import now
from blur.credits import credits_number, whole
from blur.settings import Settings

EVENTS = Path(make.__file__).parent
SITE = EVENTS.parent / "site"
FREQUENT = RateLimit(per_minute=60_000, burst=10_000)
RARE = RateLimit(per_minute=1, burst=1)
FUNDS = 3
"""The credits of each funded account: few, so that a test can spend all of them."""


@dataclass
class ApiResponse:
    """A proxy response, with the headers and the body that a client gets."""

    raw: dict[str, Any]
    headers: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        many = self.raw["multiValueHeaders"]
        self.headers = {name.lower(): ", ".join(values) for name, values in many.items()}

    @property
    def status(self) -> int:
        status: int = self.raw["statusCode"]
        return status

    @property
    def body(self) -> bytes:
        text: str = self.raw["body"]
        return base64.b64decode(text) if self.raw["isBase64Encoded"] else text.encode()

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = json.loads(self.body)["error"]
        return error


Call = Callable[[dict[str, Any]], ApiResponse]


@pytest.fixture
def clock() -> Clock:
    return Clock(now())


@pytest.fixture
def settings(tmp_path: Path, model_dir: Path) -> Settings:
    return Settings(
        accounts=f"sqlite:{tmp_path / 'accounts.db'}",
        media=f"folder:{tmp_path / 'media'}",
        model_dir=model_dir,
        site_dir=SITE,
    )


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[SqliteAccountStore]:
    store = SqliteAccountStore(tmp_path / "accounts.db")
    for text, granted, limit in (
        (make.FUNDED, FUNDS, FREQUENT),
        (make.EMPTY, 0, FREQUENT),
        (make.LIMITED, FUNDS, RARE),
        (make.TEST, 0, FREQUENT),
    ):
        add_account(store, text, granted, limit, clock())
    limited = keys.parse(make.LIMITED)
    store.authorize(limited.account_id, limited.digest, now_us=clock())
    yield store
    store.close()


@pytest.fixture
def log() -> io.StringIO:
    """Return the stream of the handler's log."""
    return io.StringIO()


@pytest.fixture(autouse=True)
def networks(shared_networks: None) -> None:
    """Let the handlers of all tests share the loaded models."""


@pytest.fixture
def call(store: SqliteAccountStore, settings: Settings, clock: Clock, log: io.StringIO) -> Call:
    """Return the handler as a function that takes an event and returns the response."""
    del store  # the fixture creates the database before the handler opens it
    handler = build_app(settings, clock=clock, logger=Logger(service=f"test-{id(log)}", stream=log))
    return lambda event: ApiResponse(handler(event, InvocationContext()))


def add_account(
    store: SqliteAccountStore, text: str, granted: int, limit: RateLimit, at_us: Instant
) -> None:
    key = keys.parse(text)
    store.create_account(key.account_id, "fixture", now_us=at_us)
    if granted:
        entry = LedgerEntry(key.account_id, key.account_id, EntryKind.GRANT, whole(granted), at_us)
        store.append_entry(entry)
    record = KeyRecord(
        key.digest, key.account_id, key.kind, key.prefix, at_us, None, revoked=False, limit=limit
    )
    store.add_key(record, now_us=at_us)


def balance_of(store: SqliteAccountStore, text: str, clock: Clock) -> tuple[float, float]:
    """Return the credits that can be spent, and the credits on hold."""
    account = store.read_account(keys.parse(text).account_id, now_us=clock())
    return credits_number(account.balance), credits_number(account.held)
