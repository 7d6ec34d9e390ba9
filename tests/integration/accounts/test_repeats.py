"""Repeated calls without an `Idempotency-Key`: only the first call is charged, on both stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.accounts.customer import START, Customer, MakeAccount, key_record
from tests.integration.accounts.repeated_calls import (
    DEDUPE_S,
    Photo,
    RecordingStore,
    amounts,
    failing,
    run,
    service_of,
    summary,
)

from blur.account_status import RateLimit
from blur.accounts.idempotency_key import IdempotencyKey
from blur.accounts.repeats import derived_key
from blur.errors import (
    InsufficientCreditsError,
    NoSubjectError,
    RateLimitError,
    UnavailableError,
)
from blur.service import REMOVAL_STEPS, ImageService
from blur.skew import CLOCK_SKEW_S
from blur.timing import TOTAL

if TYPE_CHECKING:
    from tests.clocks import Clock

    from blur.accounts.ports import AccountStore


def test_a_copy_of_a_call_is_not_charged_and_gets_the_result_again(
    service: ImageService, store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    assert summary(run(service, customer, Photo())) == ("result", False, 1)
    clock.advance(DEDUPE_S - 1)
    assert summary(run(service, customer, Photo())) == ("result", True, 0)
    assert amounts(store, customer, clock) == (9, 0, 1)


def test_the_timed_steps_of_a_removal_are_in_the_documented_order(
    service: ImageService, make_account: MakeAccount
) -> None:
    result = run(service, make_account(credits=10), Photo())
    assert list(result.durations_ms) == [*REMOVAL_STEPS, TOTAL]
    documented = ("read", "reserve", "decode", "matte", "refine", "render", "encode", "store")
    assert (*documented, "settle") == REMOVAL_STEPS


def test_copy_after_two_minutes_is_charged_as_a_new_call(
    service: ImageService, store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    run(service, customer, Photo())
    clock.advance(DEDUPE_S + CLOCK_SKEW_S)
    assert summary(run(service, customer, Photo())) == ("result", False, 1)
    assert amounts(store, customer, clock) == (8, 0, 2)


def test_call_with_other_content_or_another_api_key_is_charged_as_a_new_call(
    service: ImageService, store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    record = key_record(customer.account_id)
    store.add_key(record, now_us=START)
    other_key = Customer(customer.account_id, record.digest)
    for customer_, photo in ((customer, Photo()), (customer, Photo("other")), (other_key, Photo())):
        assert not run(service, customer_, photo).replayed
    assert amounts(store, customer, clock) == (7, 0, 3)


def test_every_copy_is_charged_if_dedupe_s_is_zero(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    service, customer = service_of(store, clock, dedupe_s=0), make_account(credits=10)
    for _ in range(2):
        assert not run(service, customer, Photo()).replayed
    assert amounts(store, customer, clock) == (8, 0, 2)


def test_copy_is_replayed_when_the_account_has_no_credits_left(
    service: ImageService, store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=1)
    run(service, customer, Photo())
    assert summary(run(service, customer, Photo())) == ("result", True, 0)
    with pytest.raises(InsufficientCreditsError):
        run(service, customer, Photo("other"))
    assert amounts(store, customer, clock) == (0, 0, 1)


def test_copy_of_a_failed_call_is_charged_as_a_new_call(
    service: ImageService, store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    with pytest.raises(NoSubjectError):
        run(service, customer, Photo(render_once=failing))
    assert amounts(store, customer, clock) == (10, 0, 0)
    assert summary(run(service, customer, Photo())) == ("result", False, 1)
    assert amounts(store, customer, clock) == (9, 0, 1)


def test_a_call_of_a_client_that_disconnected_is_free_and_its_retry_is_charged(
    service: ImageService, store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    lost = run(service, customer, Photo(), is_client_connected=lambda: False)
    assert lost.status.credits_charged == 0
    assert summary(run(service, customer, Photo())) == ("result", False, 1)
    assert amounts(store, customer, clock) == (9, 0, 1)


def test_an_idempotency_key_from_the_client_replaces_the_derived_key(
    service: ImageService, store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    for value in ("a", "b"):
        assert not run(service, customer, Photo(), idempotency_key=IdempotencyKey(value)).replayed
    clock.advance(DEDUPE_S + CLOCK_SKEW_S)
    assert run(service, customer, Photo(), idempotency_key=IdempotencyKey("a")).replayed
    assert amounts(store, customer, clock) == (8, 0, 2)


def test_derived_keys_of_different_content_have_different_scopes() -> None:
    one, other = (derived_key(content, remember_us=1) for content in ("one", "other"))
    assert one.scope("digest") != other.scope("digest")
    assert one.scope("digest") != IdempotencyKey("one").scope("digest")


def test_a_copy_does_not_wait_for_a_failed_call_whose_record_is_still_in_the_store(
    service: ImageService, store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)

    class Unconfirmed(RecordingStore):
        """A store that stores the idempotency record, but whose response is lost."""

        def claim_record(self, *args: Any, **times: Any) -> Any:  # noqa: ANN401 - the arguments are passed on
            self.store.claim_record(*args, **times)
            message = "unreachable"
            raise UnavailableError(message)

    with pytest.raises(UnavailableError):
        run(service_of(Unconfirmed(store), clock), customer, Photo())
    started_us = clock.at_us
    assert summary(run(service, customer, Photo())) == ("result", False, 1)
    assert clock.at_us == started_us
    assert amounts(store, customer, clock) == (9, 0, 1)


def test_repeated_calls_with_a_url_are_charged_again_only_if_the_image_at_the_url_is_new(
    service: ImageService, store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=2)
    old, new = Photo("url", image="old"), Photo("url", image="new")
    assert [run(service, customer, photo).replayed for photo in (old, old, new, new, old)] == [
        False,
        True,
        False,
        True,
        True,
    ]
    assert amounts(store, customer, clock) == (0, 0, 2)
    with pytest.raises(InsufficientCreditsError):
        run(service, customer, Photo("url", image="newest"))
    assert amounts(store, customer, clock) == (0, 0, 2)


def test_image_of_a_call_without_credits_or_above_the_rate_limit_is_not_loaded(
    service: ImageService, make_account: MakeAccount
) -> None:
    poor = make_account(credits=0)
    limited = make_account(credits=10, limit=RateLimit(1, 1))
    photo = Photo()
    with pytest.raises(InsufficientCreditsError):
        run(service, poor, photo)
    run(service, limited, Photo())
    with pytest.raises(RateLimitError):
        run(service, limited, photo)
    assert photo.loaded == []
