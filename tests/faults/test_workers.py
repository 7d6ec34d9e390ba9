"""A real server with several workers or a full queue: accounts, responses and the page."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from tests.faults.processes import mapped_files, workers
from tests.faults.until import until
from tests.integration.customer_calls import balance, children, funded, jpeg, post
from tests.integration.running import environment, running


@pytest.fixture(scope="module")
def photo() -> bytes:
    return jpeg(512, 512)


@pytest.fixture(scope="module")
def slow_photo() -> bytes:
    return jpeg(3000, 3000)


def test_two_workers_together_never_charge_an_account_more_than_its_credits(
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


def test_only_the_photo_workers_load_the_libraries_for_photos(
    tmp_path: Path, model_dir: Path, photo: bytes
) -> None:
    libraries = ("/numpy/", "/cv2/", "/PIL/", "/onnxruntime/")
    with running(tmp_path, environment(tmp_path, model_dir)) as server:
        front = server.process.pid
        (account_worker,), (photo_worker,) = workers(front, "account"), workers(front)
        files = mapped_files(photo_worker)  # the server has started, and no photo was sent yet
        assert [library for library in libraries if library not in files] == []
        key = funded(tmp_path, model_dir, 1)
        assert balance(server, key) == (1, 0)
        assert requests.get(server.url, timeout=10).status_code == 200
        assert post(server, key, photo).status_code == 200
        for pid in (front, account_worker):
            files = mapped_files(pid)
            assert [library for library in libraries if library in files] == []


def test_while_the_queue_is_full_a_request_gets_a_retry_after_header_and_is_not_charged(
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
