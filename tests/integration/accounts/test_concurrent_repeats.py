"""If copies of a call are sent at the same time, one of them is charged and all get the result."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING

from tests.integration.accounts.repeated_calls import (
    Photo,
    amounts,
    failing,
    run,
    service_of,
    slow,
    summary,
)
from tests.integration.accounts.spending import with_retries

from blur.errors import (
    InsufficientCreditsError,
    NoSubjectError,
)

if TYPE_CHECKING:
    from tests.clocks import Clock
    from tests.integration.accounts.customer import MakeAccount

    from blur.accounts.ports import AccountStore


# Each copy that arrives before the record of the first call exists reserves a credit. So the
# account gets as many credits as there are copies.
COPIES = 24


def test_only_one_of_24_concurrent_copies_is_charged_and_all_get_the_result(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=COPIES)
    service = service_of(store, clock, sleep=lambda _: time.sleep(0.02))
    photo = Photo(render_once=slow)
    with ThreadPoolExecutor(COPIES) as pool:
        results = list(
            pool.map(lambda _: with_retries(lambda: run(service, customer, photo)), range(COPIES))
        )
    replays = [("result", True, 0)] * (COPIES - 1)
    assert sorted(map(summary, results)) == [("result", False, 1), *replays]
    assert amounts(store, customer, clock) == (COPIES - 1, 0, 1)


def test_12_concurrent_copies_that_share_the_last_credit_all_get_the_result(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=1)
    service = service_of(store, clock, sleep=lambda _: time.sleep(0.02))
    photo = Photo(render_once=slow)

    def call(_: int) -> str:
        # A copy that reserves the credit before the first call has written its record can get 402,
        # as documented.
        for _ in range(50):
            try:
                return with_retries(lambda: run(service, customer, photo)).output.text
            except InsufficientCreditsError:
                time.sleep(0.05)
        raise AssertionError

    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(call, range(12))) == {"result"}
    assert amounts(store, customer, clock) == (0, 0, 1)


def test_if_two_of_12_concurrent_copies_fail_exactly_one_other_copy_is_charged(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer, attempts, lock = make_account(credits=12), count(), Lock()
    service = service_of(store, clock, sleep=lambda _: time.sleep(0.02))

    def fails_twice() -> str:
        time.sleep(0.05)
        with lock:
            attempt = next(attempts)
        return failing() if attempt < 2 else "result"

    def call(_: int) -> tuple[str, bool, int | None]:
        try:
            return summary(
                with_retries(lambda: run(service, customer, Photo(render_once=fails_twice)))
            )
        except NoSubjectError:
            return "failed", False, 0

    with ThreadPoolExecutor(12) as pool:
        results = sorted(pool.map(call, range(12)))
    assert results[:2] == [("failed", False, 0)] * 2
    assert results[2:] == [("result", False, 1)] + [("result", True, 0)] * 9
    assert amounts(store, customer, clock) == (11, 0, 1)


def test_concurrent_calls_for_a_url_with_changing_images_are_charged_once_for_each_image(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=20)
    service = service_of(store, clock, sleep=lambda _: time.sleep(0.02))

    def call(number: int) -> bool:
        photo = Photo("url", image=f"image {number % 3}", render_once=slow)
        return with_retries(lambda: run(service, customer, photo)).replayed

    with ThreadPoolExecutor(18) as pool:
        assert sorted(pool.map(call, range(18))) == [False] * 3 + [True] * 15
    assert amounts(store, customer, clock) == (17, 0, 3)
