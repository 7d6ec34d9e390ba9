"""The log line of each response: account, key prefix, credits, steps and sizes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from events import make

from blur.accounts import keys
from blur.service import REMOVAL_STEPS, STEPS

if TYPE_CHECKING:
    import io

    from .conftest import Call

KEY = keys.parse(make.FUNDED)


def last_line(log: io.StringIO) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(log.getvalue().splitlines()[-1])
    return line


def test_the_log_line_of_a_blur_call_has_account_credits_steps_and_sizes(
    call: Call, log: io.StringIO
) -> None:
    response = call(make.blur())
    line = last_line(log)
    assert (line["account"], line["key_prefix"], line["credits"]) == (KEY.account_id, KEY.prefix, 1)
    assert tuple(line["steps_ms"]) == STEPS
    assert (line["bytes_out"], line["format"]) == (len(response.body), "png")
    assert line["bytes_in"] > len(make.jpeg())
    assert line["megapixels"] > 0
    assert line["cold_start"] is True
    call(make.event("GET", "/v2/account", key=make.FUNDED))
    line = last_line(log)
    assert (line["account"], line["credits"]) == (KEY.account_id, 0)
    assert not {"cold_start", "steps_ms", "megapixels", "format"} & line.keys()


def test_a_failed_blur_call_is_logged_with_its_account_and_its_steps_up_to_the_error(
    call: Call, log: io.StringIO
) -> None:
    assert call(make.blur(image=make.flat())).status == 422
    line = last_line(log)
    assert (line["account"], line["code"], line["credits"]) == (KEY.account_id, "no_subject", 0)
    assert tuple(line["steps_ms"]) == ("reserve", "read", "decode", "matte")


def test_background_removal_is_logged_with_the_steps_of_a_removal(
    call: Call, log: io.StringIO
) -> None:
    assert call(make.removal()).status == 200
    line = last_line(log)
    assert (line["account"], line["key_prefix"]) == (KEY.account_id, KEY.prefix)
    assert set(line["steps_ms"]) == set(REMOVAL_STEPS)
    assert line["megapixels"] > 0


@pytest.mark.parametrize("key", [make.UNKNOWN, "nonsense"])
def test_the_log_line_of_a_rejected_key_has_no_account_and_no_key_prefix(
    key: str, call: Call, log: io.StringIO
) -> None:
    assert call(make.blur(key)).status == 401
    assert not {"account", "key_prefix", "credits"} & last_line(log).keys()
