"""The connections of one client leave space for other clients; requests are not delayed."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from tests import trials
from tests.attack.raw_http import everything, head, replies
from tests.attack.shares.shared_server import CLOSE, Served, photo_head

from bgblur.serving.connections import MAX_CONNECTIONS
from bgblur.serving.server import FILES
from blur.settings import Settings

HERE = "tests/attack/shares/test_connections.py"
SOON_S = 5.0
"""A time limit for one request on a busy machine, shorter than all timeouts of the server."""
OFFERS = "/v2/uploads"
PER_ADDRESS = Settings().connections_per_address


def is_open(client: socket.socket) -> bool:
    client.setblocking(False)  # noqa: FBT003 - the method takes no keyword
    try:
        return bool(client.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return True
    except ConnectionError:
        return False
    finally:
        client.settimeout(60)


def test_an_address_with_too_many_connections_loses_its_oldest_connection(served: Served) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(served.connect()) for _ in range(PER_ADDRESS)]
        served.health_s()
        other = stack.enter_context(served.connect("127.0.0.2"))
        assert not is_open(clients[0])
        assert is_open(clients[-1])
        assert is_open(other)


def test_an_address_with_two_connections_keeps_them_if_other_addresses_exceed_the_limit(
    served: Served,
) -> None:
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
        "the address with two connections keeps them; `/health` and photos still work",
        by=HERE,
    )


@pytest.mark.parametrize("kind", ["rejected early", "small bodies"])
def test_one_key_cannot_occupy_all_connections(served: Served, kind: str) -> None:
    key = f"ApiKey: {served.key}"
    sent, drip = {
        "rejected early": (
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
                with suppress(OSError):  # the server closed this connection to accept a new one
                    client.sendall(drip)
            with served.connect("127.0.0.9") as other:
                other.sendall(head(CLOSE, method="GET", target="/health"))
                (reply,) = replies(everything(other))
            assert reply.status == 200


def test_the_limit_for_open_files_is_more_than_twice_the_limit_for_connections(
    served: Served,
) -> None:
    limits = Path(f"/proc/{served.server.process.pid}/limits").read_text()
    [line] = [line for line in limits.splitlines() if line.startswith("Max open files")]
    now, most = map(int, line.split()[3:5])
    assert now >= min(FILES, most) > 2 * MAX_CONNECTIONS


def test_a_connection_with_an_unfinished_authenticated_request_stays_open(served: Served) -> None:
    with ExitStack() as stack:
        busy = stack.enter_context(served.connect())
        busy.sendall(photo_head(served.key, "Content-Length: 100000", "Expect: 100-continue"))
        assert busy.recv(100).startswith(b"HTTP/1.1 100 ")
        for _ in range(PER_ADDRESS + 5):
            stack.enter_context(served.connect())
        served.health_s()
        busy.sendall(b"x" * 100_000)
        assert busy.recv(100).startswith(b"HTTP/1.1 400 ")


def test_keep_alive_requests_do_not_wait_for_an_acknowledgement(served: Served) -> None:
    """Each request takes less than the 40 ms by which Linux delays a TCP acknowledgement."""
    with served.connect() as client:
        times = []
        for _ in range(30):
            started = time.monotonic()
            client.sendall(head(method="GET", target="/health"))
            received = b""
            while not received.endswith(b'{"status": "ok"}'):
                received += client.recv(4096)
            times.append(time.monotonic() - started)
    # Only the six shortest times count, because the machine can be busy.
    assert sorted(times)[5] < 0.03
