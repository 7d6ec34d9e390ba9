"""One client must not block the server for others: connections, bodies, responses, chunks.

Each client has a separate address 127.0.0.x.
"""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from events import make
from tests import trials
from tests.attack.raw_http import everything, head, replies
from tests.integration.running import BGBLUR, Running, environment, running

from bgblur.serving import timers
from bgblur.serving.asgi import BODIES_AT_ONCE
from bgblur.serving.body import RATE_WINDOW_S
from bgblur.serving.connections import MAX_CONNECTIONS
from bgblur.serving.exchange import SLICE_BYTES
from bgblur.serving.http_limits import FREE_CHUNKS
from bgblur.serving.server import FILES
from blur.settings import Settings

HERE = "tests/attack/test_shares.py"
SOON_S = 5.0
"""Long enough for one request on a busy machine, and shorter than all of the server's time-outs."""
LARGEST = Settings().max_body_bytes
CLOSE = "Connection: close"
OFFERS = "/v2/uploads"
PER_ADDRESS = Settings().connections_per_address


@dataclass(frozen=True)
class Served:
    """The server and a customer's key."""

    server: Running
    folder: Path
    key: str

    @property
    def at(self) -> tuple[str, int]:
        host, _, port = self.server.url.removeprefix("http://").partition(":")
        return host, int(port)

    def connect(self, address: str = "127.0.0.1", buffer: int | None = None) -> socket.socket:
        client = socket.socket()
        client.settimeout(60)
        if buffer is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        client.bind((address, 0))
        client.connect(self.at)
        return client

    def blur(self, key: str = "") -> requests.Response:
        return requests.post(
            self.server.blur_url,
            headers={"ApiKey": key or self.key},
            files={"image": make.jpeg(96)},
            data={"radius": 4},
            timeout=60,
        )

    def health_s(self) -> float:
        started = time.monotonic()
        assert requests.get(f"{self.server.url}/health", timeout=30).status_code == 200
        return time.monotonic() - started

    def log(self) -> list[dict[str, object]]:
        lines = self.server.out.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("shared")
    with serve(folder, model_dir) as started:
        yield started


@contextmanager
def serve(folder: Path, model_dir: Path, **settings: str) -> Iterator[Served]:
    env = environment(folder, model_dir, BLUR_MEDIA=f"folder:{folder / 'media'}", **settings)
    with running(folder, env) as server:
        yield Served(server, folder, issued(env))


def issued(env: dict[str, str], *options: str) -> str:
    command = [*BGBLUR, "keys", "issue", "--credits", "1000", "--json", *options]
    done = subprocess.run(command, env=env, capture_output=True, check=True)
    key: str = json.loads(done.stdout)["key"]
    return key


def is_open(client: socket.socket) -> bool:
    client.setblocking(False)  # noqa: FBT003 - as the socket has it
    try:
        return bool(client.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return True
    except ConnectionError:
        return False
    finally:
        client.settimeout(60)


def photo_head(key: str, *lines: str) -> bytes:
    return head(f"ApiKey: {key}", "Content-Type: multipart/form-data; boundary=b", *lines)


def test_an_address_with_too_many_connections_loses_its_oldest(served: Served) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(served.connect()) for _ in range(PER_ADDRESS)]
        served.health_s()
        other = stack.enter_context(served.connect("127.0.0.2"))
        assert not is_open(clients[0])
        assert is_open(clients[-1])
        assert is_open(other)


