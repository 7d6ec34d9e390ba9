"""Faults in the server's processes: requests get responses, and workers are replaced."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from events import make
from tests.faults.balances import Balances, open_balances
from tests.faults.processes import workers
from tests.integration.running import ServerProcess, environment, running
from tests.trials import Part, record

from blur.accounts.connect import open_account_store

if TYPE_CHECKING:
    from collections.abc import Callable

INJECTED = Path(__file__).parent / "injected"
HOLD_TTL_S = 12
WAIT_S = 180
"""A time limit that is far longer than any request needs, even on a loaded machine."""
EXCEPTIONS = ("OSError 11", "MemoryError", "RuntimeError", "KeyError")
REPLY_FAULTS = ("hang", "stop", "exit", "close", "garbage", "unpicklable")
PHOTO = make.jpeg()
BY = "tests/faults/test_worker_processes.py"


@dataclass(frozen=True)
class Faulty:
    """A running server with one worker; `folder` has the faults that its processes cause."""

    running: ServerProcess
    folder: Path
    balances: Balances

    def inject(self, name: str, *faults: str) -> None:
        (self.folder / name).write_text("\n".join(faults))

    def is_due(self, name: str) -> bool:
        """Return whether a fault with this name is still pending."""
        return bool((self.folder / name).read_text())

    def post(self, idempotency_key: str | None = None) -> requests.Response:
        headers = {"ApiKey": self.balances.key}
        return requests.post(
            self.running.blur_url,
            headers=headers | ({"Idempotency-Key": idempotency_key} if idempotency_key else {}),
            files={"image": PHOTO},
            data={"radius": 12},
            timeout=WAIT_S,
        )

    def worker(self) -> int:
        """Wait for a running worker, and return its process id."""
        until(lambda: bool(workers(self.running.process.pid)))
        return workers(self.running.process.pid)[0]

    def failures(self) -> int:
        """Return the number of worker failures in the log."""
        return (self.folder.parent / "server.log").read_text().count("worker 0 failed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, counting_models: Path) -> Iterator[Faulty]:
    folder = tmp_path_factory.mktemp("faulty")
    faults = folder / "faults"
    faults.mkdir()
    env = environment(
        folder,
        counting_models,
        BLUR_HOLD_TTL_S=str(HOLD_TTL_S),
        BLUR_DEADLINE_MARGIN_S="1",
        INJECTED_FAULTS=str(faults),
        PYTHONPATH=str(INJECTED),
    )
    store = open_account_store(env["BLUR_ACCOUNTS"])
    with running(folder, env) as started:
        yield Faulty(started, faults, open_balances(store))
    store.close()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, f"the condition was not true within {WAIT_S} s"
        time.sleep(0.1)


def until_answered(server: Faulty, idempotency_key: str | None = None) -> None:
    """Post until a photo is blurred; before that, every response is a 503 with `Retry-After`."""
    deadline = time.monotonic() + WAIT_S
    while (response := server.post(idempotency_key)).status_code != 200:
        assert (response.status_code, response.json()["error"]["code"]) == (503, "overloaded")
        assert int(response.headers["Retry-After"]) >= 1
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", REPLY_FAULTS)
def test_a_faulty_reply_of_a_worker_gets_500_and_a_retry_is_charged_once(
    server: Faulty, fault: str
) -> None:
    until_answered(server)
    used, idempotency_key = server.balances.exact().used, uuid.uuid4().hex
    server.inject("reply", fault)
    response = server.post(idempotency_key)
    assert (response.status_code, response.json()["error"]["code"]) == (500, "internal_error")
    assert "X-Credits-Charged" not in response.headers  # it is unknown whether the call was charged
    until_answered(server, idempotency_key)
    assert not server.is_due("reply")
    assert server.balances.settled(after_s=HOLD_TTL_S) == used + 1
    record(
        Part.FAULTS,
        "A worker's reply never arrives, cannot be pickled or is garbage, or the worker stops",
        f"{len(REPLY_FAULTS)} faults, one worker",
        "each call gets 500 and its worker is replaced; a retry with the same"
        " `Idempotency-Key` gets the result and is charged once",
        by=BY,
    )


@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", ["hang", "exit", "garbage"])
def test_a_request_that_a_worker_did_not_accept_goes_to_the_next_worker(
    server: Faulty, fault: str
) -> None:
    until_answered(server)
    used = server.balances.exact().used
    server.inject("accept", fault)
    assert server.post().status_code == 200
    assert not server.is_due("accept")
    assert server.balances.settled(after_s=HOLD_TTL_S) == used + 1


@pytest.mark.timeout(900)
@pytest.mark.parametrize("side", ["send", "receive"])
@pytest.mark.parametrize("fault", ["OSError 32", "KeyError"])
def test_a_request_gets_200_and_one_charge_although_the_pipe_to_its_worker_breaks(
    server: Faulty, side: str, fault: str
) -> None:
    until_answered(server)
    used = server.balances.exact().used
    server.inject(side, fault)
    assert server.post().status_code == 200
    assert not server.is_due(side)
    assert server.balances.settled(after_s=HOLD_TTL_S) == used + 1


@pytest.mark.timeout(900)
def test_starting_a_worker_is_retried_until_it_succeeds(server: Faulty) -> None:
    before = server.failures()
    server.inject("spawn", *EXCEPTIONS * 10)
    os.kill(server.worker(), signal.SIGKILL)
    until(lambda: server.failures() > before + len(EXCEPTIONS))
    refused = server.post()
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
    assert int(refused.headers["Retry-After"]) >= 1
    assert requests.get(f"{server.running.url}/health", timeout=WAIT_S).status_code == 200
    server.inject("spawn")
    until_answered(server)
    record(
        Part.FAULTS,
        "A worker process that cannot be started (no memory, no process, other exceptions)",
        f"{server.failures() - before} failures in a row, one worker",
        "until a start succeeds, photos get 503 with `Retry-After` and `/health` returns 200;"
        " after that, photos are processed again",
        by=BY,
    )


@pytest.mark.timeout(900)
def test_a_photo_that_waits_while_a_worker_cannot_start_gets_200_or_503(server: Faulty) -> None:
    server.inject("spawn", "OSError 12", "OSError 12")
    os.kill(server.worker(), signal.SIGKILL)
    assert server.post().status_code in {200, 503}
    until_answered(server)
    assert not server.is_due("spawn")


@pytest.mark.timeout(900)
def test_a_suspended_idle_worker_is_replaced_at_the_next_request(server: Faulty) -> None:
    until_answered(server)
    used, worker = server.balances.exact().used, server.worker()
    os.kill(worker, signal.SIGSTOP)
    assert server.post().status_code == 200
    assert worker not in workers(server.running.process.pid)
    assert server.balances.settled(after_s=HOLD_TTL_S) == used + 1


@pytest.mark.timeout(900)
def test_workers_killed_while_they_start_are_replaced(server: Faulty) -> None:
    for _ in range(3):
        worker = server.worker()
        os.kill(worker, signal.SIGKILL)
        until(lambda: worker not in workers(server.running.process.pid))  # noqa: B023 - the lambda is called before the next iteration
    until_answered(server)


@pytest.mark.timeout(900)
def test_the_server_works_without_functions_that_windows_or_macos_lack(
    tmp_path: Path, counting_models: Path
) -> None:
    env = environment(tmp_path, counting_models, INJECTED_ABSENCE="1", PYTHONPATH=str(INJECTED))
    store = open_account_store(env["BLUR_ACCOUNTS"])
    with running(tmp_path, env) as started:
        server = Faulty(started, tmp_path, open_balances(store))
        assert server.post().status_code == 200
        account = requests.get(
            f"{started.url}/v2/account", headers={"ApiKey": server.balances.key}, timeout=WAIT_S
        )
        assert account.status_code == 200
        os.kill(server.worker(), signal.SIGKILL)
        assert server.post().status_code == 200
    assert started.process.returncode == -signal.SIGTERM  # the signal ended the process
    store.close()
