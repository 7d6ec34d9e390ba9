"""One call of the use case: holds, charges, refunds, storage and responses."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_bytes
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from tests.unit.imaging.test_pipeline import DiscPredictor

from blur.account_status import AccountStatus, RateLimit
from blur.accounts import keys
from blur.accounts.admin import AccountAdmin
from blur.accounts.idempotency import IdempotencyKey
from blur.accounts.model import Hold, Instant, KeyKind, Weight
from blur.accounts.sqlite.account_store import SqliteAccountStore
from blur.credits import Credits
from blur.errors import (
    IdempotencyConflictError,
    ImageTooLargeError,
    InsufficientCreditsError,
    InvalidApiKeyError,
    InvalidImageError,
    RateLimitError,
    UnavailableError,
)
from blur.forms import BlurForm
from blur.image_requests import BlurRequest, Engine
from blur.imaging.decomposition import SUBJECTS
from blur.imaging.options import BlurOptions
from blur.imaging.pipeline import BlurredPhoto, blur_photo
from blur.parameter_errors import InvalidRadiusError
from blur.prices import Prices
from blur.service import STEPS, CallResult, ImageService
from blur.skew import CLOCK_SKEW_S
from blur.storage.large_results import Results
from blur.storage.ports import Link
from blur.timing import TOTAL

if TYPE_CHECKING:
    from blur.accounts.keys import ApiKey

START = Instant(1_800_000_000_000_000)
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
class Clock:
    """A clock that a test moves."""

    at_us: int = START

    def __call__(self) -> Instant:
        return Instant(self.at_us)


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
        engine=Engine(model=DiscPredictor, max_pixels=40 * 30),
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
    **call: Any,  # noqa: ANN401 - the arguments of `run`
) -> CallResult[BlurredPhoto]:
    """Blur the photo of a request, which `read` returns."""

    def parse() -> BlurForm:
        request = read()
        return BlurForm(request.options, lambda: request.image)

    return service.run(key, parse, prices=service.prices.blur, **call)


def balances(store: SqliteAccountStore, key: ApiKey, at_us: int = START) -> tuple[int, int, int]:
    account = store.read_account(key.account_id, now_us=Instant(at_us))
    return account.balance, account.held, account.used


def test_a_live_key_is_charged_and_gets_image_status_and_times(
    service: ImageService, store: SqliteAccountStore, key: ApiKey
) -> None:
    result = run(service, key, lambda: REQUEST, left_ms=28_000)
    assert (result.status.credits_charged, result.status.credits_left) == (PRICE, FUNDS - PRICE)
    assert result.status.rate.remaining == 9
    assert balances(store, key) == (FUNDS - PRICE, 0, PRICE)
    blurred = blur_photo(
        REQUEST.image,
        OPTIONS,
        model=DiscPredictor(),
        max_pixels=40 * 30,
        watermarked=False,
        on_step=lambda _: None,
    )
    assert result.output == blurred
    assert (result.replayed, result.link) == (False, None)
    assert result.durations_ms == dict.fromkeys(STEPS, 1.0) | {TOTAL: len(STEPS) + 1.0}


def test_a_test_key_is_free_and_its_result_has_a_watermark(
    service: ImageService, store: SqliteAccountStore, key: ApiKey
) -> None:
    free = key_of_kind(store, KeyKind.TEST)
    watermarked = run(service, free, lambda: REQUEST, left_ms=28_000)
    assert watermarked.status.credits_charged == 0
    assert balances(store, free) == (FUNDS, 0, 0)
    assert (
        watermarked.output.image.data
        != run(service, key, lambda: REQUEST, left_ms=28_000).output.image.data
    )


def test_during_blurring_the_price_is_held_with_the_configured_lifetime(
    service: ImageService, store: SqliteAccountStore, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def predict(model: DiscPredictor, pixels: object) -> None:
        del model, pixels
        for after_s in (0, TTL_S - 1, TTL_S + CLOCK_SKEW_S):
            now_us = Instant(START + after_s * 1_000_000)
            account = store.read_account(key.account_id, now_us=now_us)
            seen.append((account.balance, account.held))
        message = "enough seen"
        raise RuntimeError(message)

    monkeypatch.setattr(DiscPredictor, "predict", predict)
    with pytest.raises(RuntimeError, match="enough seen"):
        run(service, key, lambda: REQUEST, left_ms=28_000)
    assert seen == [(FUNDS - PRICE, PRICE), (FUNDS - PRICE, PRICE), (FUNDS, 0)]
    assert balances(store, key) == (FUNDS, 0, 0)


def test_a_rejected_photo_costs_nothing_and_the_error_has_the_account_status(
    service: ImageService, store: SqliteAccountStore, key: ApiKey
) -> None:
    with pytest.raises(InvalidImageError) as caught:
        run(service, key, lambda: replace(REQUEST, image=b"no image"), left_ms=28_000)
    standing = caught.value.account_status
    assert standing is not None
    assert (standing.credits_charged, standing.credits_left) == (0, FUNDS)
    assert balances(store, key) == (FUNDS, 0, 0)


def test_a_photo_with_one_pixel_too_many_is_rejected(service: ImageService, key: ApiKey) -> None:
    tight = replace(service, engine=replace(service.engine, max_pixels=40 * 30 - 1))
    with pytest.raises(ImageTooLargeError):
        run(tight, key, lambda: REQUEST, left_ms=28_000)


def test_an_internal_error_is_not_charged(
    service: ImageService, store: SqliteAccountStore, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(model: DiscPredictor, pixels: object) -> None:
        del model, pixels
        raise KeyboardInterrupt

    monkeypatch.setattr(DiscPredictor, "predict", broken)
    with pytest.raises(KeyboardInterrupt):
        run(service, key, lambda: REQUEST, left_ms=28_000)
    assert balances(store, key) == (FUNDS, 0, 0)


@pytest.mark.parametrize(("left_ms", "done"), [(5_000, False), (5_001, True)])
def test_a_call_with_only_the_margin_left_stops_without_a_charge(
    service: ImageService, store: SqliteAccountStore, key: ApiKey, left_ms: int, *, done: bool
) -> None:
    if done:
        run(service, key, lambda: REQUEST, left_ms=left_ms)
    else:
        with pytest.raises(UnavailableError):
            run(service, key, lambda: REQUEST, left_ms=left_ms)
    assert balances(store, key) == ((FUNDS - PRICE, 0, PRICE) if done else (FUNDS, 0, 0))


def test_a_large_result_is_stored_with_the_extension_of_its_format(
    service: ImageService, result_store: RecordingResultStore, key: ApiKey
) -> None:
    small = replace(
        service, results=Results(store=result_store, max_inline_bytes=1, new_name=lambda: "name")
    )
    request = BlurRequest(photo(), replace(OPTIONS, mode="cutout", output="webp"))
    result = run(small, key, lambda: request, left_ms=28_000)
    stored = ("results/name", result.output.image.data, "image/webp", "cutout.webp", START)
    assert result_store.stored == [stored]
    assert result.link == Link("https://bucket.example/results/name", START + 900_000_000)


def test_a_call_repeated_with_its_idempotency_key_is_blurred_again_and_charged_once(
    service: ImageService, store: SqliteAccountStore, key: ApiKey, clock: Clock
) -> None:
    first = run(service, key, lambda: REQUEST, left_ms=28_000, idempotency_key=KEY)
    clock.at_us += 1_000_000
    again = run(service, key, lambda: REQUEST, left_ms=28_000, idempotency_key=KEY)
    assert (first.replayed, again.replayed) == (False, True)
    assert first.output.image == again.output.image
    assert again.status.credits_charged == 0
    other_key = IdempotencyKey("order-2")
    assert not run(
        service, key, lambda: REQUEST, left_ms=28_000, idempotency_key=other_key
    ).replayed
    other = replace(REQUEST, options=replace(OPTIONS, radius_px=4))
    with pytest.raises(IdempotencyConflictError):
        run(service, key, lambda: other, left_ms=28_000, idempotency_key=KEY)
    assert balances(store, key) == (FUNDS - 2 * PRICE, 0, 2 * PRICE)


def test_an_empty_balance_is_rejected_before_any_work(
    service: ImageService, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(FUNDS // PRICE):
        run(service, key, lambda: REQUEST, left_ms=28_000)
    monkeypatch.delattr(DiscPredictor, "predict")
    with pytest.raises(InsufficientCreditsError):
        run(service, key, lambda: REQUEST, left_ms=28_000)


@pytest.mark.parametrize(
    "other",
    [
        BlurRequest(b"other", OPTIONS),
        *(
            BlurRequest(REQUEST.image, replace(OPTIONS, **change))
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
def test_different_requests_have_different_fingerprints(other: BlurRequest) -> None:
    assert other.fingerprint() != REQUEST.fingerprint()
    assert len(other.fingerprint()) == 64


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterOptions(BlurOptions):
    """The options of a later version, with one additional parameter."""

    grain: int = 0


def test_a_newer_parameter_changes_a_fingerprint_only_if_it_is_set() -> None:
    fingerprints = [
        BlurRequest(b"photo", options).fingerprint()
        for options in (OPTIONS, LaterOptions(radius_px=3), LaterOptions(radius_px=3, grain=1))
    ]
    # The fingerprint of the first version, with all its fields: records from the last 24 h have it.
    first = "b7fa37998362e40739befc85e237adc60b484cd47107cf2e74b38648918dc9f4"
    assert fingerprints[:2] == [first, first]
    assert fingerprints[2] != first


def test_a_form_is_read_after_the_hold_and_an_invalid_form_is_refunded(
    service: ImageService, store: SqliteAccountStore, key: ApiKey
) -> None:
    held = []

    def read() -> BlurRequest:
        held.append(balances(store, key))
        message = "no such field"
        raise InvalidRadiusError(message)

    with pytest.raises(InvalidRadiusError) as caught:
        run(service, key, read, left_ms=28_000)
    assert held == [(FUNDS - PRICE, PRICE, 0)]
    standing = caught.value.account_status
    assert standing is not None
    assert (standing.credits_charged, standing.credits_left, standing.rate.remaining) == (
        0,
        FUNDS,
        9,
    )
    assert balances(store, key) == (FUNDS, 0, 0)


def test_no_form_is_read_for_a_key_that_is_unknown_over_its_limit_or_without_credits(
    service: ImageService, store: SqliteAccountStore, key: ApiKey
) -> None:
    def read() -> BlurRequest:
        raise AssertionError

    unknown = keys.parse(keys.mint(KeyKind.LIVE, key.account_id, token_bytes))
    with pytest.raises(InvalidApiKeyError):
        run(service, unknown, read, left_ms=28_000)
    above = Credits(FUNDS + 1)
    poor = replace(service, prices=Prices(image=above, preview=PRICE, person=above))
    for idempotency_key in (None, KEY):
        with pytest.raises(InsufficientCreditsError):
            run(poor, key, read, left_ms=28_000, idempotency_key=idempotency_key)
    for _ in range(8):
        service.store.authorize(key.account_id, key.digest, now_us=START)
    for idempotency_key in (None, KEY):
        with pytest.raises(RateLimitError):
            run(service, key, read, left_ms=28_000, idempotency_key=idempotency_key)
    assert balances(store, key) == (FUNDS, 0, 0)


def test_a_result_for_a_disconnected_client_is_not_charged(
    service: ImageService, store: SqliteAccountStore, key: ApiKey
) -> None:
    result = run(service, key, lambda: REQUEST, left_ms=28_000, is_client_connected=lambda: False)
    assert (result.status.credits_charged, result.status.credits_left) == (0, FUNDS)
    assert balances(store, key) == (FUNDS, 0, 0)


def test_a_result_with_an_idempotency_key_is_charged_even_if_its_client_disconnected(
    service: ImageService, store: SqliteAccountStore, key: ApiKey
) -> None:
    disconnected: Any = {
        "left_ms": 28_000,
        "idempotency_key": KEY,
        "is_client_connected": lambda: False,
    }
    assert run(service, key, lambda: REQUEST, **disconnected).status.credits_charged == PRICE
    assert run(service, key, lambda: REQUEST, **disconnected).replayed
    assert balances(store, key) == (FUNDS - PRICE, 0, PRICE)


@pytest.mark.parametrize(("cpu_ms", "weight"), [(0, 1), (100, 1), (101, 2), (310, 4)])
def test_an_uncharged_call_counts_by_its_cpu_time(
    service: ImageService, store: SqliteAccountStore, key: ApiKey, cpu_ms: int, weight: int
) -> None:
    def heavy() -> ImageService:
        ticks = itertools.count(step=cpu_ms * 1_000_000)
        return replace(service, cpu_ticks=lambda: next(ticks))

    with pytest.raises(InvalidImageError) as caught:
        run(heavy(), key, lambda: replace(REQUEST, image=b""), left_ms=28_000)
    assert caught.value.account_status is not None
    assert caught.value.account_status.rate.remaining == 10 - weight
    free = key_of_kind(store, KeyKind.TEST)
    watermarked = run(heavy(), free, lambda: REQUEST, left_ms=28_000)
    assert watermarked.status.rate.remaining == 10 - weight
    live = key_of_kind(store, KeyKind.LIVE)
    paid = run(heavy(), live, lambda: REQUEST, left_ms=28_000, idempotency_key=KEY)
    assert paid.status.rate.remaining == 9
    replay = run(heavy(), live, lambda: REQUEST, left_ms=28_000, idempotency_key=KEY)
    assert (replay.replayed, replay.status.rate.remaining) == (True, 9 - weight)
    disconnected = run(
        heavy(), live, lambda: REQUEST, left_ms=28_000, is_client_connected=lambda: False
    )
    assert disconnected.status.rate.remaining == max(0, 9 - 2 * weight)


@pytest.mark.parametrize(("cpu_ms", "weight"), [(100, None), (101, Weight(1, RateLimit(60, 10)))])
def test_the_weight_is_computed_for_this_call_with_the_limit_of_the_key(
    service: ImageService, key: ApiKey, cpu_ms: int, weight: Weight | None
) -> None:
    seen: list[Weight | None] = []

    class RecordingStore:
        def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - every method of the store
            return getattr(service.store, name)

        def refund(
            self, hold: Hold, *, now_us: Instant, weight: Weight | None, failed: bool
        ) -> AccountStatus:
            assert failed
            seen.append(weight)
            return service.store.refund(hold, now_us=now_us, weight=weight)

    ticks = itertools.count(7_000_000_000, step=cpu_ms * 1_000_000)
    recorded: Any = RecordingStore()
    heavy = replace(service, store=recorded, cpu_ticks=lambda: next(ticks))
    with pytest.raises(InvalidImageError):
        run(heavy, key, lambda: replace(REQUEST, image=b""), left_ms=28_000)
    assert seen == [weight]


def test_the_total_time_is_the_whole_call_with_storing_and_settling(
    service: ImageService, key: ApiKey
) -> None:
    now_ms = itertools.count()

    class SlowResultStore(RecordingResultStore):
        def put(self, name: str, data: bytes, **described: Any) -> Link:  # noqa: ANN401 - passed on
            for _ in range(500):
                next(now_ms)
            return super().put(name, data, **described)

    slow = replace(
        service,
        ticks=lambda: next(now_ms) * 1_000_000,
        results=Results(store=SlowResultStore(), max_inline_bytes=1, new_name=lambda: "name"),
    )
    durations_ms = run(slow, key, lambda: REQUEST, left_ms=28_000).durations_ms
    assert tuple(durations_ms) == (*STEPS, TOTAL)
    assert durations_ms["store"] == 501
    steps_ms = sum(durations_ms[step] for step in STEPS)
    assert durations_ms[TOTAL] == steps_ms + 1  # from the start to the first step


def test_a_free_request_is_counted_and_its_errors_have_the_status(
    service: ImageService, store: SqliteAccountStore, key: ApiKey, clock: Clock
) -> None:
    for remaining in (9, 8):
        with service.authorized(key) as status:
            assert status.rate.remaining == remaining
    clock.at_us += 60_000_000
    message = "refused"
    with pytest.raises(InvalidRadiusError) as caught, service.authorized(key):
        raise InvalidRadiusError(message)
    assert caught.value.account_status is not None
    assert caught.value.account_status.rate.remaining == 9
    assert balances(store, key) == (FUNDS, 0, 0)


def test_an_account_is_shown_with_its_current_status(
    service: ImageService, key: ApiKey, clock: Clock
) -> None:
    run(service, key, lambda: REQUEST, left_ms=28_000)
    clock.at_us += 1_000_000
    view = service.account(key)
    assert (view.account.balance, view.key.digest) == (FUNDS - PRICE, key.digest)
    assert view.rate.remaining == 9


PERSON = Credits(1)


@pytest.fixture
def priced(service: ImageService) -> ImageService:
    """Return a service whose price depends on the form."""
    return replace(service, prices=Prices(image=PRICE, preview=PRICE, person=PERSON))


def test_photos_of_people_have_their_own_price_and_other_photos_the_usual_one(
    priced: ImageService, store: SqliteAccountStore, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SUBJECTS, "person", SUBJECTS["auto"])
    person = replace(REQUEST, options=replace(OPTIONS, subject="person"))
    assert run(priced, key, lambda: person, left_ms=28_000).status.credits_charged == PERSON
    assert run(priced, key, lambda: REQUEST, left_ms=28_000).status.credits_charged == PRICE
    assert balances(store, key) == (FUNDS - PERSON - PRICE, 0, PERSON + PRICE)


def test_a_form_that_decides_the_price_is_read_before_the_hold_and_its_image_after_it(
    priced: ImageService, store: SqliteAccountStore, key: ApiKey
) -> None:
    seen = []

    def load() -> bytes:
        seen.append(("image", balances(store, key)))
        return REQUEST.image

    def parse() -> BlurForm:
        seen.append(("form", balances(store, key)))
        return BlurForm(OPTIONS, load)

    result = priced.run(key, parse, prices=priced.prices.blur, left_ms=28_000)
    assert seen == [("form", (FUNDS, 0, 0)), ("image", (FUNDS - PRICE, PRICE, 0))]
    assert set(result.durations_ms) == {*STEPS, TOTAL}


def test_an_invalid_form_that_decides_the_price_costs_nothing_and_counts_as_a_request(
    priced: ImageService, store: SqliteAccountStore, key: ApiKey
) -> None:
    with pytest.raises(InvalidRadiusError) as caught:
        run(priced, key, invalid, left_ms=28_000)
    status = caught.value.account_status
    assert status is not None
    assert (status.credits_charged, status.credits_left, status.rate.remaining) == (0, FUNDS, 9)
    assert balances(store, key) == (FUNDS, 0, 0)


def invalid() -> BlurRequest:
    message = "no such field"
    raise InvalidRadiusError(message)


def test_errors_for_key_rate_and_balance_come_before_the_error_for_a_form_that_decides_the_price(
    priced: ImageService, store: SqliteAccountStore, key: ApiKey
) -> None:
    unknown = keys.parse(keys.mint(KeyKind.LIVE, key.account_id, token_bytes))
    with pytest.raises(InvalidApiKeyError):
        run(priced, unknown, invalid, left_ms=28_000)
    poor = replace(priced, prices=Prices(image=FUNDS, preview=FUNDS, person=Credits(FUNDS + 1)))
    with pytest.raises(InvalidRadiusError):
        run(poor, key, invalid, left_ms=28_000)
    poor = replace(priced, prices=Prices(image=Credits(FUNDS + 1), preview=PRICE, person=FUNDS))
    with pytest.raises(InvalidRadiusError):
        run(poor, key, invalid, left_ms=28_000)
    poorest = replace(
        priced, prices=Prices(image=Credits(FUNDS + 1), preview=PRICE, person=Credits(FUNDS + 2))
    )
    with pytest.raises(InsufficientCreditsError) as caught:
        run(poorest, key, invalid, left_ms=28_000)
    assert caught.value.account_status is not None
    assert caught.value.account_status.rate.remaining == 7
    free = key_of_kind(store, KeyKind.TEST)
    with pytest.raises(InvalidRadiusError):
        run(poorest, free, invalid, left_ms=28_000)
    for _ in range(7):
        priced.store.authorize(key.account_id, key.digest, now_us=START)
    with pytest.raises(RateLimitError):
        run(priced, key, invalid, left_ms=28_000)
    assert balances(store, key) == (FUNDS, 0, 0)
