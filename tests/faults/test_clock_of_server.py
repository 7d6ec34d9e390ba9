"""A real server whose clock jumps while clients send photos: libfaketime replaces libc's clock.

Only the time of day jumps (clock_gettime's CLOCK_REALTIME, which an operator or NTP can set);
CLOCK_MONOTONIC is not changed, as on Linux (clock_gettime(2)).
"""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from tests.faults.conftest import HOLD_TTL_S
from tests.faults.load import load
from tests.faults.responses import PICTURE
from tests.integration.running import running
from tests.trials import Part, record, size

if TYPE_CHECKING:
    from tests.faults.balances import Balances

CLIENTS = 2
HOUR_S, DAY_S = 3_600, 86_400
JUMPS_S = size(
    [DAY_S, -DAY_S],
    full=[61, -61, HOUR_S, -HOUR_S, DAY_S, -DAY_S, 30 * DAY_S, -30 * DAY_S] * 3,
)
"""The jumps of the server's clock in seconds, in the order of the test; their sum is zero."""
EXPECTED = {PICTURE, "temporarily_unavailable", "rate_limit_exceeded"}
"""After a jump forward, a running call can exceed its deadline. After a jump back, the rate limit
can reject calls."""


def library() -> Path:
    """Return the path of libfaketime."""
    found = find_spec("libfaketime")
    if found is None or found.origin is None:
        pytest.fail("libfaketime is missing: its wheel is for Linux on x86-64")
    return Path(found.origin).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"


def require_clock(url: str, at_s: float) -> None:
    """Wait until the server's clock shows `at_s`; every response contains the server's time."""
    deadline = time.monotonic() + 10
    while True:
        date_header = requests.get(f"{url}/health", timeout=10).headers["Date"]
        if abs(parsedate_to_datetime(date_header).timestamp() - at_s) < 15:
            return
        assert time.monotonic() < deadline, f"the server's clock is wrong: {date_header}"
        time.sleep(0.1)


@pytest.mark.timeout(900)
def test_clock_jumps_under_load_lose_no_credit(
    tmp_path: Path, env: dict[str, str], balances: Balances
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0")
    faked = {
        "LD_PRELOAD": str(library()),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    at_s = 0
    with (
        running(tmp_path, {**env, **faked}) as server,
        load(server.blur_url, balances.key, CLIENTS) as clients,
    ):
        for jump_s in JUMPS_S:
            clients.wait_for(PICTURE, 2, begin=len(clients.seen))
            at_s += jump_s
            clock.write_text(f"{at_s:+d}")
            require_clock(server.url, time.time() + at_s)
        clients.wait_for(PICTURE, 2, begin=len(clients.seen))
    kinds = clients.kinds()
    assert set(kinds) <= EXPECTED
    used = balances.settled(after_s=HOLD_TTL_S + max(JUMPS_S))
    assert used <= kinds[PICTURE]
    assert used > 0
    record(
        Part.FAULTS,
        "The clock of a real server jumps under load, by up to 30 days forward and back",
        f"{len(JUMPS_S)} jumps, {CLIENTS} clients, {len(clients.seen)} calls",
        f"{kinds[PICTURE]} calls got results and {used} were charged; "
        f"{kinds.total() - kinds[PICTURE]} got 503 or 429; no credit was lost and every hold was "
        f"released",
        by="tests/faults/test_clock_of_server.py",
    )
