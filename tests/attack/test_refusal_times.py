"""Invalid keys: whether the response time reveals to an attacker why a key is rejected.

Each rejection is timed at the handler, because the jitter of a network would hide differences. The
keys of all kinds are sent in random order, so that other load affects all kinds equally. A
classifier gets two times, one for each of two kinds, and decides which time belongs to which kind.
Random decisions are correct for half of all pairs.
"""

from __future__ import annotations

import io
import itertools
import os
import random
import secrets
import statistics
import time
from bisect import bisect_left, bisect_right
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from aws_lambda_powertools import Logger
from events import make
from tests.integration.accounts.dynamodb_local import dynamodb_local
from tests.trials import Part, record, size

from bgblur.serving.proxy_events import InvocationContext
from blur.account_status import RateLimit
from blur.accounts import keys
from blur.accounts.admin import AccountAdmin
from blur.accounts.connect import open_account_store
from blur.accounts.model import Instant, KeyKind
from blur.app import build_app
from blur.clock import now
from blur.credits import ONE
from blur.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from blur.accounts.ports import AccountStore
    from blur.api.router import Router

SAME_ACCOUNT = ("unknown", "revoked", "expired")
KINDS = (*SAME_ACCOUNT, "of an unknown account", "malformed")
ADVANTAGE = 0.06
"""An attacker compares two response times and guesses why each key was rejected. The share of
correct guesses can exceed 0.5 by this much, plus random variation."""
FOUR_SIGMA = 4.0
FREQUENT = RateLimit(per_minute=60_000, burst=10_000)

Times = dict[str, list[float]]
"""The microseconds that each rejection took, by the kind of the rejected key."""


@pytest.fixture(params=["SQLite", "DynamoDB Local"])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the location of a store."""
    with ExitStack() as open_until_the_end, pytest.MonkeyPatch.context() as patch:
        location = f"sqlite:{tmp_path / 'accounts.db'}"
        if request.param == "DynamoDB Local":
            server = open_until_the_end.enter_context(dynamodb_local())
            for name, value in server.environ.items():
                patch.setenv(name, value)
            location = f"dynamodb:{server.create_table('accounts')}"
        yield request.param, location


def keys_in(store: AccountStore) -> Mapping[str, Callable[[], str]]:
    """Return a function for each kind of invalid key; the function returns a key of this kind."""
    then = Instant(now() - 1_000_000)
    admin = AccountAdmin(store, secrets.token_bytes, then)
    account_id = admin.create_account("refused", credits=ONE)
    expired, _ = admin.issue_key(account_id, KeyKind.LIVE, limit=FREQUENT, ttl_us=1)
    revoked, record_ = admin.issue_key(account_id, KeyKind.LIVE, limit=FREQUENT)
    store.revoke_key(account_id, record_.digest)
    mint = keys.mint
    return {
        "unknown": lambda: mint(KeyKind.LIVE, account_id, secrets.token_bytes),
        "revoked": lambda: revoked,
        "expired": lambda: expired,
        "of an unknown account": lambda: mint(
            KeyKind.LIVE, keys.new_account_id(secrets.token_bytes), secrets.token_bytes
        ),
        "malformed": lambda: revoked[:-1] + ("a" if revoked[-1] != "a" else "b"),
    }


def refused(handler: Router, texts: Mapping[str, Callable[[], str]], each: int) -> Times:
    """Send `each` keys of every kind, in random order, and time the rejections."""
    turns = list(KINDS) * each
    random.Random(0).shuffle(turns)
    times: Times = {kind: [] for kind in KINDS}
    answers = set()
    for kind in turns:
        event, context = make.event("GET", "/v2/account", key=texts[kind]()), InvocationContext()
        started = time.perf_counter_ns()
        answer = handler(event, context)
        times[kind].append((time.perf_counter_ns() - started) / 1000)
        answers.add(str(answer))
    # The responses have equal headers, because all events have the same request id.
    assert len(answers) == 1
    return times


def right_guesses(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the share of pairs in which the time of `one` is longer; half of each tie counts.

    This share is Mann and Whitney's U, divided by the number of pairs.
    """
    ordered = sorted(other)
    slower = sum(bisect_left(ordered, t) + bisect_right(ordered, t) for t in one)
    return slower / 2 / len(one) / len(other)


def by_chance(each: int) -> float:
    """Return the standard deviation of `right_guesses` if every rejection takes the same time."""
    return float(((2 * each + 1) / (12 * each * each)) ** 0.5)


def spread(times: Sequence[float]) -> float:
    """Return the distance between the first and the third quartile."""
    lower, _, upper = statistics.quantiles(times)
    return upper - lower


@pytest.mark.filterwarnings("ignore:No application metrics")
@pytest.mark.timeout(600)
def test_the_response_time_does_not_reveal_why_a_key_is_rejected(
    stored: tuple[str, str], model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, location = stored
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "true")
    each = size(400, full=5000) if name == "SQLite" else size(80, full=1000)
    store = open_account_store(location)
    logger = Logger(service=f"test-{os.getpid()}-{name}", stream=io.StringIO())
    handler = build_app(Settings(accounts=location, model_dir=model_dir), logger=logger)
    texts = keys_in(store)
    refused(handler, texts, 20)  # opens connections and fills caches
    times = refused(handler, texts, each)
    store.close()

    guesses = {
        pair: right_guesses(times[pair[0]], times[pair[1]])
        for pair in itertools.combinations(SAME_ACCOUNT, 2)
    }
    at_most = 0.5 + ADVANTAGE + FOUR_SIGMA * by_chance(each)
    assert all(1 - at_most < share < at_most for share in guesses.values()), guesses
    medians = {kind: statistics.median(of) for kind, of in times.items()}
    apart = abs(medians["of an unknown account"] - medians["unknown"])
    assert apart < min(spread(times["of an unknown account"]), spread(times["unknown"])), medians
    best = max(max(share, 1 - share) for share in guesses.values())
    record(
        Part.SECURITY,
        f"Attempt to distinguish unknown, revoked and expired keys by response time, {name}",
        f"{each} rejections of each kind, median {medians['unknown'] / 1000:.2f} ms",
        f"the guesses are right for at most {best:.3f} of the pairs (0.5 by chance); a key with a "
        f"wrong checksum is rejected in {medians['malformed'] / 1000:.2f} ms, without the store",
        by="tests/attack/test_refusal_times.py",
    )


def test_the_classifier_finds_a_difference_only_if_the_times_differ() -> None:
    chance = random.Random(0)
    one = [chance.lognormvariate(6, 0.3) for _ in range(400)]
    same = [chance.lognormvariate(6, 0.3) for _ in range(400)]
    slower = [chance.lognormvariate(6, 0.3) + 100 for _ in range(400)]
    bound = ADVANTAGE + FOUR_SIGMA * by_chance(400)
    assert abs(right_guesses(one, same) - 0.5) < bound < right_guesses(slower, one) - 0.5
