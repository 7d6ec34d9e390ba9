"""A known key is looked up only once. The time and the number of look-ups are limited."""

from __future__ import annotations

import asyncio
import threading

import pytest

from bgblur.serving import known_keys
from bgblur.serving.known_keys import KnownKeys
from blur.accounts.keys import ApiKey
from blur.accounts.model import KeyKind
from blur.errors import InvalidApiKeyError, OverloadedError, UnavailableError


def key(digest: str) -> ApiKey:
    return ApiKey(KeyKind.LIVE, "account", digest, "prefix")


def available() -> None:
    """Find no problem with the store."""


def test_a_key_in_the_store_is_looked_up_once_and_an_unknown_key_each_time() -> None:
    asked: list[str] = []

    def is_known(each: ApiKey) -> bool:
        asked.append(each.digest)
        return each.digest == "known"

    async def test() -> None:
        known = KnownKeys(is_known, available)
        for _ in range(2):
            await known.require(key("known"))
            with pytest.raises(InvalidApiKeyError):
                await known.require(key("unknown"))
        known.forget(key("known"))
        await known.require(key("known"))

    asyncio.run(test())
    assert asked == ["known", "unknown", "unknown", "known"]


def test_the_number_of_remembered_keys_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_keys, "MAX_REMEMBERED", 2)
    asked: list[str] = []

    def is_known(each: ApiKey) -> bool:
        asked.append(each.digest)
        return True

    async def test() -> None:
        known = KnownKeys(is_known, available)
        for digest in "abcbca":
            await known.require(key(digest))

    asyncio.run(test())
    assert asked == ["a", "b", "c", "a"]


def test_a_limited_number_of_requests_waits_for_a_store_that_does_not_respond(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(known_keys, "TIMEOUT_S", 0.05)
    monkeypatch.setattr(known_keys, "MAX_WAITING", 3)
    answering = threading.Event()

    async def test() -> None:
        known = KnownKeys(lambda _: answering.wait(30), available)
        tasks = [asyncio.create_task(known.require(key(str(n)))) for n in range(5)]
        failures = [type(each) for each in await asyncio.gather(*tasks, return_exceptions=True)]
        assert sorted(failures, key=str) == [OverloadedError] * 2 + [UnavailableError] * 3
        answering.set()
        while True:  # wait until the store responds again
            try:
                await known.require(key("another"))
            except OverloadedError:
                await asyncio.sleep(0.01)
            else:
                return

    asyncio.run(asyncio.wait_for(test(), 20))


def test_the_check_of_the_store_raises_its_errors_and_has_the_same_time_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(known_keys, "TIMEOUT_S", 0.05)
    released, failures = threading.Event(), [UnavailableError("full", retry_after_s=1)]

    def require_available() -> None:
        if failures:
            raise failures.pop()
        assert released.wait(30)

    async def test() -> None:
        known = KnownKeys(lambda _: True, require_available)
        with pytest.raises(UnavailableError, match="full"):
            await known.require_store()
        with pytest.raises(UnavailableError, match="in time"):
            await known.require_store()
        released.set()
        await known.require_store()

    asyncio.run(test())


@pytest.mark.parametrize("failure", [UnavailableError("", retry_after_s=1), RuntimeError()])
def test_a_failure_of_the_store_is_not_cached(failure: Exception) -> None:
    failures = [failure]

    def is_known(_: ApiKey) -> bool:
        if failures:
            raise failures.pop()
        return True

    async def test() -> None:
        known = KnownKeys(is_known, available)
        with pytest.raises(type(failure)):
            await known.require(key("a"))
        await known.require(key("a"))

    asyncio.run(test())
