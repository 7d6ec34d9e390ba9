"""Requests to a real server from curl, `requests` and a streaming client."""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
import requests
from PIL import Image
from requests_toolbelt import MultipartEncoder
from skimage import data

from .running import BGBLUR, ServerProcess, environment, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def server(folder: Path, model_dir: Path) -> Iterator[ServerProcess]:
    with running(folder, environment(folder, model_dir)) as started:
        yield started


@pytest.fixture(scope="module")
def api_key(folder: Path, model_dir: Path, server: ServerProcess) -> str:
    """Return a key that was issued while the server runs."""
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
    portrait: NDArray[np.uint8] = data.astronaut()
    return portrait


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def test_the_command_that_the_server_prints_issues_a_key_of_this_server(
    server: ServerProcess, folder: Path, model_dir: Path
) -> None:
    printed = re.findall(r"^New key: +(.+) \(in another", server.out.read_text(), re.MULTILINE)
    command = printed[0].replace("bgblur keys", f"{shlex.join(BGBLUR)} keys")
    env = environment(folder, model_dir)
    del env["BLUR_ACCOUNTS"]
    output = subprocess.check_output(["sh", "-euc", command], env=env, text=True)
    [key] = re.findall(r"^key +(\S+)$", output, re.MULTILINE)
    answer = requests.get(f"{server.url}/v2/account", headers={"ApiKey": key}, timeout=10)
    assert answer.json()["balance"] == 500


def test_photo_sent_with_the_requests_library_is_returned_blurred_as_png(
    server: ServerProcess, api_key: str, photo: Path
) -> None:
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


def test_streamed_form_gets_the_same_image_as_a_form_sent_at_once(
    server: ServerProcess, api_key: str, photo: Path
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


def test_curl_saves_the_cutout(
    server: ServerProcess, api_key: str, photo: Path, tmp_path: Path
) -> None:
    output = tmp_path / "blurred.png"
    form = ["-F", f"image=@{photo}", "-F", "radius=12", "-F", "mode=cutout"]
    command = ["curl", "-sS", "-H", f"ApiKey: {api_key}", *form, server.blur_url, "-o", str(output)]
    subprocess.run(command, check=True, timeout=60)
    with Image.open(output) as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGBA")


def test_curl_with_100_continue_does_not_send_a_body_that_is_too_large(
    server: ServerProcess, api_key: str, tmp_path: Path
) -> None:
    big = tmp_path / "big.bin"
    with big.open("wb") as file:
        file.truncate(30_000_000)
    headers = ["-H", f"ApiKey: {api_key}", "-H", "Expect: 100-continue"]
    form = ["-F", f"image=@{big}", "-F", "radius=1"]
    format_options = ["-w", "\n%{http_code} %{size_upload}"]
    command = ["curl", "-sS", *headers, *form, *format_options, server.blur_url]
    done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60)
    body, _, numbers = done.stdout.rpartition("\n")
    assert json.loads(body)["error"]["code"] == "image_too_large"
    status, uploaded = numbers.split()
    assert (status, int(uploaded) < 1_000_000) == ("413", True)


def test_client_that_sends_a_body_that_is_too_large_can_read_the_413(
    server: ServerProcess, api_key: str
) -> None:
    answer = requests.post(
        server.blur_url,
        headers={"ApiKey": api_key},
        files={"image": bytes(30_000_000)},
        data={"radius": 1},
        timeout=60,
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "image_too_large")


def test_health_needs_no_key(server: ServerProcess) -> None:
    answer = requests.get(f"{server.url}/health", timeout=10)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/health", "/openapi.json", "/", "/docs", "/sample.jpg"])
def test_head_returns_the_content_length_and_content_type_of_get_without_the_body(
    server: ServerProcess, path: str
) -> None:
    got, asked = (
        requests.request(method, server.url + path, headers={"Accept-Encoding": ""}, timeout=10)
        for method in ("GET", "HEAD")
    )
    assert (asked.status_code, asked.content) == (got.status_code, b"")
    assert asked.headers["Content-Length"] == got.headers["Content-Length"]
    assert asked.headers["Content-Type"] == got.headers["Content-Type"]


def test_request_without_a_key_gets_401_with_a_request_id(server: ServerProcess) -> None:
    answer = requests.post(server.blur_url, data={"radius": 1}, timeout=10)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert answer.json()["error"]["request_id"] == answer.headers["X-Request-Id"]


def test_concurrent_requests_each_get_the_image_for_their_radius(
    server: ServerProcess, api_key: str, photo: Path
) -> None:
    content = photo.read_bytes()

    def post(radius: int) -> requests.Response:
        return post_form(server.blur_url, api_key, content, radius)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(post, (3, 9, 3, 9)))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert answers[0].content == answers[2].content != answers[1].content == answers[3].content


def post_form(url: str, key: str, photo: bytes, radius: int) -> requests.Response:
    headers, form = {"ApiKey": key}, {"radius": radius}
    return requests.post(url, headers=headers, files={"image": photo}, data=form, timeout=100)
