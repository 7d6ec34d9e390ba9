"""A real server, driven by the clients that people use."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
import requests
from PIL import Image
from requests_toolbelt import MultipartEncoder
from skimage import data

from .running import BGBLUR, Running, environment, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def server(folder: Path, model_dir: Path) -> Iterator[Running]:
    with running(folder, environment(folder, model_dir)) as started:
        yield started


@pytest.fixture(scope="module")
def api_key(folder: Path, model_dir: Path, server: Running) -> str:
    """Return a key that the command line issued while the server runs."""
    del server
    done = subprocess.run(
        [*BGBLUR, "keys", "issue", "--credits", "1000", "--json"],
        env=environment(folder, model_dir),
        capture_output=True,
        check=True,
    )
    key: str = json.loads(done.stdout)["key"]
    return key


@pytest.fixture(scope="module")
def photo(folder: Path) -> Path:
    path = folder / "astronaut.jpg"
    Image.fromarray(astronaut()).save(path, quality=92)
    return path


def astronaut() -> NDArray[np.uint8]:
    portrait: NDArray[np.uint8] = data.astronaut()  # type: ignore[no-untyped-call]
    return portrait


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def test_requests_gets_the_photo_back_as_png(server: Running, api_key: str, photo: Path) -> None:
    with photo.open("rb") as file:
        answer = requests.post(
            server.blur_url,
            headers={"ApiKey": api_key},
            files={"image": file},
            data={"radius": 12},
            timeout=60,
        )
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/png"
    assert re.fullmatch(r"req_[0-9a-f-]{36}", answer.headers["X-Request-Id"])
    picture = opened(answer.content)
    assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (512, 512))
    assert not np.array_equal(np.asarray(picture), np.asarray(Image.open(photo)))


def test_a_streamed_upload_gives_the_same_picture(
    server: Running, api_key: str, photo: Path
) -> None:
    with photo.open("rb") as file:
        form = MultipartEncoder({"image": ("a.jpg", file, "image/jpeg"), "radius": "12"})
        headers = {"ApiKey": api_key, "Content-Type": form.content_type}
        streamed = requests.post(server.blur_url, headers=headers, data=form, timeout=60)
    plain = requests.post(
        server.blur_url.rstrip("/"),
        headers={"ApiKey": api_key},
        files={"image": photo.read_bytes()},
        data={"radius": 12},
        timeout=60,
    )
    assert streamed.status_code == plain.status_code == 200
    assert streamed.content == plain.content


def test_curl_writes_the_picture(
    server: Running, api_key: str, photo: Path, tmp_path: Path
) -> None:
    output = tmp_path / "blurred.png"
    form = ["-F", f"image=@{photo}", "-F", "radius=12", "-F", "mode=cutout"]
    command = ["curl", "-sS", "-H", f"ApiKey: {api_key}", *form, server.blur_url, "-o", str(output)]
    subprocess.run(command, check=True, timeout=60)
    with Image.open(output) as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGBA")


def test_curl_that_waits_for_a_word_is_spared_an_upload_that_is_too_large(
    server: Running, api_key: str, tmp_path: Path
) -> None:
    big = tmp_path / "big.bin"
    with big.open("wb") as file:
        file.truncate(30_000_000)
    headers = ["-H", f"ApiKey: {api_key}", "-H", "Expect: 100-continue"]
    form = ["-F", f"image=@{big}", "-F", "radius=1"]
    wanted = ["-w", "\n%{http_code} %{size_upload}"]
    command = ["curl", "-sS", *headers, *form, *wanted, server.blur_url]
    done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60)
    body, _, numbers = done.stdout.rpartition("\n")
    assert json.loads(body)["error"]["code"] == "image_too_large"
    status, uploaded = numbers.split()
    assert (status, int(uploaded) < 1_000_000) == ("413", True)


def test_a_client_that_just_sends_too_much_still_reads_the_answer(
    server: Running, api_key: str
) -> None:
    answer = requests.post(
        server.blur_url,
        headers={"ApiKey": api_key},
        files={"image": bytes(30_000_000)},
        data={"radius": 1},
        timeout=60,
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "image_too_large")


def test_health_needs_no_key(server: Running) -> None:
    answer = requests.get(f"{server.url}/health", timeout=10)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_a_missing_key_is_told_so_in_the_contracts_words(server: Running) -> None:
    answer = requests.post(server.blur_url, data={"radius": 1}, timeout=10)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert answer.json()["error"]["request_id"] == answer.headers["X-Request-Id"]


def test_callers_at_once_are_all_answered(server: Running, api_key: str, photo: Path) -> None:
    content = photo.read_bytes()

    def post(radius: int) -> requests.Response:
        return post_form(server.blur_url, api_key, content, radius)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(post, (3, 9, 3, 9)))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert answers[0].content == answers[2].content != answers[1].content == answers[3].content


@pytest.fixture
def slow_photo() -> bytes:
    """Return a photo that takes long enough to be interrupted."""
    large = Image.fromarray(astronaut()).resize((4000, 4000))
    buffer = io.BytesIO()
    large.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def shown(env: dict[str, str], account_id: str) -> dict[str, int]:
    command = [*BGBLUR, "accounts", "show", account_id, "--json"]
    done = subprocess.run(command, env=env, capture_output=True, check=True)
    account: dict[str, int] = json.loads(done.stdout)
    return account


def issue(env: dict[str, str], *options: str) -> tuple[str, str]:
    command = [*BGBLUR, "keys", "issue", "--json", *options]
    done = subprocess.run(command, env=env, capture_output=True, check=True)
    made = json.loads(done.stdout)
    return made["key"], made["account"]


def wait_for_hold(env: dict[str, str], account_id: str) -> None:
    for _ in range(60):
        if shown(env, account_id)["held"]:
            return
    pytest.fail("the request never took its hold")


def post_form(url: str, key: str, photo: bytes, radius: int) -> requests.Response:
    headers, form = {"ApiKey": key}, {"radius": radius}
    return requests.post(url, headers=headers, files={"image": photo}, data=form, timeout=100)


def post_slowly(url: str, key: str, photo: bytes) -> requests.Response | None:
    try:
        return post_form(url, key, photo, 30)
    except requests.ConnectionError:
        return None


def test_sigterm_lets_the_request_in_flight_finish(
    tmp_path: Path, model_dir: Path, slow_photo: bytes
) -> None:
    env = environment(tmp_path, model_dir)
    key, account_id = issue(env, "--credits", "5")
    with running(tmp_path, env) as server, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(post_slowly, server.blur_url, key, slow_photo)
        wait_for_hold(env, account_id)
        server.process.send_signal(signal.SIGTERM)
        finished = answer.result()
        assert finished is not None
        assert finished.status_code == 200
        assert server.process.wait(timeout=30) in {0, -signal.SIGTERM}
    assert shown(env, account_id)["balance"] == 4


def test_an_upload_that_stalls_is_cut_short_and_holds_up_no_stop(
    tmp_path: Path, model_dir: Path
) -> None:
    with running(tmp_path, environment(tmp_path, model_dir)) as server:
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=60) as client:
            client.sendall(b"POST /v2/rembg/blur/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n")
            client.sendall(b"Expect: 100-continue\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 100")  # it has the request now
            client.sendall(b"a")
            server.process.send_signal(signal.SIGTERM)
            assert client.recv(100).startswith(b"HTTP/1.1 401")
        server.process.wait(timeout=30)


def test_kill_minus_nine_in_mid_request_loses_no_key_and_no_credit(
    tmp_path: Path, model_dir: Path, slow_photo: bytes, photo: Path
) -> None:
    env = environment(tmp_path, model_dir, BLUR_HOLD_TTL_S="15")
    key, account_id = issue(env, "--credits", "5")
    with running(tmp_path, env) as server, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(post_slowly, server.blur_url, key, slow_photo)
        wait_for_hold(env, account_id)
        os.kill(server.process.pid, signal.SIGKILL)
        assert answer.result() is None
    killed = shown(env, account_id)
    assert (killed["balance"], killed["held"]) == (4, 1)

    with running(tmp_path, env) as server:
        url, headers = f"{server.url}/v2/account", {"ApiKey": key}
        balances = [requests.get(url, headers=headers, timeout=10).json() for _ in range(2)]
        assert {balance["balance"] + balance["held"] for balance in balances} == {5}
        returned = wait_until_returned(url, headers)
        assert (returned["balance"], returned["usage"]) == (5, {})
        done = post_form(server.blur_url, key, photo.read_bytes(), 5)
        assert done.headers["X-Credits-Remaining"] == "4"
    audit = subprocess.run([*BGBLUR, "accounts", "audit"], env=env, capture_output=True, check=True)
    assert b"1 audited, 0 differences" in audit.stdout


def wait_until_returned(url: str, headers: dict[str, str]) -> dict[str, object]:
    for _ in range(60):
        body: dict[str, object] = requests.get(url, headers=headers, timeout=10).json()
        if body["held"] == 0:
            return body
        time.sleep(0.5)
    pytest.fail("the hold never came back")
