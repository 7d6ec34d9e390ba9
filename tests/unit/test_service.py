"""One call of the use case: what is held, charged, given back, kept and told."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_bytes
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from tests.unit.imaging.test_pipeline import Middle

from blur.accounts import keys
from blur.accounts.admin import Office
from blur.accounts.model import Instant, KeyKind, RateLimit
from blur.accounts.sqlite.store import SqliteStore
from blur.delivery.results import Results
from blur.delivery.store import Link, Result
from blur.errors import (
    IdempotencyConflictError,
    ImageTooLargeError,
    InsufficientCreditsError,
    InvalidImageError,
    UnavailableError,
)
from blur.imaging.pipeline import STEPS, blur_photo
from blur.imaging.recipe import Recipe
from blur.service import BlurService, Order
from blur.skew import CLOCK_SKEW_S
from blur.stopwatch import TOTAL

if TYPE_CHECKING:
    from blur.accounts.keys import ApiKey

START = Instant(1_800_000_000_000_000)
RECIPE = Recipe(radius_px=3)
PRICE, FUNDS = 2, 5
TTL_S = 60


def photo() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), (10, 20, 30)).save(buffer, "PNG")
    return buffer.getvalue()


ORDER = Order(photo(), RECIPE)


@dataclass
class Clock:
    """A clock that a test moves."""

    at_us: int = START

    def __call__(self) -> Instant:
        return Instant(self.at_us)


@dataclass
class Shelf:
    """A place for results that remembers what it was given."""

    kept: list[tuple[str, Result, int]] = field(default_factory=list)

    def keep(self, name: str, result: Result, *, now_us: int) -> Link:
        self.kept.append((name, result, now_us))
        return Link(f"https://shelf.example/{name}", now_us + 900_000_000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "accounts.db")
    yield store
    store.close()


@pytest.fixture
def service(store: SqliteStore, clock: Clock, shelf: Shelf) -> BlurService:
    holds = (f"hold-{number}" for number in itertools.count())
    ticks = itertools.count(step=1_000_000)
    return BlurService(
        store=store,
        model=Middle,
        results=Results(store=shelf, max_inline_bytes=10**6, new_name=lambda: "name"),
        price=PRICE,
        hold_ttl_s=TTL_S,
        max_pixels=40 * 30,
        deadline_margin_s=5,
        clock=clock,
        ticks=lambda: next(ticks),
        new_hold_id=lambda: next(holds),
    )


@pytest.fixture
def key(store: SqliteStore) -> ApiKey:
    return key_of_kind(store, KeyKind.LIVE)


def key_of_kind(store: SqliteStore, kind: KeyKind) -> ApiKey:
    office = Office(store, token_bytes, START)
    account_id = office.open_account("A customer", credits=FUNDS)
    return keys.parse(office.issue_key(account_id, kind, limit=RateLimit(60, 10))[0])


def balances(store: SqliteStore, key: ApiKey, at_us: int = START) -> tuple[int, int, int]:
    account = store.account(key.account_id, now_us=Instant(at_us))
    return account.balance, account.held, account.used


def test_a_live_key_is_charged_the_price_and_told_everything(
    service: BlurService, store: SqliteStore, key: ApiKey
) -> None:
    made = service.blur(key, ORDER, left_ms=28_000)
    assert (made.standing.credits_charged, made.standing.credits_left) == (PRICE, FUNDS - PRICE)
    assert made.standing.rate.remaining == 9
    assert balances(store, key) == (FUNDS - PRICE, 0, PRICE)
    blurred = blur_photo(
        ORDER.image,
        RECIPE,
        model=Middle(),
        max_pixels=40 * 30,
        stamped=False,
        on_step=lambda _: None,
    )
    assert made.image == blurred
    assert (made.replayed, made.link) == (False, None)
    assert made.durations_ms == dict.fromkeys(STEPS, 1.0) | {TOTAL: len(STEPS) + 1.0}


def test_a_test_key_costs_nothing_and_its_picture_is_stamped(
    service: BlurService, store: SqliteStore, key: ApiKey
) -> None:
    free = key_of_kind(store, KeyKind.TEST)
    stamped = service.blur(free, ORDER, left_ms=28_000)
    assert stamped.standing.credits_charged == 0
    assert balances(store, free) == (FUNDS, 0, 0)
    assert stamped.image.data != service.blur(key, ORDER, left_ms=28_000).image.data


def test_the_price_is_held_for_as_long_as_is_set_while_the_photo_is_blurred(
    service: BlurService, store: SqliteStore, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def predict(model: Middle, pixels: object) -> None:
        del model, pixels
        for after_s in (0, TTL_S - 1, TTL_S + CLOCK_SKEW_S):
            now_us = Instant(START + after_s * 1_000_000)
            account = store.account(key.account_id, now_us=now_us)
            seen.append((account.balance, account.held))
        message = "enough seen"
        raise RuntimeError(message)

    monkeypatch.setattr(Middle, "predict", predict)
    with pytest.raises(RuntimeError, match="enough seen"):
        service.blur(key, ORDER, left_ms=28_000)
    assert seen == [(FUNDS - PRICE, PRICE), (FUNDS - PRICE, PRICE), (FUNDS, 0)]
    assert balances(store, key) == (FUNDS, 0, 0)


def test_a_refused_photo_costs_nothing_and_the_error_tells_where_the_key_stands(
    service: BlurService, store: SqliteStore, key: ApiKey
) -> None:
    with pytest.raises(InvalidImageError) as caught:
        service.blur(key, replace(ORDER, image=b"no image"), left_ms=28_000)
    standing = caught.value.standing
    assert standing is not None
    assert (standing.credits_charged, standing.credits_left) == (0, FUNDS)
    assert balances(store, key) == (FUNDS, 0, 0)


def test_a_photo_with_a_pixel_too_many_is_refused(service: BlurService, key: ApiKey) -> None:
    tight = replace(service, max_pixels=40 * 30 - 1)
    with pytest.raises(ImageTooLargeError):
        tight.blur(key, ORDER, left_ms=28_000)


def test_what_breaks_costs_nothing_either(
    service: BlurService, store: SqliteStore, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(model: Middle, pixels: object) -> None:
        del model, pixels
        raise KeyboardInterrupt

    monkeypatch.setattr(Middle, "predict", broken)
    with pytest.raises(KeyboardInterrupt):
        service.blur(key, ORDER, left_ms=28_000)
    assert balances(store, key) == (FUNDS, 0, 0)


@pytest.mark.parametrize(("left_ms", "done"), [(5_000, False), (5_001, True)])
def test_a_call_with_no_time_left_but_the_margin_is_given_up_uncharged(
    service: BlurService, store: SqliteStore, key: ApiKey, left_ms: int, *, done: bool
) -> None:
    if done:
        service.blur(key, ORDER, left_ms=left_ms)
    else:
        with pytest.raises(UnavailableError):
            service.blur(key, ORDER, left_ms=left_ms)
    assert balances(store, key) == ((FUNDS - PRICE, 0, PRICE) if done else (FUNDS, 0, 0))


def test_a_large_result_is_kept_under_a_name_that_says_what_it_is(
    service: BlurService, shelf: Shelf, key: ApiKey
) -> None:
    small = replace(
        service, results=Results(store=shelf, max_inline_bytes=1, new_name=lambda: "name")
    )
    order = Order(photo(), replace(RECIPE, mode="cutout", output="webp"))
    made = small.blur(key, order, left_ms=28_000)
    result = Result(made.image.data, "image/webp", "cutout.webp")
    assert shelf.kept == [("results/name", result, START)]
    assert made.link == Link("https://shelf.example/results/name", START + 900_000_000)


def test_a_call_repeated_under_its_idempotency_key_is_made_again_and_charged_once(
    service: BlurService, store: SqliteStore, key: ApiKey, clock: Clock
) -> None:
    order = replace(ORDER, idempotency_key="order-1")
    first = service.blur(key, order, left_ms=28_000)
    clock.at_us += 1_000_000
    again = service.blur(key, order, left_ms=28_000)
    assert (first.replayed, again.replayed) == (False, True)
    assert first.image == again.image
    assert again.standing.credits_charged == 0
    other_key = replace(order, idempotency_key="order-2")
    assert not service.blur(key, other_key, left_ms=28_000).replayed
    other = replace(order, recipe=replace(RECIPE, radius_px=4))
    with pytest.raises(IdempotencyConflictError):
        service.blur(key, other, left_ms=28_000)
    assert balances(store, key) == (FUNDS - 2 * PRICE, 0, 2 * PRICE)


def test_an_empty_balance_is_refused_before_any_work(
    service: BlurService, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(FUNDS // PRICE):
        service.blur(key, ORDER, left_ms=28_000)
    monkeypatch.delattr(Middle, "predict")
    with pytest.raises(InsufficientCreditsError):
        service.blur(key, ORDER, left_ms=28_000)


@pytest.mark.parametrize(
    "other",
    [
        Order(b"other", RECIPE),
        *(
            Order(ORDER.image, replace(RECIPE, **change))
            for change in (
                {"radius_px": 4},
                {"kernel": "bokeh"},
                {"mode": "cutout"},
                {"output": "webp"},
                {"quality": 91},
            )
        ),
    ],
)
def test_a_fingerprint_tells_every_other_order_apart(other: Order) -> None:
    assert other.fingerprint() != ORDER.fingerprint()
    assert len(other.fingerprint()) == 64


def test_a_fingerprint_is_that_of_the_order_whatever_key_it_comes_under() -> None:
    assert replace(ORDER, idempotency_key="a").fingerprint() == ORDER.fingerprint()


def test_a_request_that_cannot_be_carried_out_is_counted(
    service: BlurService, store: SqliteStore, key: ApiKey, clock: Clock
) -> None:
    assert [service.count(key).rate.remaining for _ in range(2)] == [9, 8]
    clock.at_us += 60_000_000
    assert service.count(key).rate.remaining == 9
    assert balances(store, key) == (FUNDS, 0, 0)


def test_an_account_is_shown_as_it_is_now(service: BlurService, key: ApiKey, clock: Clock) -> None:
    service.blur(key, ORDER, left_ms=28_000)
    clock.at_us += 1_000_000
    view = service.account(key)
    assert (view.account.balance, view.key.digest) == (FUNDS - PRICE, key.digest)
    assert view.rate.remaining == 9
