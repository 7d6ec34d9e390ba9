"""One client attacks the server, and a customer with another key still gets its photos."""

from __future__ import annotations

import base64
import io
import json
import math
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest
from PIL import Image
from requests_toolbelt import MultipartEncoder
from tests.attack.attackers import Attack
from tests.attack.bombs import SCAN
from tests.attack.customer import Customer, Service
from tests.documents import ROOT
from tests.faults.accepted import REFUSED
from tests.faults.load import load
from tests.faults.responses import BROKEN, PICTURE
from tests.faults.test_stop import client
from tests.integration.running import BGBLUR, Running, environment, running
from tests.integration.test_workers import jpeg
from tests.trials import Part, record, size
from tests.unit.imaging.pictures import saved

from blur.api.removebg.paths import REMOVEBG_PATH

if TYPE_CHECKING:
    from pathlib import Path

BY = "tests/attack/test_attackers.py"
WINDOW_S = size(1.0, full=8.0)
SETTLE_S = size(0.5, full=2.0)
"""The time between the start of the last attacking client and the measurement."""
ROUNDS = 5
PHOTOS = 5
"""The lowest number of photos in a window, unless they take far too long."""
SHARE = 0.5
"""The lowest accepted throughput of the honest customer, as a share of the usual one."""
HEALTH_S = 0.5
ALL_CONNECTIONS = 600
"""More connections than the server accepts."""
SERVICE_S = 60.0
"""The longest time until a server works normally after an attack."""
STOP_S = 45
"""The longest time that a server needs to stop on a busy machine."""
UNREAD = size(32, full=150)
UNREAD_S = size(250, full=900)
MAX_BODY_BYTES = 1_000_000
BUDGET_BYTES = 16 * MAX_BODY_BYTES
"""The memory of the front process for bodies, and the same amount for results, with this
setting."""
IN_TRANSIT_BYTES = 60_000_000
"""The results in transit from two workers, and memory that the allocator keeps."""
ATTACKER, CUSTOMER = "127.0.0.2", "127.0.0.1"
SCANS = 100
SCANS_OF_PILLOW = 10
SIDE_PX = 7000


@cache
def many_scans() -> bytes:
    """Return a JPEG of 300 kB that is decoded 100 times."""
    flat = saved(Image.new("RGB", (SIDE_PX, SIDE_PX), (9, 99, 200)), "JPEG", progressive=True)
    return flat[:-2] + SCAN * (SCANS - SCANS_OF_PILLOW) + flat[-2:]


