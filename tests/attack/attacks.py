"""The attacks on a server, and the accounts that the attacks use."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache

import numpy as np
from PIL import Image
from requests_toolbelt import MultipartEncoder
from tests.attack.attackers import Attack
from tests.attack.many_scans import SCAN
from tests.documents import ROOT
from tests.integration.customer_calls import jpeg
from tests.integration.running import BGBLUR, ServerProcess
from tests.trials import size
from tests.unit.imaging.pictures import saved

from blur.api.removebg.paths import REMOVEBG_PATH

SETTLE_S = size(0.5, full=2.0)
"""The time between the start of the last attacking client and the measurement."""
ALL_CONNECTIONS = 600
"""More connections than the server accepts."""
ATTACKER, CUSTOMER = "127.0.0.2", "127.0.0.1"
SCANS = 100
SCANS_OF_PILLOW = 10
SIDE_PX = 7000


@cache
def many_scans() -> bytes:
    """Return a JPEG of 300 kB. In each of 100 scans, the decoder processes the whole image."""
    flat = saved(Image.new("RGB", (SIDE_PX, SIDE_PX), (9, 99, 200)), "JPEG", progressive=True)
    return flat[:-2] + SCAN * (SCANS - SCANS_OF_PILLOW) + flat[-2:]


@cache
def noise(width_px: int, height_px: int) -> bytes:
    """Return a noisy portrait as a small JPEG; with a radius of 1, its result is a large PNG."""
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
    """Issues each kind of key once; `customer` and `unlimited_key` have a very high rate limit."""

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
    """The address of the attacked server, and the address that its attackers use."""

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
        """Return an attack that requests the largest results from `/v1.0/removebg`."""
        file = ("a.jpg", photo, "image/jpeg")
        fields = {"format": "png", "size": "full", "image_file": file, "bg_image_file": file}
        encoder = MultipartEncoder(fields)
        body, content_type = base64.b64encode(encoder.read()).decode(), encoder.content_type
        return self.attack(
            client, connections, *keys, body=body, content_type=content_type, path=REMOVEBG_PATH
        )


def photos_with_100_scans(accounts: Accounts, server: Server) -> Attack:
    keys = accounts.test_key(), accounts.live_key()
    return server.photos("photos", 16, many_scans(), *keys)


def flooded_queue(accounts: Accounts, server: Server) -> Attack:
    return server.photos("photos", 40, jpeg(600, 400), accounts.unlimited_key())


def flooded_queue_of_large_photos(accounts: Accounts, server: Server) -> Attack:
    return server.photos("photos", 40, jpeg(4000, 3000), accounts.unlimited_key())


def slow_bodies(_: Accounts, server: Server) -> Attack:
    return server.attack("dripped_body", ALL_CONNECTIONS)


def slow_bodies_with_a_key(accounts: Accounts, server: Server) -> Attack:
    return server.attack("dripped_body", ALL_CONNECTIONS, accounts.test_key())


def slow_heads(_: Accounts, server: Server) -> Attack:
    return server.attack("dripped_head", ALL_CONNECTIONS)


def pipelines_of_unread_responses(_: Accounts, server: Server) -> Attack:
    return server.attack("unread_pipeline", ALL_CONNECTIONS)


def health_requests_with_unfinished_bodies(_: Accounts, server: Server) -> Attack:
    return server.attack("unfinished_body", 24, path="/health", method="GET")


def account_requests_with_unfinished_bodies(_: Accounts, server: Server) -> Attack:
    return server.attack("unfinished_body", 24, path="/v2/account", method="GET")


def unfinished_photos_without_a_key(_: Accounts, server: Server) -> Attack:
    return server.attack("unfinished_body", 24)


def unfinished_photos_with_a_forged_key(_: Accounts, server: Server) -> Attack:
    return server.attack("unfinished_body", 24, FORGED)


def unfinished_photos_with_a_key(accounts: Accounts, server: Server) -> Attack:
    return server.attack("unfinished_body", 24, accounts.test_key())


def unread_results(accounts: Accounts, server: Server) -> Attack:
    photo = noise(*size((2000, 1500), full=(8000, 6000)))
    key = accounts.test_key()
    return server.photos("unread_result", size(12, full=24), photo, key, radius="1")


def tiny_chunks(_: Accounts, server: Server) -> Attack:
    return server.attack("tiny_chunks", 2)


def tiny_chunks_with_a_key(accounts: Accounts, server: Server) -> Attack:
    return server.attack("tiny_chunks", 2, accounts.test_key())


def many_headers(_: Accounts, server: Server) -> Attack:
    return server.attack("many_headers", 2)


@contextmanager
def attacking(attack: Attack) -> Iterator[None]:
    """Run the attack's clients until the context ends."""
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
            assert process.poll() is None, "the attack ended during the measurement"
        finally:
            process.kill()


def address(server: ServerProcess, source: str = ATTACKER) -> Server:
    host, _, port = server.url.removeprefix("http://").partition(":")
    return Server(host, int(port), source)
