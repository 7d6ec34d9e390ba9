"""Workers that are killed or stopped, and workers of a server that is killed or stopped."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.faults.processes import require_gone, workers
from tests.faults.until import SELDOM_S, WAIT_S, until
from tests.integration.customer_calls import balance, children, funded, jpeg, post
from tests.integration.running import ServerProcess, environment, running

from blur_client import Client

if TYPE_CHECKING:
    import requests


@pytest.fixture(scope="module")
def photo() -> bytes:
    return jpeg(512, 512)


@pytest.fixture(scope="module")
def slow_photo() -> bytes:
    return jpeg(4000, 4000)


@dataclass(frozen=True)
class AtWork:
    """A server whose only worker processes a photo, and the key that the photo was sent with."""

    server: ServerProcess
    key: str
    worker: int
    answer: Future[requests.Response]


@pytest.fixture
def at_work(
    tmp_path: Path, model_dir: Path, slow_photo: bytes, request: pytest.FixtureRequest
) -> Iterator[AtWork]:
    hold_ttl_s = getattr(request, "param", 600)
    env = environment(tmp_path, model_dir, BLUR_HOLD_TTL_S=str(hold_ttl_s))
    with running(tmp_path, env) as server, ThreadPoolExecutor(1) as pool:
        key = funded(tmp_path, model_dir, 5)
        (worker,) = children(server)
        answer = pool.submit(post, server, key, slow_photo)
        until(lambda: balance(server, key) == (4, 1))
        yield AtWork(server, key, worker, answer)


def test_killed_worker_is_replaced_and_only_its_current_request_fails(
    at_work: AtWork, photo: bytes
) -> None:
    server, key = at_work.server, at_work.key
    os.kill(at_work.worker, signal.SIGKILL)
    answer = at_work.answer.result()
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "Idempotency-Key" in answer.json()["error"]["message"]
    assert "X-Credits-Charged" not in answer.headers  # the charge is not known
    assert post(server, key, photo).status_code == 200
    assert children(server).isdisjoint({at_work.worker})
    assert balance(server, key) == (4, 0)  # the next worker refunds the call before it starts


def test_a_call_whose_worker_was_killed_can_be_repeated_with_its_idempotency_key_immediately(
    at_work: AtWork, slow_photo: bytes
) -> None:
    server, key = at_work.server, at_work.key
    os.kill(at_work.worker, signal.SIGKILL)
    assert at_work.answer.result().status_code == 500
    until(lambda: balance(server, key) == (5, 0))
    with Client(server.url, key) as client, ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.blur, slow_photo, radius=12)
        until(lambda: balance(server, key) == (4, 1))
        (worker,) = children(server)
        os.kill(worker, signal.SIGKILL)
        assert call.result(WAIT_S).credits_charged == 1
    assert balance(server, key) == (4, 0)


@pytest.mark.parametrize("at_work", [12], indirect=True)
def test_a_worker_that_does_not_respond_is_killed_when_its_hold_expires(
    at_work: AtWork, photo: bytes
) -> None:
    server, key = at_work.server, at_work.key
    os.kill(at_work.worker, signal.SIGSTOP)
    assert at_work.answer.result().status_code == 500
    assert post(server, key, photo).status_code == 200
    until(lambda: balance(server, key) == (4, 0), pause_s=SELDOM_S)


def test_a_request_succeeds_after_an_idle_worker_was_killed(
    tmp_path: Path, model_dir: Path, photo: bytes
) -> None:
    with running(tmp_path, environment(tmp_path, model_dir)) as server:
        key = funded(tmp_path, model_dir, 1)
        (worker,) = children(server)
        os.kill(worker, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{worker}").exists())
        assert post(server, key, photo).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_when_the_front_process_ends(
    number: signal.Signals, tmp_path: Path, counting_models: Path
) -> None:
    with running(tmp_path, environment(tmp_path, counting_models), "--workers", "2") as server:
        pids = [*workers(server.process.pid), *workers(server.process.pid, "account")]
        assert len(pids) == 3
        server.process.send_signal(number)
        server.process.wait(timeout=WAIT_S)
        require_gone(pids)


def test_request_finishes_after_sigterm_to_all_processes_of_the_server(
    tmp_path: Path, model_dir: Path, slow_photo: bytes
) -> None:
    with running(tmp_path, environment(tmp_path, model_dir)) as server:
        key = funded(tmp_path, model_dir, 1)
        answers: list[requests.Response] = []
        thread = threading.Thread(target=lambda: answers.append(post(server, key, slow_photo)))
        thread.start()
        until(lambda: balance(server, key) == (0, 1))
        for pid in (*children(server), server.process.pid):
            os.kill(pid, signal.SIGTERM)
        thread.join(WAIT_S)
        assert [answer.status_code for answer in answers] == [200]
