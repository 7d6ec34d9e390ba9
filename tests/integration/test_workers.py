"""A real server with several workers: shared accounts, failures and shutdown."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import requests
from PIL import Image
from skimage import data
from tests.faults.processes import require_gone, workers
from tests.integration.running import BGBLUR, Running, environment, running

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 60


@pytest.fixture(scope="module")
def photo() -> bytes:
    return jpeg(512, 512)


@pytest.fixture(scope="module")
def slow_photo() -> bytes:
    return jpeg(4000, 4000)


def jpeg(width_px: int, height_px: int) -> bytes:
    portrait = Image.fromarray(np.asarray(data.astronaut()))  # type: ignore[no-untyped-call]
    buffer = io.BytesIO()
    portrait.resize((width_px, height_px)).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def post(server: Running, key: str, photo: bytes) -> requests.Response:
    return requests.post(
        server.blur_url,
        headers={"ApiKey": key},
        files={"image": photo},
        data={"radius": 12},
        timeout=PATIENCE_S,
    )


def funded(folder: Path, model_dir: Path, balance: int) -> str:
    command = [*BGBLUR, "keys", "issue", "--credits", str(balance), "--json"]
    env = environment(folder, model_dir, BLUR_RATE_PER_MINUTE="60000", BLUR_RATE_BURST="10000")
    done = subprocess.run(command, env=env, capture_output=True, check=True)
    key: str = json.loads(done.stdout)["key"]
    return key


def balance(server: Running, key: str) -> tuple[int, int]:
    headers = {"ApiKey": key}
    account = requests.get(f"{server.url}/v2/account", headers=headers, timeout=10).json()
    return account["balance"], account["held"]


def children(server: Running) -> set[int]:
    """Return the ids of the processes that blur photos."""
    return set(workers(server.process.pid))


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "the expected state was not reached in time"
        time.sleep(0.02)


def test_two_workers_spend_exactly_the_credits_of_one_account(
    tmp_path: Path, model_dir: Path, photo: bytes
) -> None:
    with running(tmp_path, environment(tmp_path, model_dir), "--workers", "2") as server:
        key = funded(tmp_path, model_dir, 10)
        assert len(children(server)) == 2
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: post(server, key, photo), range(12)))
        assert sorted(answer.status_code for answer in answers) == [200] * 10 + [402] * 2
        assert len({answer.content for answer in answers if answer.ok}) == 1
        assert balance(server, key) == (0, 0)


def test_request_that_finds_the_queue_full_gets_retry_after_and_is_not_charged(
    tmp_path: Path, model_dir: Path, slow_photo: bytes
) -> None:
    with running(tmp_path, environment(tmp_path, model_dir), "--queue", "1") as server:
        key = funded(tmp_path, model_dir, 10)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: post(server, key, slow_photo), range(8)))
        done = [answer for answer in answers if answer.ok]
        rejected = [answer for answer in answers if not answer.ok]
        assert len(done) >= 2
        assert rejected
        for answer in rejected:
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "overloaded")
            assert answer.json()["error"]["retry_after"] == int(answer.headers["Retry-After"]) >= 1
        assert balance(server, key) == (10 - len(done), 0)


def test_health_and_page_are_served_while_the_only_worker_is_busy(
    tmp_path: Path, model_dir: Path, slow_photo: bytes
) -> None:
    with (
        running(tmp_path, environment(tmp_path, model_dir), "--queue", "0") as server,
        ThreadPoolExecutor(1) as pool,
    ):
        key = funded(tmp_path, model_dir, 1)
        working = pool.submit(post, server, key, slow_photo)
        until(lambda: balance(server, key) == (0, 1))
        assert requests.get(f"{server.url}/health", timeout=10).json() == {"status": "ok"}
        assert requests.get(server.url, timeout=10).status_code == 200
        assert not working.done()
        assert working.result().status_code == 200


@dataclass(frozen=True)
class AtWork:
    """A server with one worker that processes a photo, and the key of the photo's customer."""

    server: Running
    key: str
    worker: int
    answer: Future[requests.Response]


@pytest.fixture
def at_work(tmp_path: Path, model_dir: Path, slow_photo: bytes) -> Iterator[AtWork]:
    env = environment(tmp_path, model_dir, BLUR_HOLD_TTL_S="12")
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
    assert (
        "X-Credits-Charged" not in answer.headers
    )  # the server does not know yet whether the call is charged
    assert post(server, key, photo).status_code == 200
    assert children(server).isdisjoint({at_work.worker})
    until(lambda: balance(server, key) == (4, 0))


def test_a_worker_that_does_not_respond_is_killed_when_its_hold_expires(
    at_work: AtWork, photo: bytes
) -> None:
    server, key = at_work.server, at_work.key
    os.kill(at_work.worker, signal.SIGSTOP)
    assert at_work.answer.result().status_code == 500
    assert post(server, key, photo).status_code == 200
    until(lambda: balance(server, key) == (4, 0))


def test_request_after_the_kill_of_an_idle_worker_succeeds(
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
    number: signal.Signals, tmp_path: Path, model_dir: Path
) -> None:
    with running(tmp_path, environment(tmp_path, model_dir), "--workers", "2") as server:
        pids = [*workers(server.process.pid), *workers(server.process.pid, "account")]
        assert len(pids) == 3
        server.process.send_signal(number)
        server.process.wait(timeout=PATIENCE_S)
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
        thread.join(PATIENCE_S)
        assert [answer.status_code for answer in answers] == [200]
