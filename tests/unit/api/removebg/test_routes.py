"""remove.bg's two routes: how they read the key, call the service, and respond."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from blur.account_status import AccountStatus, RateLimit, RateLimitStatus
from blur.accounts import keys
from blur.accounts.idempotency_key import IdempotencyKey
from blur.accounts.model import Account, AccountView, Instant, KeyKind, KeyRecord
from blur.api.removebg.removal_request import Limits
from blur.api.removebg.routes import removebg_routes
from blur.api.request import HttpRequest
from blur.credits import ONE, QUARTER, ZERO, whole
from blur.errors import InvalidApiKeyError
from blur.imaging.results import EncodedImage, Foreground, RemovedBackground
from blur.measurements import Measurements
from blur.prices import Prices
from blur.service import CallResult

if TYPE_CHECKING:
    from blur.forms import PaidForm

NOW = Instant(1_800_000_000_000_000)
KEY = keys.mint(KeyKind.LIVE, "a" * 12, lambda count: b"k" * count)
RATE = RateLimitStatus(RateLimit(60, 10), 4, 6)
OUTPUT = RemovedBackground(
    EncodedImage(b"bytes", "image/png"), (30, 20), (300, 200), Foreground(1, 2, 3, 4), "other"
)
PRICES = Prices(image=ONE, preview=QUARTER, person=ONE)


@dataclass
class RecordingService:
    """A service that records the arguments of its calls.

    It calls `parse` twice, to check that the second call returns the same form.
    """

    prices: Prices = PRICES
    calls: list[dict[str, Any]] = field(default_factory=list)

    def run(self, key: keys.ApiKey, parse: Any, **call: Any) -> CallResult[RemovedBackground]:  # noqa: ANN401 - any arguments are recorded
        forms: list[PaidForm[RemovedBackground]] = [parse(), parse()]
        assert forms[0] is forms[1]
        self.calls.append({"key": key, "size": forms[0].price(self.prices), **call})
        return CallResult(OUTPUT, AccountStatus(QUARTER, whole(2), RATE), replayed=False)

    def account(self, key: keys.ApiKey) -> AccountView:
        self.calls.append({"key": key})
        limit = RateLimit(60, 10)
        account = Account("id", "name", NOW, whole(2), ZERO, whole(2), ZERO)
        record = KeyRecord("d", "id", KeyKind.LIVE, "p", NOW, None, revoked=False, limit=limit)
        return AccountView(account, record, RATE)

    @staticmethod
    def clock() -> Instant:
        return NOW


@pytest.fixture
def service() -> RecordingService:
    return RecordingService()


def is_connected() -> bool:
    return True


def answer(service: Any, path: str, method: str, **headers: str) -> Any:  # noqa: ANN401 - any service and response
    body = json.dumps({"image_url": "https://example.com", "type_level": "none"})
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {"content-type": "application/json", "x-api-key": KEY, **named}
    request = HttpRequest(method, path, sent, "req_1", body, False, 1_234, path, is_connected)  # noqa: FBT003
    limits = Limits(max_body_bytes=1_000, fetch=str.encode)
    return removebg_routes(service, limits)[path][method](request)


def test_the_removal_route_passes_the_key_and_all_arguments_to_the_service(
    service: RecordingService,
) -> None:
    sent = answer(service, "/v1.0/removebg", "POST", idempotency_key="once")
    assert service.calls == [
        {
            "key": keys.parse(KEY),
            "size": QUARTER,
            "prices": PRICES.removal,
            "form_first": True,
            "idempotency_key": IdempotencyKey("once"),
            "left_ms": 1_234,
            "is_client_connected": is_connected,
            "measured": Measurements(keys.parse(KEY)),
        }
    ]
    assert (sent.status_code, sent.body) == (200, b"bytes")
    assert (sent.headers["X-Request-Id"], sent.headers["X-RateLimit-Reset"]) == (
        "req_1",
        "1800000006",
    )
    assert "X-Type" not in sent.headers


def test_the_account_route_returns_the_credits_and_the_rate_limit_headers(
    service: RecordingService,
) -> None:
    sent = answer(service, "/v1.0/account", "GET")
    assert service.calls == [{"key": keys.parse(KEY)}]
    assert sent.status_code == 200
    assert json.loads(sent.body)["data"]["attributes"]["credits"]["total"] == 2
    assert (sent.headers["X-Request-Id"], sent.headers["X-Credits-Charged"]) == ("req_1", "0")
    assert sent.headers["X-RateLimit-Reset"] == "1800000006"


@pytest.mark.parametrize(("path", "method"), [("/v1.0/removebg", "POST"), ("/v1.0/account", "GET")])
def test_a_request_without_a_valid_key_in_x_api_key_is_rejected(
    path: str, method: str, service: RecordingService
) -> None:
    for headers in ({"x_api_key": ""}, {"x_api_key": "nonsense"}, {"x_api_key": "", "apikey": KEY}):
        with pytest.raises(InvalidApiKeyError):
            answer(service, path, method, **headers)
    request = HttpRequest(method, path, {}, "req_1", "", False, 1, path)  # noqa: FBT003
    recorded: Any = service
    with pytest.raises(InvalidApiKeyError):
        removebg_routes(recorded, Limits(max_body_bytes=1))[path][method](request)
    assert service.calls == []
