"""Failed calls are retried after a wait, and charged once."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from tests.integration.client.shell import PHOTO
from tests.integration.client.unreliable import DROPPED, LOST, unreliable

from blur_client import BlurClientError, Client, ConnectionFailedError, RetryPolicy
from blur_client.errors import IdempotencyInProgressError, UnavailableError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.storage.conftest import Api

BLUR = "/v2/rembg/blur/"
Waits = list[float]


def client_of(url: str, api: Api, waits: Waits, policy: RetryPolicy | None = None) -> Client:
    return Client(url, api.key, retry_policy=policy, sleep=waits.append, jitter=lambda: 0.0)


@pytest.mark.parametrize("status", [429, 503, 409, 500])
def test_a_temporary_error_is_retried_after_the_requested_wait(
    status: int, api: Api, balance: Callable[[], int]
) -> None:
    before, waits = balance(), Waits()
    waits_reported: list[tuple[float, str]] = []

    def on_wait(wait_s: float, error: BlurClientError) -> None:
        waits_reported.append((wait_s, str(error)))

    with unreliable(api.server.url, status, status) as relay:
        result = client_of(relay.url, api, waits).blur(PHOTO, radius=9, on_wait=on_wait)
    assert waits == [3.25, 3.5]
    assert waits_reported == [(3.25, "Later."), (3.5, "Later.")]
    assert len(relay.seen) == 3
    assert len(set(relay.keys())) == 1
    assert (result.credits_charged, balance()) == (1, before - 1)


def test_a_call_whose_response_is_lost_is_repeated_and_charged_once(
    api: Api, balance: Callable[[], int]
) -> None:
    before, waits = balance(), Waits()
    with unreliable(api.server.url, LOST, DROPPED, LOST) as relay:
        result = client_of(relay.url, api, waits).blur(PHOTO, radius=9)
    assert result.replayed
    assert result.credits_charged == 0
    assert len(set(relay.keys())) == 1
    assert balance() == before - 1


def test_two_calls_with_the_same_photo_have_different_idempotency_keys_and_are_both_charged(
    api: Api, balance: Callable[[], int]
) -> None:
    before = balance()
    with unreliable(api.server.url) as relay, Client(relay.url, api.key) as client:
        for _ in range(2):
            client.blur(PHOTO, radius=9)
    assert len(set(relay.keys())) == 2
    assert balance() == before - 2


def test_two_calls_with_the_same_idempotency_key_are_charged_only_once(
    api: Api, balance: Callable[[], int]
) -> None:
    before = balance()
    with Client(api.server.url, api.key) as client:
        first, second = (client.blur(PHOTO, radius=9, idempotency_key="mine") for _ in range(2))
    assert [first.replayed, second.replayed] == [False, True]
    assert first.data == second.data
    assert balance() == before - 1


def test_request_that_is_too_large_is_repeated_as_an_upload_with_the_same_idempotency_key(
    api: Api, large_photo: Path, balance: Callable[[], int]
) -> None:
    before, waits = balance(), Waits()
    with unreliable(api.server.url) as relay:
        result = client_of(relay.url, api, waits).blur(large_photo, radius=9)
    first, offer, last = relay.seen
    assert (first[0], offer[0], last[0]) == (BLUR, "/v2/uploads", BLUR)
    assert first[1]["idempotency-key"] == last[1]["idempotency-key"]
    assert waits == []
    assert (result.credits_charged, balance()) == (1, before - 1)


def test_photo_is_not_uploaded_again_if_the_call_after_its_upload_is_retried(
    api: Api, large_photo: Path
) -> None:
    waits = Waits()
    with unreliable(api.server.url, None, None, 503, DROPPED) as relay:
        client_of(relay.url, api, waits).blur(large_photo, radius=9)
    assert [path for path, _ in relay.seen] == [BLUR, "/v2/uploads", BLUR, BLUR, BLUR]


def test_after_the_last_retry_the_error_is_raised(api: Api) -> None:
    waits = Waits()
    with unreliable(api.server.url, *[503] * 9) as relay:
        client = client_of(relay.url, api, waits, RetryPolicy(retries=2))
        with pytest.raises(UnavailableError) as error:
            client.blur(PHOTO, radius=9)
    assert error.value.retry_after_s == 3
    assert (len(relay.seen), len(waits)) == (3, 2)


def test_the_client_waits_for_a_running_first_call_longer_than_for_other_errors(
    api: Api,
) -> None:
    waits = Waits()
    with unreliable(api.server.url, *[409] * 9) as relay:
        result = client_of(relay.url, api, waits, RetryPolicy(max_wait_s=5)).blur(PHOTO, radius=9)
    assert result.credits_charged == 1
    assert len(waits) == 9
    with unreliable(api.server.url, 409) as relay, pytest.raises(IdempotencyInProgressError):
        client_of(relay.url, api, waits, RetryPolicy(retries=0)).blur(PHOTO, radius=9)


def test_if_the_server_asks_for_a_longer_wait_than_the_maximum_the_error_is_raised(
    api: Api,
) -> None:
    waits = Waits()
    with unreliable(api.server.url, 503) as relay:
        client = client_of(relay.url, api, waits, RetryPolicy(max_wait_s=2))
        with pytest.raises(UnavailableError):
            client.blur(PHOTO, radius=9)
    assert waits == []


def test_refused_connection_is_retried_and_then_an_error_with_the_reason_is_raised(
    api: Api, refused_url: str
) -> None:
    waits = Waits()
    reason = f"^no connection to {refused_url}: Connection refused$"
    with pytest.raises(ConnectionFailedError, match=reason):
        client_of(refused_url, api, waits).account()
    assert waits == [0.25, 0.5, 1.0, 2.0]


def test_a_server_that_does_not_respond_causes_a_timeout(api: Api) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        policy = RetryPolicy(retries=0)
        with (
            Client(url, api.key, timeout_s=(1, 0.2), retry_policy=policy) as client,
            pytest.raises(
                ConnectionFailedError, match=f"no response from {url} within the time limit"
            ),
        ):
            client.blur(PHOTO, radius=9)