@cache
def noise(width_px: int, height_px: int) -> bytes:
    """Return a small JPEG with a large result: a PNG, if the radius is 1."""
    chance = np.random.default_rng(7)
    pixels = chance.integers(0, 256, (height_px, width_px, 3), np.uint8)
    portrait = np.asarray(Image.open(io.BytesIO(jpeg(width_px, height_px))))
    mixed = Image.fromarray((portrait // 2 + pixels // 2).astype(np.uint8))
    return saved(mixed, "JPEG", quality=30)


@cache
def form(photo: bytes, **fields: str) -> tuple[str, str]:
    """Return a form in base64, and its content type."""
    encoder = MultipartEncoder({"image": ("a.jpg", photo, "image/jpeg"), **fields})
    return base64.b64encode(encoder.read()).decode(), encoder.content_type


@dataclass(frozen=True)
class Accounts:
    """Issues keys; customers' keys have a very high limit."""

    env: dict[str, str]
    keys: dict[str, str] = field(default_factory=dict)

    def issue(self, *options: str) -> str:
        command = [*BGBLUR, "keys", "issue", *options, "--json"]
        done = subprocess.run(command, env=self.env, capture_output=True, check=True)
        key: str = json.loads(done.stdout)["key"]
        return key

    def customer(self) -> str:
        return self._once("customer", "--credits", "1000000", *UNLIMITED)

    def test_key(self) -> str:
        return self._once("test", "--test")

    def live_key(self) -> str:
        return self._once("live", "--credits", "1000000")

    def unlimited_key(self) -> str:
        return self._once("unlimited", "--credits", "1000000", *UNLIMITED)

    def _once(self, name: str, *options: str) -> str:
        if name not in self.keys:
            self.keys[name] = self.issue(*options)
        return self.keys[name]


UNLIMITED = ("--rate", "600000", "--burst", "10000")
FORGED = "bb_live_forged"
Make = Callable[[Accounts, "Server"], Attack]


@dataclass(frozen=True)
class Server:
    """The address of the attacked server, and the addresses of the attackers."""

    host: str
    port: int
    source: str = ATTACKER

    def attack(self, client: str, connections: int, *keys: str, **how: str) -> Attack:
        return Attack(client, self.host, self.port, connections, self.source, keys, **how)

    def photos(
        self, client: str, connections: int, photo: bytes, *keys: str, radius: str = "12"
    ) -> Attack:
        body, content_type = form(photo, format="png", radius=radius)
        return self.attack(client, connections, *keys, body=body, content_type=content_type)

    def removals(self, client: str, connections: int, photo: bytes, *keys: str) -> Attack:
        """Return clients of remove.bg's route, with the largest results."""
        fields = {"format": "png", "size": "full", "bg_color": "fff"}
        encoder = MultipartEncoder({"image_file": ("a.jpg", photo, "image/jpeg"), **fields})
        body, content_type = base64.b64encode(encoder.read()).decode(), encoder.content_type
        return self.attack(
            client, connections, *keys, body=body, content_type=content_type, path=REMOVEBG_PATH
        )


def scans_of_many_keys(accounts: Accounts, server: Server) -> Attack:
    keys = accounts.test_key(), accounts.live_key()
    return server.photos("photos", 16, many_scans(), *keys)


def flooded_queue(accounts: Accounts, server: Server) -> Attack:
    return server.photos("photos", 40, jpeg(600, 400), accounts.unlimited_key())


def flooded_queue_of_large_photos(accounts: Accounts, server: Server) -> Attack:
    return server.photos("photos", 40, jpeg(4000, 3000), accounts.unlimited_key())


def dripped_bodies(_: Accounts, server: Server) -> Attack:
    return server.attack("dripped_body", ALL_CONNECTIONS)


def dripped_bodies_of_a_key(accounts: Accounts, server: Server) -> Attack:
    return server.attack("dripped_body", ALL_CONNECTIONS, accounts.test_key())


def dripped_heads(_: Accounts, server: Server) -> Attack:
    return server.attack("dripped_head", ALL_CONNECTIONS)


def unread_pipelines(_: Accounts, server: Server) -> Attack:
    return server.attack("unread_pipeline", ALL_CONNECTIONS)


def unfinished_bodies_to_health(_: Accounts, server: Server) -> Attack:
    return server.attack("unfinished_body", 24, path="/health", method="GET")


def unfinished_bodies_to_account(_: Accounts, server: Server) -> Attack:
    return server.attack("unfinished_body", 24, path="/v2/account", method="GET")


def unfinished_photos_without_a_key(_: Accounts, server: Server) -> Attack:
    return server.attack("unfinished_body", 24)


def unfinished_photos_of_a_forged_key(_: Accounts, server: Server) -> Attack:
    return server.attack("unfinished_body", 24, FORGED)


def unfinished_photos_of_a_key(accounts: Accounts, server: Server) -> Attack:
    return server.attack("unfinished_body", 24, accounts.test_key())


def unread_results(accounts: Accounts, server: Server) -> Attack:
    photo = noise(*size((2000, 1500), full=(8000, 6000)))
    key = accounts.test_key()
    return server.photos("unread_result", size(12, full=24), photo, key, radius="1")


def tiny_chunks(_: Accounts, server: Server) -> Attack:
    return server.attack("tiny_chunks", 2)


def tiny_chunks_of_a_key(accounts: Accounts, server: Server) -> Attack:
    return server.attack("tiny_chunks", 2, accounts.test_key())


def many_headers(_: Accounts, server: Server) -> Attack:
    return server.attack("many_headers", 2)


FROM_ELSEWHERE: tuple[Make, ...] = (
    *(scans_of_many_keys, flooded_queue, flooded_queue_of_large_photos),
    *(dripped_bodies, dripped_bodies_of_a_key, dripped_heads, unread_pipelines),
    *(unfinished_bodies_to_health, unfinished_bodies_to_account),
    *(unfinished_photos_without_a_key, unfinished_photos_of_a_forged_key),
    *(unfinished_photos_of_a_key, unread_results),
    *(tiny_chunks, tiny_chunks_of_a_key, many_headers),
)
FROM_THE_SAME_ADDRESS: tuple[Make, ...] = (
    *(scans_of_many_keys, flooded_queue, unfinished_photos_of_a_key, unread_results),
)
CASES = [(make, ATTACKER) for make in FROM_ELSEWHERE] + [
    (make, CUSTOMER) for make in FROM_THE_SAME_ADDRESS
]


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> dict[str, str]:
    return environment(tmp_path_factory.mktemp("accounts"), model_dir, BLUR_MEDIA="")


@pytest.fixture(scope="module")
def accounts(env: dict[str, str]) -> Accounts:
    return Accounts(env)


@contextmanager
def attacking(attack: Attack) -> Iterator[None]:
    """Run the attack's clients during the context."""
    command = [sys.executable, "-m", "tests.attack.attackers"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(asdict(attack)) + "\n")
        process.stdin.flush()
        try:
            assert process.stdout.readline() == "attacking\n"
            time.sleep(SETTLE_S)
            yield
            assert process.poll() is None, "the attack ended by itself"
        finally:
            process.kill()


def address(server: Running, source: str = ATTACKER) -> Server:
    host, _, port = server.url.removeprefix("http://").partition(":")
    return Server(host, int(port), source)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, env: dict[str, str]) -> Iterator[Running]:
    """Return the server of all attacks."""
    with running(tmp_path_factory.mktemp("attacked"), env, "--workers", "2") as started:
        yield started


@pytest.fixture(scope="module")
def before() -> list[Service]:
    """The windows without an attack so far; the last one is immediately before the next attack."""
    return []


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("make", "source"), CASES, ids=[f"{make.__name__}-{source}" for make, source in CASES]
)
def test_a_customer_keeps_half_of_its_throughput_during_an_attack(
    make: Make, source: str, server: Running, accounts: Accounts, before: list[Service]
) -> None:
    customer = Customer(server.url, accounts.customer(), jpeg(600, 400))
    attack = make(accounts, address(server, source))

    def measured() -> Service:
        return customer.measure(WINDOW_S, least_photos=PHOTOS)

    customer.wait_for_service(SERVICE_S)
    rounds = Rounds(before[-1:] or [measured()])
    while not rounds.is_well_served:
        assert len(rounds.attacked) < ROUNDS, str(rounds)
        with attacking(attack):
            rounds.attacked.append(measured())
        customer.wait_for_service(SERVICE_S)
        rounds.usual.append(measured())
        before.append(rounds.usual[-1])
    record(
        Part.SECURITY,
        f"One client misuses the server, another sends photos: "
        f"{make.__name__.replace('_', ' ')}, from "
        f"{'another' if source == ATTACKER else 'the same'} address",
        f"{attack.connections} connections, {SETTLE_S + WINDOW_S:.0f} s",
        f"the customer gets {rounds.share:.2f} of its usual photos per second (at least {SHARE}); "
        f"`/health` within {1000 * rounds.health_s:.0f} ms (at most {1000 * HEALTH_S:.0f})",
        by=BY,
    )


