"""An image service with a SQLite store, a stub for the model, and a clock that tests set."""

from __future__ import annotations

import io
import itertools
from dataclasses import dataclass, field
from secrets import token_bytes
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from tests.clocks import START, Clock
from tests.unit.imaging.predictors import DiscPredictor

from blur.account_status import RateLimit
from blur.accounts import keys
from blur.accounts.admin import AccountAdmin
from blur.accounts.idempotency_key import IdempotencyKey
from blur.accounts.model import Instant, KeyKind
from blur.accounts.sqlite.account_store import SqliteAccountStore
from blur.credits import Credits
from blur.engine import Engine
from blur.forms import BlurForm
from blur.image_requests import BlurRequest
from blur.imaging.blur_options import BlurOptions
from blur.prices import Prices
from blur.service import CallResult, ImageService
from blur.storage.large_results import Results
from blur.storage.ports import Link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from blur.accounts.keys import ApiKey
    from blur.imaging.results import BlurredPhoto

OPTIONS = BlurOptions(radius_px=3)
PRICE, FUNDS = Credits(2), Credits(5)
TTL_S = 60


def photo() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), (10, 20, 30)).save(buffer, "PNG")
    return buffer.getvalue()


REQUEST = BlurRequest(photo(), OPTIONS)
KEY = IdempotencyKey("order-1")


@dataclass
class RecordingResultStore:
    """A store for results that records each call."""

    stored: list[tuple[str, bytes, str, str, int]] = field(default_factory=list)

    def put(
        self, name: str, data: bytes, *, content_type: str, file_name: str, now_us: int
    ) -> Link:
        self.stored.append((name, data, content_type, file_name, now_us))
        return Link(f"https://bucket.example/{name}", now_us + 900_000_000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def result_store() -> RecordingResultStore:
    return RecordingResultStore()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteAccountStore]:
    store = SqliteAccountStore(tmp_path / "accounts.db")
    yield store
    store.close()


@pytest.fixture
def service(
    store: SqliteAccountStore, clock: Clock, result_store: RecordingResultStore
) -> ImageService:
    holds = (f"hold-{number}" for number in itertools.count())
    ticks = itertools.count(step=1_000_000)
    return ImageService(
        store=store,
        engine=lambda: Engine(model=DiscPredictor, max_pixels=40 * 30),
        results=Results(store=result_store, max_inline_bytes=10**6, new_name=lambda: "name"),
        prices=Prices(image=PRICE, preview=PRICE, person=PRICE),
        hold_ttl_s=TTL_S,
        deadline_margin_s=5,
        ordinary_cpu_ms=100,
        clock=clock,
        ticks=lambda: next(ticks),
        cpu_ticks=lambda: 0,
        new_hold_id=lambda: next(holds),
    )


@pytest.fixture
def key(store: SqliteAccountStore) -> ApiKey:
    return key_of_kind(store, KeyKind.LIVE)


def key_of_kind(store: SqliteAccountStore, kind: KeyKind) -> ApiKey:
    admin = AccountAdmin(store, token_bytes, START)
    account_id = admin.create_account("A customer", credits=FUNDS)
    return keys.parse(admin.issue_key(account_id, kind, limit=RateLimit(60, 10))[0])


def run(
    service: ImageService,
    key: ApiKey,
    read: Callable[[], BlurRequest],
    **call: Any,  # noqa: ANN401 - any arguments of `run`
) -> CallResult[BlurredPhoto]:
    """Blur the photo of the request that `read` returns."""

    def parse() -> BlurForm:
        request = read()
        return BlurForm(request.options, lambda: request.image)

    return service.run(key, parse, prices=service.prices.blur, **call)


def balances(store: SqliteAccountStore, key: ApiKey, at_us: int = START) -> tuple[int, int, int]:
    account = store.read_account(key.account_id, now_us=Instant(at_us))
    return account.balance, account.held, account.used
