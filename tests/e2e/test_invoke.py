"""Events are sent directly to the container, and containers are stopped during an event."""

from __future__ import annotations

import base64
import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import requests
from events import make
from PIL import Image
from tests.aws.ministack import wait_until
from tests.e2e import machine
from tests.e2e.emulated import emulated, hang

from blur.credits import whole
from blur.skew import CLOCK_SKEW_US

if TYPE_CHECKING:
    from tests.e2e.customers import Customer

EVENTS = sorted(Path(make.__file__).parent.glob("*.json"))
HOLD_TTL_S = 60
TIMEOUT_S = 8
"""The timeout of the call that hangs; long enough for a container's start on a busy machine."""
SIDE_PX = 6000
EXPIRED_S = HOLD_TTL_S + CLOCK_SKEW_US // 1_000_000 + 1
"""After this many seconds, a hold has expired on the clocks of all servers."""


@pytest.mark.parametrize("file", EVENTS, ids=lambda file: file.stem)
def test_each_event_gets_the_status_that_is_in_the_name_of_its_file(
    file: Path, function_url: str
) -> None:
    answer = requests.post(function_url, data=file.read_bytes(), timeout=60)
    answer.raise_for_status()
    assert answer.json()["statusCode"] == int(file.stem[:3]), answer.text[:500]


def test_a_call_near_its_timeout_is_stopped_and_refunded(
    customer: Customer, variables: dict[str, str], tmp_path: Path
) -> None:
    event = make.blur(customer.key)
    answer = machine.invoke(event, variables, tmp_path, DeadlineMarginS=30)
    assert answer is not None
    error = json.loads(body(answer))["error"]
    assert (answer["statusCode"], error["code"]) == (503, "temporarily_unavailable")
    assert error["retry_after"] == 1
    account = customer.account()
    assert (account.balance, account.held) == (whole(3), 0)


SETTINGS = {"BLUR_DEADLINE_MARGIN_S": "0", "BLUR_HOLD_TTL_S": str(HOLD_TTL_S)}


def test_the_credit_of_a_call_that_times_out_is_released_when_the_hold_expires(
    customer: Customer, variables: dict[str, str]
) -> None:
    limit = {**variables, **SETTINGS, "AWS_LAMBDA_FUNCTION_TIMEOUT": str(TIMEOUT_S)}
    name = f"{machine.PROJECT}-hanging"
    with emulated(name, limit) as url, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(requests.post, url, json=long_call(customer), timeout=60)
        wait_until(lambda: customer.account().held, TIMEOUT_S, lambda: "there is no hold")
        hang(name)
        assert "timed out" in answer.result().text
    require_released(customer)


def test_the_credit_of_a_call_that_runs_out_of_memory_is_released_when_the_hold_expires(
    customer: Customer, variables: dict[str, str]
) -> None:
    options = ["--memory", "256m", "--memory-swap", "256m"]
    with emulated(f"{machine.PROJECT}-killed", {**variables, **SETTINGS}, *options) as url:
        answer = requests.post(url, json=long_call(customer), timeout=60)
        assert "signal: killed" in answer.text
    require_released(customer)


def long_call(customer: Customer) -> dict[str, Any]:
    """Return an event that keeps two fast cores busy for seconds, and needs much memory."""
    return make.blur(customer.key, image=grainy_photo(), radius="2", format="avif", quality="100")


def require_released(customer: Customer) -> None:
    """Check that the credit is in a hold, and is in the balance again after the hold expires."""
    assert (customer.account().balance, customer.account().held) == (whole(2), whole(1))
    later = customer.account(in_s=EXPIRED_S)
    assert (later.balance, later.held, later.used) == (whole(3), 0, 0)


def grainy_photo() -> bytes:
    """Return the sample photo, enlarged and with grain, so that a call takes some seconds."""
    grain = np.random.default_rng(0).normal(0, 60, (SIDE_PX // 4, SIDE_PX // 4))
    coarse = np.kron(grain.clip(-127, 127).astype(np.int16), np.ones((4, 4), np.int16))
    with Image.open(make.PHOTO) as small:
        smooth = np.asarray(small.convert("RGB").resize((SIDE_PX, SIDE_PX)))
    grainy = (smooth + coarse[..., np.newaxis]).clip(0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grainy).save(buffer, "JPEG", quality=20)
    return buffer.getvalue()


def body(answer: dict[str, Any]) -> bytes:
    text: str = answer["body"]
    return base64.b64decode(text) if answer["isBase64Encoded"] else text.encode()