@dataclass(frozen=True)
class Rounds:
    """A customer's results before an attack, during it, before the next attack, and so on.

    Other programs slow some windows down, so an attack is compared with the slower of the two
    windows next to it, and the best round counts.
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


def unread_blurred(server: Server, photo: bytes, key: str) -> Attack:
    return server.photos("unread_result", 40, photo, key, radius="1")


def unread_removals(server: Server, photo: bytes, key: str) -> Attack:
    return server.removals("unread_result", 40, photo, key)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("attack_of", "results"),
    [
        (unread_blurred, "Results that the client does not read"),
        (unread_removals, "Results of `/v1.0/removebg` that the client does not read"),
    ],
    ids=["blurred", "removed"],
)
def test_unread_results_take_limited_memory(
    attack_of: Callable[[Server, bytes, str], Attack],
    results: str,
    tmp_path: Path,
    env: dict[str, str],
    accounts: Accounts,
) -> None:
    limits = {"BLUR_MAX_BODY_BYTES": str(MAX_BODY_BYTES), "BLUR_REMOVEBG_DEDUPE_S": "0"}
    with running(tmp_path, env | limits, "--workers", "2", "--queue", "40") as server:
        front = psutil.Process(server.process.pid)
        customer = Customer(server.url, accounts.customer(), jpeg(600, 400))
        customer.measure(1.0)
        before, most = front.memory_info().rss, 0
        photo = noise(2000, 1500)
        key = accounts.unlimited_key()
        attack = attack_of(address(server), photo, key)
        deadline = time.monotonic() + UNREAD_S
        with attacking(attack):
            while (made := blurred(server)) < UNREAD:
                assert time.monotonic() < deadline, f"{made} photos"
                most = max(most, front.memory_info().rss)
                time.sleep(0.05)
    growth = most - before
    assert growth < 2 * BUDGET_BYTES + IN_TRANSIT_BYTES
    record(
        Part.SECURITY,
        results,
        f"{made} results of 5 to 6 MB, with BLUR_MAX_BODY_BYTES={MAX_BODY_BYTES}",
        f"the front process grows by {growth / 1e6:.0f} MB at most",
        by=BY,
    )


def blurred(server: Running) -> int:
    """Return the number of photos that the server has blurred, by its log."""
    lines = [json.loads(line) for line in server.out.read_text().splitlines() if line[:1] == "{"]
    return sum((line.get("method"), line.get("status")) == ("POST", 200) for line in lines)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "make", [unread_pipelines, unread_results, dripped_bodies], ids=lambda make: make.__name__
)
def test_a_stop_is_limited_in_time_and_loses_no_accepted_photo(
    make: Make, tmp_path: Path, env: dict[str, str], accounts: Accounts
) -> None:
    customers = 2
    with running(tmp_path, env, "--workers", "2") as server:
        attack = replace(make(accounts, address(server)), connections=20)
        with (
            attacking(attack),
            load(server.blur_url, accounts.customer(), customers, client) as honest,
        ):
            honest.wait_for(PICTURE, 2)
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(STOP_S) in {0, -signal.SIGTERM}
            took_s = time.monotonic() - began
    kinds = honest.kinds()
    assert kinds[BROKEN] == 0
    assert set(kinds) == {PICTURE, REFUSED}
    record(
        Part.SECURITY,
        f"SIGTERM while clients misuse the server: {make.__name__.replace('_', ' ')}",
        f"{attack.connections} connections, {customers} customers",
        f"stopped in {took_s:.0f} s; {kinds[PICTURE]} photos answered, no accepted photo lost",
        by=BY,
    )