def test_at_the_limit_connections_of_the_address_with_the_most_are_closed(served: Served) -> None:
    with ExitStack() as stack:
        few = [stack.enter_context(served.connect("127.0.0.9")) for _ in range(2)]
        for address in ("127.0.0.2", "127.0.0.3", "127.0.0.4"):
            for _ in range(MAX_CONNECTIONS // 3 + 1):
                stack.enter_context(served.connect(address))
        assert served.health_s() < SOON_S
        assert served.blur().status_code == 200
        assert all(map(is_open, few))
    trials.record(
        trials.Part.BAD_INPUT,
        "More connections than the server's limit",
        f"{MAX_CONNECTIONS + 5} connections from 4 addresses",
        "the longest idle connections of the address with the most are closed; `/health` and "
        "photos still work",
        by=HERE,
    )


@pytest.mark.parametrize("kind", ["answered already", "small bodies"])
def test_one_key_cannot_hold_every_connection(served: Served, kind: str) -> None:
    key = f"ApiKey: {served.key}"
    sent, drip = {
        "answered already": (
            head(key, "Content-Type: text/plain", "Content-Length: 9000000"),
            b"x",
        ),
        "small bodies": (
            head(key, "Content-Type: application/json", "Content-Length: 60000", target=OFFERS),
            b"x" * 2_500,
        ),
    }[kind]
    with ExitStack() as stack:
        clients = []
        for number in range(MAX_CONNECTIONS):
            address = f"127.0.0.{2 + number // PER_ADDRESS}"
            clients.append(stack.enter_context(served.connect(address)))
            clients[-1].sendall(sent + drip)
        for _ in range(3):
            time.sleep(0.5)
            for client in clients:
                with suppress(OSError):  # the connection was closed for another one
                    client.sendall(drip)
            with served.connect("127.0.0.9") as other:
                other.sendall(head(CLOSE, method="GET", target="/health"))
                (reply,) = replies(everything(other))
            assert reply.status == 200


def test_a_server_can_open_more_files_than_it_has_connections(served: Served) -> None:
    limits = Path(f"/proc/{served.server.process.pid}/limits").read_text()
    [line] = [line for line in limits.splitlines() if line.startswith("Max open files")]
    now, most = map(int, line.split()[3:5])
    assert now >= min(FILES, most) > 2 * MAX_CONNECTIONS


def test_a_connection_with_a_running_request_of_a_key_stays_open(served: Served) -> None:
    with ExitStack() as stack:
        busy = stack.enter_context(served.connect())
        busy.sendall(photo_head(served.key, "Content-Length: 100000", "Expect: 100-continue"))
        assert busy.recv(100).startswith(b"HTTP/1.1 100 ")
        for _ in range(PER_ADDRESS + 5):
            stack.enter_context(served.connect())
        served.health_s()
        busy.sendall(b"x" * 100_000)
        assert busy.recv(100).startswith(b"HTTP/1.1 400 ")


def test_a_body_at_one_byte_per_second_is_rejected(served: Served) -> None:
    with served.connect() as client:
        client.sendall(photo_head(served.key, "Content-Length: 100000"))
        started = time.monotonic()
        client.settimeout(1)
        received = b""
        while not received and time.monotonic() - started < 6 * RATE_WINDOW_S:
            client.sendall(b"x")
            try:
                received = client.recv(65536)
            except TimeoutError:
                continue
        client.settimeout(60)
        (reply,) = replies(received + everything(client))
    assert (reply.status, reply.code) == (400, "invalid_request")
    assert "slowly" in reply.error["message"]
    assert reply.headers["connection"] == "close"
    trials.record(
        trials.Part.BAD_INPUT,
        "A body sent at one byte per second",
        "1 connection with a valid key",
        f"400 `invalid_request` after {RATE_WINDOW_S} s, and the connection is closed",
        by=HERE,
    )


def test_a_client_that_does_not_read_is_disconnected(served: Served) -> None:
    with served.connect(buffer=4096) as client:
        ask_and_never_read(client)
        served.health_s()
        assert wait_for_reset(client, timers.WRITE_S + 20)
    trials.record(
        trials.Part.BAD_INPUT,
        "Pipelined requests from a client that never reads the responses",
        "1 connection, as many requests as the server accepts",
        f"closed after {timers.WRITE_S} s",
        by=HERE,
    )


def ask_and_never_read(client: socket.socket) -> None:
    """Send requests until the buffers of both sides are full."""
    client.settimeout(3)
    try:
        while True:
            client.sendall(head(method="GET", target="/openapi.json") * 100)
    except (TimeoutError, ConnectionError):
        return


def wait_for_reset(client: socket.socket, limit_s: float) -> bool:
    """Wait until the server has aborted a connection, without reading from it."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        state = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        if state != 1:  # TCP_ESTABLISHED
            return True
        time.sleep(0.2)
    return False


@pytest.mark.parametrize(
    ("method", "target"), [("POST", "/v2/account"), ("POST", "/health"), ("POST", "/nowhere")]
)
def test_bodies_of_other_routes_do_not_block_photos(
    served: Served, method: str, target: str
) -> None:
    with ExitStack() as stack:
        for _ in range(BODIES_AT_ONCE + 1):
            client = stack.enter_context(served.connect())
            client.sendall(head(f"Content-Length: {LARGEST}", method=method, target=target))
            client.sendall(bytes(100_000))
        assert served.blur().status_code == 200


def test_unfinished_bodies_without_a_known_key_do_not_block_photos(served: Served) -> None:
    with ExitStack() as stack:
        for key in ("", unknown_key()):
            for _ in range(BODIES_AT_ONCE + 1):
                client = stack.enter_context(served.connect())
                client.sendall(photo_head(key, f"Content-Length: {LARGEST}"))
                send_as_far_as_taken(client, LARGEST - 1)
        assert served.blur().status_code == 200


def send_as_far_as_taken(client: socket.socket, size: int) -> None:
    try:
        client.sendall(bytes(size))
    except ConnectionError:
        return


def unknown_key() -> str:
    """Return a key with a valid check that is not in the store."""
    return make.UNKNOWN


def test_unfinished_bodies_of_one_key_leave_space_for_another_key(
    served: Served, model_dir: Path
) -> None:
    other = issued(environment(served.folder, model_dir))
    with ExitStack() as stack:
        clients = []
        for _ in range(BODIES_AT_ONCE + 1):
            client = stack.enter_context(served.connect("127.0.0.2"))
            client.sendall(photo_head(served.key, f"Content-Length: {LARGEST}"))
            send_as_far_as_taken(client, LARGEST - 1)
            clients.append(client)
        assert served.blur(other).status_code == 200
        refused = [client for client in clients if is_answered(client)]
    assert len(refused) >= BODIES_AT_ONCE // 2
    trials.record(
        trials.Part.LOAD,
        "Unfinished bodies of the largest size from one key",
        f"{BODIES_AT_ONCE + 1} bodies of {LARGEST // 1_000_000} MB",
        "bodies beyond that key's share get 503; a photo of another key is blurred",
        by=HERE,
    )


def is_answered(client: socket.socket) -> bool:
    client.settimeout(0.2)
    try:
        return client.recv(100).startswith(b"HTTP/1.1 503")
    except (TimeoutError, ConnectionError):
        return False


def test_chunks_of_one_byte_do_not_block_the_server(served: Served) -> None:
    stop = threading.Event()
    statuses: list[bytes] = []

    def send_chunks() -> None:
        while not stop.is_set():
            with served.connect() as client:
                client.sendall(photo_head(served.key, "Transfer-Encoding: chunked"))
                send_as_far_as_taken_in(client, b"1\r\na\r\n" * 5_000, stop)
                statuses.append(everything(client)[:12])

    threads = [threading.Thread(target=send_chunks) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        times = sorted(served.health_s() for _ in range(trials.size(20, full=200)))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert times[len(times) // 2] < 1.0
    assert b"HTTP/1.1 400" in statuses
    trials.record(
        trials.Part.BAD_INPUT,
        "Chunks of one byte, as fast as the server reads them",
        f"2 clients, {len(times)} calls of `/health` meanwhile",
        f"400 `invalid_request` beyond {FREE_CHUNKS:,} such chunks; `/health` took "
        f"{times[len(times) // 2] * 1000:.0f} ms in the median, {times[-1] * 1000:.0f} ms at most",
        by=HERE,
    )


def send_as_far_as_taken_in(client: socket.socket, data: bytes, stop: threading.Event) -> None:
    try:
        for _ in range(100):
            if stop.is_set():
                return
            client.sendall(data)
    except ConnectionError:
        return


def test_keep_alive_requests_do_not_wait_for_an_acknowledgement(served: Served) -> None:
    """Linux delays an acknowledgement by 40 ms; a request takes only a few milliseconds."""
    with served.connect() as client:
        times = []
        for _ in range(30):
            started = time.monotonic()
            client.sendall(head(method="GET", target="/health"))
            received = b""
            while not received.endswith(b'{"status": "ok"}'):
                received += client.recv(4096)
            times.append(time.monotonic() - started)
    # Only one of the best times, because the machine can be busy.
    assert sorted(times)[5] < 0.03


def test_each_response_has_exactly_one_log_line(served: Served) -> None:
    asked = {
        "bad HTTP": b"GET /health HTTP/9.9x\r\n\r\n",
        "unknown method": head("Connection: close", method="BREW" * 15_000),
        "no route": head("Connection: close", method="GET", target="/nowhere"),
        "no key": head("Connection: close", "Content-Length: 0"),
        "unknown key": photo_head(unknown_key(), "Connection: close", "Content-Length: 0"),
        "upload without a form": head(
            "Connection: close", "Content-Length: 0", target="/media/uploads"
        ),
        "no form": photo_head(served.key, "Connection: close", "Content-Length: 0"),
        "account": head(
            f"ApiKey: {served.key}", "Connection: close", method="GET", target="/v2/account"
        ),
    }
    slashes = {"target": "/v2/account" + "/" * 50_000}
    asked["many slashes"] = head(f"ApiKey: {served.key}", CLOSE, method="GET", **slashes)
    chunked = {
        "no route": {"method": "POST", "target": "/nowhere"},
        "page": {"method": "GET", "target": "/"},
        "account": {"method": "GET", "target": "/v2/account"},
        "one-time code": {"method": "POST", "target": "/key-link"},
        "upload": {"method": "POST", "target": "/media/uploads"},
        "photo": {"method": "POST", "target": "/v2/rembg/blur"},
    }
    for name, request in chunked.items():
        fields = (f"ApiKey: {served.key}", "Transfer-Encoding: chunked")
        asked[f"bad chunk, {name}"] = head(*fields, **request) + b"5\r\nhello\r\nzz\r\n"
    for name, sent in asked.items():
        before = len(served.log())
        with served.connect() as client:
            client.sendall(sent)
            (reply,) = replies(everything(client))
        request_id = reply.headers["x-request-id"]
        found = [line for line in served.log() if line.get("request_id") == request_id]
        time.sleep(0.1)  # wait for a possible second line, which would have another id
        assert len(served.log()) == before + 1, name
        assert len(found) == 1, name
        assert found[0]["status"] == reply.status, name
        assert len(json.dumps(found[0])) < 1_000, name


def test_a_bad_chunk_after_the_response_gets_no_second_response(served: Served) -> None:
    sent = head(f"ApiKey: {served.key}", "Transfer-Encoding: chunked", target="/v2/rembg/blur")
    before = len(served.log())
    with served.connect() as client:
        client.sendall(sent + b"5\r\nhello\r\n")
        time.sleep(0.05)
        client.sendall(b"zz\r\n")
        found = replies(everything(client))
    assert len(found) == 1
    assert [line["status"] for line in served.log()[before:]] == [found[0].status]


def test_a_stopping_server_does_not_wait_for_a_client_that_does_not_read(
    tmp_path: Path, model_dir: Path
) -> None:
    with (
        serve(tmp_path, model_dir, BLUR_STOP_S="20") as served,
        served.connect(buffer=4096) as client,
    ):
        ask_and_never_read(client)
        served.server.process.terminate()
        started = time.monotonic()
        served.server.process.wait(timeout=60)
        took_s = time.monotonic() - started
        assert took_s < 20
    trials.record(
        trials.Part.FAULTS,
        "SIGTERM while a client does not read",
        "1 stop",
        f"stopped after {took_s:.1f} s",
        by=HERE,
    )


def test_a_request_longer_than_the_stop_gets_a_response_and_a_log_line(
    tmp_path: Path, model_dir: Path
) -> None:
    with serve(tmp_path, model_dir, BLUR_STOP_S="1") as served, served.connect() as client:
        client.sendall(photo_head(served.key, "Content-Length: 100000") + b"x")
        served.health_s()
        served.server.process.terminate()
        (reply,) = replies(everything(client))
        served.server.process.wait(timeout=60)
        lines = [line["status"] for line in served.log()]
    assert reply.status == 500
    assert lines == [500]


def test_responses_are_sent_in_slices_that_a_slow_client_reads_in_time() -> None:
    assert SLICE_BYTES / timers.WRITE_S < 4_000
