"""Helpers for tests: calls with one idempotency key, and a store that cannot be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.integration.accounts.customer import Customer, KeyedForm, after, begin

from blur.accounts import idempotency
from blur.accounts.idempotency_key import IdempotencyKey
from blur.errors import IdempotencyInProgressError, UnavailableError

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore

FORM = KeyedForm("order-1", "fingerprint")
KEY = IdempotencyKey(FORM.key)


class Unreachable:
    """A store with some methods that fail as if the store could not be reached."""

    def __init__(self, store: AccountStore, *methods: str) -> None:
        self._store = store
        self._methods = methods

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - returns any method of the store
        if name in self._methods:
            message = "unreachable"
            raise UnavailableError(message, retry_after_s=1)
        return getattr(self._store, name)


def call(store: AccountStore, customer: Customer) -> str:
    """Make one complete call; return "charged", "replayed" or "in progress"."""
    try:
        started = begin(store, customer.hold(now_us=after(1)), FORM, now_us=after(1))
    except IdempotencyInProgressError:
        return "in progress"
    charged = idempotency.commit(store, started, now_us=after(2)).credits_charged
    return "charged" if charged else "replayed"
