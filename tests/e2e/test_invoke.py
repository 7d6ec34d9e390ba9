"""Events are sent directly to the container, and containers are stopped during an event."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import requests
from events import make
from PIL import Image
from tests.e2e import machine

from blur.credits import whole
from blur.skew import CLOCK_SKEW_US

if TYPE_CHECKING:
    from tests.e2e.conftest import Customer

EVENTS = sorted(Path(make.__file__).parent.glob("*.json"))
HOLD_TTL_S = 60
SIDE_PX = 6000
HOME_S = HOLD_TTL_S + CLOCK_SKEW_US // 1_000_000 + 1
"""After this many seconds, a hold has expired by every clock."""


@pytest.mark.parametrize("file", EVENTS, ids=lambda file: file.stem)
def test_an_event_gets_the_status_in_its_name(file: Path, function_url: str) -> None:
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


@pytest.mark.parametrize(
    ("fault", "sign"),
    [
        ({"TimeoutS": 2, "DeadlineMarginS": 0}, "timed out"),
        ({"MemoryMb": 256}, "signal: killed"),
    ],
    ids=["timed out", "out of memory"],
)
def test_the_credit_of_a_killed_call_is_released(
    fault: dict[str, int],
    sign: str,
    customer: Customer,
    variables: dict[str, str],
    tmp_path: Path,
) -> None:
    # Encoding a grainy photo of 36 megapixels as AVIF keeps two fast cores busy for twice the
    # time-out. The container's start and the reservation need a quarter of the time-out.
    event = make.blur(customer.key, image=grainy_photo(), radius="2", format="avif", quality="100")
    answer = machine.invoke(event, variables, tmp_path, HoldTtlS=HOLD_TTL_S, **fault)
    assert answer is None
    assert sign in (tmp_path / "invoke.log").read_text()
    assert (customer.account().balance, customer.account().held) == (whole(2), whole(1))
    home = customer.account(in_s=HOME_S)
    assert (home.balance, home.held, home.used) == (whole(3), 0, 0)


def grainy_photo() -> bytes:
    """Return the sample photo, enlarged and with grain, so that a call takes long enough."""
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
