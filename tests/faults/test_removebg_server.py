"""remove.bg's routes on a real server with two workers.

The tests send several copies of a call, lose connections, and send large files.
"""

from __future__ import annotations

import base64
import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import requests
from requests_toolbelt import MultipartEncoder
from tests.faults.test_charging import reset
from tests.faults.until import SELDOM_S, WAIT_S, until
from tests.integration.customer_calls import balance, funded, jpeg
from tests.integration.running import environment, running

from blur.api.removebg.sources import MAX_FILE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.running import ServerProcess

COPIES = 6


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("served")
    with running(folder, environment(folder, model_dir), "--workers", "2") as started:
        yield started


@pytest.fixture
def key(server: ServerProcess, model_dir: Path) -> str:
    return funded(server.out.parent, model_dir, 10)


def post(server: ServerProcess, key: str, photo: bytes, **fields: str) -> requests.Response:
    return requests.post(
        f"{server.url}/v1.0/removebg",
        headers={"X-Api-Key": key},
        files={"image_file": ("photo.jpg", photo)},
        data=fields,
        timeout=WAIT_S,
    )


def test_all_concurrent_copies_get_the_image_and_only_one_copy_is_charged(
    server: ServerProcess, key: str
) -> None:
    photo = jpeg(1000, 1000)
    with ThreadPoolExecutor(COPIES) as pool:
        responses = list(pool.map(lambda _: post(server, key, photo, size="auto"), range(COPIES)))
    assert [response.status_code for response in responses] == [200] * COPIES
    assert len({response.content for response in responses}) == 1
    charges = sorted(response.headers["X-Credits-Charged"] for response in responses)
    assert charges == ["0"] * (COPIES - 1) + ["1"]
    replayed = [r for r in responses if r.headers.get("Idempotent-Replayed") == "true"]
    assert len(replayed) == COPIES - 1
    assert balance(server, key) == (9, 0)


def test_call_with_a_lost_connection_and_its_retry_together_cost_one_credit(
    server: ServerProcess, key: str
) -> None:
    photo = jpeg(3000, 3000)
    encoder = MultipartEncoder({"size": "auto", "image_file": ("photo.jpg", photo)})
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
    headers = {"X-Api-Key": key, "Content-Type": encoder.content_type}
    connection.request("POST", "/v1.0/removebg", encoder.read(), headers)
    until(lambda: balance(server, key) == (9, 1))
    assert connection.sock is not None
    reset(connection.sock)
    retried = post(server, key, photo, size="auto")
    assert retried.status_code == 200
    until(lambda: balance(server, key)[1] == 0, pause_s=SELDOM_S)
    assert balance(server, key) == (9, 0)


def test_file_of_22_megabytes_is_accepted_in_multipart_json_and_urlencoded_bodies(
    server: ServerProcess, key: str
) -> None:
    photo = jpeg(64, 64)
    largest = photo + bytes(MAX_FILE_BYTES - len(photo))  # decoders ignore bytes after the image
    url, headers = f"{server.url}/v1.0/removebg", {"X-Api-Key": key}
    fields = {"image_file_b64": base64.b64encode(largest).decode(), "crop": "true"}
    pictures = [
        post(server, key, largest, crop="true"),
        requests.post(url, headers=headers, json=fields, timeout=WAIT_S),
        requests.post(url, headers=headers, data=fields, timeout=WAIT_S),
    ]
    assert [picture.status_code for picture in pictures] == [200] * 3
    assert len({picture.content for picture in pictures}) == 1
    assert balance(server, key) == (9.75, 0)


def test_file_above_22_megabytes_gets_the_error_file_too_large(
    server: ServerProcess, key: str
) -> None:
    responses = [
        post(server, key, bytes(MAX_FILE_BYTES + 1)),
        post(server, key, bytes(32_000_000)),
    ]
    for response in responses:
        assert response.status_code == 400
        assert json.loads(response.content)["errors"][0]["code"] == "file_too_large"
    assert balance(server, key) == (10, 0)
