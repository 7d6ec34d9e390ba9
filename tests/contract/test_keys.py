"""Invalid keys are rejected. A malformed key is rejected without a request to the store."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger
from events import make

from bgblur.serving.proxy_events import InvocationContext
from blur.accounts import keys
from blur.accounts.model import KeyKind
from blur.api.removebg.removal_request import Limits
from blur.api.router import Router
from blur.app import routes
from blur.credits import ONE, QUARTER
from blur.engine import Engine
from blur.imaging.matting.models import MODELS
from blur.imaging.matting.session import open_model
from blur.prices import Prices
from blur.service import ImageService
from blur.storage.large_results import Results

from .conftest import ApiResponse

if TYPE_CHECKING:
    import io
    from collections.abc import Callable

    from tests.clocks import Clock

    from blur.accounts.sqlite.account_store import SqliteAccountStore
    from blur.settings import Settings

    from .conftest import Call

KEYS = 1_000


@dataclass
class RecordingStore:
    """A store that records the names of its methods when they are called."""

    store: SqliteAccountStore
    asked: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        self.asked.append(name)
        response: Callable[..., Any] = getattr(self.store, name)
        return response


@pytest.fixture
def recording_store(store: SqliteAccountStore) -> RecordingStore:
    return RecordingStore(store)


@pytest.fixture
def recorded_call(
    recording_store: RecordingStore, settings: Settings, clock: Clock, log: io.StringIO
) -> Call:
    model = open_model(MODELS[settings.model], settings.model_dir, threads=1)
    service = ImageService(
        store=recording_store,
        engine=lambda: Engine(model=lambda: model, max_pixels=settings.max_pixels),
        results=Results(store=None, max_inline_bytes=10**9, new_name=lambda: "name"),
        prices=Prices(image=ONE, preview=QUARTER, person=ONE),
        hold_ttl_s=60,
        deadline_margin_s=0,
        clock=clock,
        ordinary_cpu_ms=settings.ordinary_cpu_ms,
        ticks=time.perf_counter_ns,
        cpu_ticks=time.process_time_ns,
        new_hold_id=lambda: "hold",
    )
    logger = Logger(service=f"test-{id(log)}", stream=log)
    app = Router(
        routes(service, None, 1_000_000, Limits(max_body_bytes=1_000_000)),
        clock=clock,
        logger=logger,
    )
    return lambda event: ApiResponse(app(event, InvocationContext()))


def with_a_typo(text: str, chance: random.Random) -> str:
    """Return the text with one typo: a changed, missing or doubled character, or a swap."""
    at = chance.randrange(len(text) - 1)
    other = chance.choice([c for c in keys.ALPHABET if c != text[at]])
    variants = [
        text[:at] + other + text[at + 1 :],
        text[:at] + text[at + 1 :],
        text[:at] + text[at] + text[at:],
        text[:at] + text[at + 1] + text[at] + text[at + 2 :],
    ]
    return chance.choice([each for each in variants if each != text])


def account_of(key: str | None) -> dict[str, Any]:
    return make.event("GET", "/v2/account", key=key)


def test_1000_malformed_keys_are_rejected_without_a_request_to_the_store(
    recorded_call: Call, recording_store: RecordingStore
) -> None:
    chance = random.Random(0)
    typos = [with_a_typo(make.FUNDED, chance) for _ in range(KEYS - 5)]
    odd = ["x" * 1_000_000, "bb_live_\u0661", make.FUNDED.lower(), f" {make.FUNDED}", "bb_live__"]
    assert {recorded_call(account_of(key)).status for key in (*typos, *odd)} == {401}
    assert recording_store.asked == []


def test_no_photo_is_blurred_for_an_unknown_key_or_without_credits_or_above_the_rate_limit(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blur_photo(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("blur.engine.blur_photo", blur_photo)
    assert call(make.blur(make.FUNDED)).status == 500
    refused = {make.UNKNOWN: 401, make.EMPTY: 402, make.LIMITED: 429}
    assert {key: call(make.blur(key)).status for key in refused} == refused


def test_1000_unknown_keys_get_the_same_response_and_change_no_account(
    recorded_call: Call, recording_store: RecordingStore, store: SqliteAccountStore, clock: Clock
) -> None:
    chance = random.Random(0)
    accounts = ("000000000000", make.FUNDED.split("_")[2])
    unknown = [
        keys.mint(KeyKind.LIVE, accounts[turn % 2], chance.randbytes) for turn in range(KEYS)
    ]
    before = list(store.list_accounts(now_us=clock()))
    responses = [recorded_call(account_of(key)) for key in unknown]
    assert len({str(response.raw) for response in responses}) == 1
    assert responses[0].status == 401
    assert recording_store.asked == ["get_account"] * KEYS
    assert list(store.list_accounts(now_us=clock())) == before
