from __future__ import annotations

import asyncio

import pytest

from bgblur.serving.readiness import CHECK_EVERY_S, Readiness
from blur.errors import OverloadedError, UnavailableError


class Checks:
    """A fake pool and a fake store that raise the errors that a test sets."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.pool_error: Exception | None = None
        self.store_error: Exception | None = None
        self.store_checks = 0
        self.readiness = Readiness(self._place, self._store, lambda: self.now_s)

    def _place(self) -> None:
        if self.pool_error:
            raise self.pool_error

    async def _store(self) -> None:
        self.store_checks += 1
        await asyncio.sleep(0)
        if self.store_error:
            raise self.store_error


def test_the_store_is_checked_at_most_once_per_second() -> None:
    checks = Checks()

    async def ask() -> None:
        await asyncio.gather(*(checks.readiness.require() for _ in range(50)))
        checks.now_s += CHECK_EVERY_S
        await asyncio.gather(*(checks.readiness.require() for _ in range(50)))

    asyncio.run(ask())
    assert checks.store_checks == 2


def test_concurrent_requests_all_get_the_error_of_one_failed_check() -> None:
    checks = Checks()
    checks.store_error = UnavailableError("The store does not respond.", retry_after_s=1)

    async def ask() -> list[object]:
        asked = (checks.readiness.require() for _ in range(50))
        return await asyncio.gather(*asked, return_exceptions=True)

    assert all(isinstance(error, UnavailableError) for error in asyncio.run(ask()))
    assert checks.store_checks == 1


@pytest.mark.parametrize(
    "name_and_error",
    [
        ("pool_error", OverloadedError(retry_after_s=1)),
        ("store_error", UnavailableError("The store does not respond.", retry_after_s=1)),
    ],
)
def test_the_error_of_a_failed_check_is_raised_until_a_later_check_succeeds(
    name_and_error: tuple[str, Exception],
) -> None:
    checks = Checks()
    name, error = name_and_error
    setattr(checks, name, error)

    async def ask() -> None:
        for _ in range(2):
            with pytest.raises(type(error)):
                await checks.readiness.require()
        setattr(checks, name, None)
        checks.now_s += CHECK_EVERY_S
        await checks.readiness.require()

    asyncio.run(ask())
