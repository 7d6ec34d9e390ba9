"""If the store fails during a call to remove.bg's route, the call is charged at most once.

This also holds if the client repeats the call.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger
from events import make
from tests.clocks import Clock
from tests.faults.balances import open_balances

import blur.app
from bgblur.serving.proxy_events import InvocationContext
from blur.api.removebg.paths import ACCOUNT_PATH
from blur.clock import now
from blur.credits import QUARTER
from blur.errors import UnavailableError
from blur.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from blur.accounts.ports import AccountStore

pytestmark = pytest.mark.usefixtures("quick_networks")

STEPS = {
    "find_record": 503,
    "reserve": 503,
    "claim_record": 503,
    "complete_record": 200,
    "settle": 200,
    "refund": 400,
}
"""The method at which the store starts to fail, and the status of the response."""


@dataclass
class FailingStore:
    """A store that becomes unreachable when a chosen method is called, until it is repaired."""

    store: AccountStore
    method: str
    is_down: bool = False
    is_repaired: bool = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - returns any method of the store
        self.is_down |= name == self.method
        if self.is_down and not self.is_repaired:
            return self._fail
        return getattr(self.store, name)

    @staticmethod
    def _fail(*_: object, **__: object) -> None:
        message = "The account store cannot be reached. Nothing was charged."
        raise UnavailableError(message, retry_after_s=1)


@pytest.fixture
def settings(location: str, tmp_path: Path, model_dir: Path) -> Settings:
    return Settings(accounts=location, model_dir=model_dir, site_dir=tmp_path / "none")


def handler_of(
    settings: Settings, store: FailingStore, clock: Clock
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blur.app, "open_account_store", lambda _: store)
        handler = blur.app.build_app(settings, clock=clock, logger=Logger(service="faults"))
    return lambda event: handler(event, InvocationContext())


@pytest.mark.parametrize(("method", "status"), STEPS.items())
def test_a_call_with_a_failing_store_and_its_retry_are_charged_at_most_once(
    store: AccountStore, settings: Settings, method: str, status: int
) -> None:
    balances, clock = open_balances(store, price=QUARTER), Clock(now())
    failing = FailingStore(store, method)
    call = handler_of(settings, failing, clock)
    event = make.removal(balances.key, make.flat() if method == "refund" else make.jpeg())
    response = call(event)
    assert response["statusCode"] == status
    if status != 200:
        (error,) = json.loads(response["body"])["errors"]
        assert all(isinstance(value, str) for value in error.values())
        assert error["title"]
        assert response["multiValueHeaders"]["X-Credits-Charged"] == ["0"]
    if status == 503:
        assert error["code"] == "temporarily_unavailable"
        assert response["multiValueHeaders"]["Retry-After"] == ["1"]
    failing.is_repaired = True
    clock.advance(settings.hold_ttl_s + 10)
    assert balances.exact(at_us=clock()).held == 0
    again = call(event)
    assert again["statusCode"] == (400 if method == "refund" else 200)
    clock.advance(settings.hold_ttl_s + 10)
    account = balances.exact(at_us=clock())
    assert account.held == 0
    assert account.used == (0 if method == "refund" else 1)


def test_a_call_whose_account_cannot_be_read_gets_503_in_remove_bgs_format(
    store: AccountStore, settings: Settings
) -> None:
    balances = open_balances(store, price=QUARTER)
    call = handler_of(settings, FailingStore(store, "get_account"), Clock(now()))
    response = call(make.event("GET", ACCOUNT_PATH, key=balances.key))
    assert response["statusCode"] == 503
    assert json.loads(response["body"])["errors"][0]["title"] == "Temporarily unavailable"
