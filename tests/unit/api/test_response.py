"""Which results fit into a proxy response."""

from __future__ import annotations

import json

import pytest
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from events import make

from blur.accounts.model import RateLimit, RateStanding, Standing
from blur.api import response
from blur.imaging.encode import Encoded
from blur.imaging.pipeline import STEPS
from blur.service import Picture
from blur.stopwatch import TOTAL

LAMBDA_BYTES = 6_291_556
HEADROOM_BYTES = 600
"""What an answer with headers shorter than the longest may fall short of the limit."""


def answered_bytes(size: int) -> int:
    """Return the bytes of JSON that Lambda is given for a picture of this size."""
    standing = Standing(1, 999, RateStanding(RateLimit(100, 100), 99, 1))
    durations_ms = dict.fromkeys((*STEPS, TOTAL), 123.4)
    made = Picture(Encoded(bytes(size), "image/png"), standing, False, durations_ms)  # noqa: FBT003
    resolver = APIGatewayRestResolver()
    resolver.get("/")(lambda: response.picture(made, "req_00000000-0000-4000-8000-000000000000"))
    return len(json.dumps(resolver.resolve(make.event("GET", "/"), None)))  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", [5_000, 100_000, LAMBDA_BYTES])
def test_the_largest_inline_picture_fits_the_limit_closely(limit: int) -> None:
    most = response.max_inline_bytes(limit)
    assert limit - HEADROOM_BYTES < answered_bytes(most) <= limit


def test_a_limit_below_the_headers_leaves_no_room() -> None:
    assert response.max_inline_bytes(100) == 0
