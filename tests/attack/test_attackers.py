"""While one client attacks the server, a customer with a different key still gets results."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from tests.attack.attacks import (
    ATTACKER,
    CUSTOMER,
    SETTLE_S,
    Accounts,
    Make,
    account_requests_with_unfinished_bodies,
    address,
    attacking,
    flooded_queue,
    flooded_queue_of_large_photos,
    health_requests_with_unfinished_bodies,
    many_headers,
    photos_with_100_scans,
    pipelines_of_unread_responses,
    slow_bodies,
    slow_bodies_with_a_key,
    slow_heads,
    tiny_chunks,
    tiny_chunks_with_a_key,
    unfinished_photos_with_a_forged_key,
    unfinished_photos_with_a_key,
    unfinished_photos_without_a_key,
    unread_results,
)
from tests.attack.customer import Customer, Service
from tests.integration.customer_calls import jpeg
from tests.integration.running import ServerProcess, running
from tests.trials import Part, record, size

BY = "tests/attack/test_attackers.py"
WINDOW_S = size(1.0, full=8.0)
ROUNDS = 5
PHOTOS = size(3, full=5)
"""A measurement takes longer than `WINDOW_S` if fewer than this many results have arrived."""
SHARE = 0.5
"""The minimum throughput of the customer during an attack, as a share of the usual throughput."""
HEALTH_S = 0.5
SERVICE_S = 60.0
"""The longest time until a server works normally after an attack."""


FROM_ELSEWHERE: tuple[Make, ...] = (
    *(photos_with_100_scans, flooded_queue, flooded_queue_of_large_photos),
    *(slow_bodies, slow_bodies_with_a_key, slow_heads, pipelines_of_unread_responses),
    *(health_requests_with_unfinished_bodies, account_requests_with_unfinished_bodies),
    *(unfinished_photos_without_a_key, unfinished_photos_with_a_forged_key),
    *(unfinished_photos_with_a_key, unread_results),
    *(tiny_chunks, tiny_chunks_with_a_key, many_headers),
)
FROM_THE_SAME_ADDRESS: tuple[Make, ...] = (
    *(photos_with_100_scans, flooded_queue, unfinished_photos_with_a_key, unread_results),
)
CASES = [(make, ATTACKER) for make in FROM_ELSEWHERE] + [
    (make, CUSTOMER) for make in FROM_THE_SAME_ADDRESS
]


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, env: dict[str, str]
) -> Iterator[ServerProcess]:
    """Run one server for all attacks."""
    with running(tmp_path_factory.mktemp("attacked"), env, "--workers", "2") as started:
        yield started


@pytest.fixture(scope="module")
def before() -> list[Service]:
    """Return the list of the measurements without an attack, oldest first."""
    return []


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("make", "source"), CASES, ids=[f"{make.__name__}-{source}" for make, source in CASES]
)
def test_during_an_attack_a_customer_keeps_half_of_its_throughput_and_health_responds_quickly(
    make: Make, source: str, server: ServerProcess, accounts: Accounts, before: list[Service]
) -> None:
    customer = Customer(server.url, accounts.customer(), jpeg(600, 400))
    attack = make(accounts, address(server, source))

    def measured() -> Service:
        return customer.measure(WINDOW_S, least_photos=PHOTOS)

    customer.wait_for_service(SERVICE_S)
    comparison = ServiceComparison(before[-1:] or [measured()])
    while not comparison.is_well_served:
        assert len(comparison.attacked) < ROUNDS, str(comparison)
        with attacking(attack):
            comparison.attacked.append(measured())
        customer.wait_for_service(SERVICE_S)
        comparison.usual.append(measured())
        before.append(comparison.usual[-1])
    record(
        Part.SECURITY,
        f"A customer sends photos while another client attacks the server: "
        f"{make.__name__.replace('_', ' ')}, from "
        f"{'another' if source == ATTACKER else 'the same'} address",
        f"{attack.connections} connections, {SETTLE_S + WINDOW_S:.0f} s",
        f"the customer gets {comparison.share:.2f} of its usual photos per second "
        f"(at least {SHARE}); "
        f"`/health` within {1000 * comparison.health_s:.0f} ms (at most {1000 * HEALTH_S:.0f})",
        by=BY,
    )


@dataclass(frozen=True)
class ServiceComparison:
    """The service that a customer gets, measured alternately without and during an attack.

    Other programs on the machine make some windows slower. So each window under attack is compared
    with the slower of the two windows before and after it, and the best round counts.
    """

    usual: list[Service]
    attacked: list[Service] = field(default_factory=list)

    @property
    def share(self) -> float:
        rates = [window.photos_per_s for window in self.usual]
        usual = [min(neighbours) for neighbours in pairwise(rates)]
        pairs = zip(self.attacked, usual, strict=True)
        return max((under.photos_per_s / rate for under, rate in pairs), default=0)

    @property
    def health_s(self) -> float:
        return min((under.slowest_health_s for under in self.attacked), default=math.inf)

    @property
    def is_well_served(self) -> bool:
        return self.share >= SHARE and self.health_s <= HEALTH_S

    def __str__(self) -> str:
        usual = "\n".join(f"usual: {window}" for window in self.usual)
        return usual + "\n" + "\n".join(f"under attack: {window}" for window in self.attacked)
