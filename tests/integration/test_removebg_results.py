"""Responses of `/v1.0/removebg` on a real server: large images, and rejected URLs."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image
from tests.integration.customer_calls import funded, jpeg
from tests.integration.fetching.image_host import image_host, response, sends
from tests.integration.running import ServerProcess, environment, running

LAMBDA_BYTES = 6_291_556
SIZE = (3000, 2000)
BUCKET = {
    "BLUR_MEDIA": "s3:media",
    "BLUR_MAX_RESPONSE_BYTES": "2000",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-central-1",
}
"""Settings with an unreachable bucket. Routes other than `/v1.0/removebg` send results above 2000
bytes to this bucket."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("removebg-results")


@pytest.fixture(scope="module")
def server(folder: Path, model_dir: Path) -> Iterator[ServerProcess]:
    env = environment(folder, model_dir, **BUCKET, BLUR_FETCH_URLS="yes")
    with running(folder, env) as started:
        yield started


@pytest.fixture(scope="module")
def key(folder: Path, model_dir: Path) -> str:
    return funded(folder, model_dir, 100)


def grainy() -> bytes:
    """Return a portrait with so much grain that the result is too large for a Lambda response."""
    portrait = np.asarray(Image.open(io.BytesIO(jpeg(*SIZE))).convert("RGB"))
    grain = np.random.default_rng(1).integers(0, 128, portrait.shape, np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(portrait // 2 + grain).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def remove(
    server: ServerProcess,
    key: str,
    *,
    accept: str = "*/*",
    file: bytes | None = None,
    **fields: str,
) -> requests.Response:
    return requests.post(
        f"{server.url}/v1.0/removebg",
        headers={"X-Api-Key": key, "Accept": accept},
        files={"image_file": file} if file else {"unused": b""},
        data=fields,
        allow_redirects=False,
        timeout=60,
    )


@pytest.mark.parametrize("accept", ["*/*", "application/json"])
def test_the_embedded_server_returns_a_result_above_lambdas_limit_in_the_body(
    server: ServerProcess, key: str, accept: str
) -> None:
    answer = remove(server, key, accept=accept, file=grainy(), size="full", format="png")
    assert answer.status_code == 200, answer.text[:500]
    assert "location" not in answer.headers
    data = (
        base64.b64decode(answer.json()["data"]["result_b64"])
        if accept == "application/json"
        else answer.content
    )
    assert len(data) > LAMBDA_BYTES
    with Image.open(io.BytesIO(data)) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGBA", SIZE)


def test_a_url_on_this_machine_is_not_fetched_and_costs_nothing(
    server: ServerProcess, key: str
) -> None:
    with image_host(sends(response(jpeg(64, 64)))) as host:
        for name in ("127.0.0.1", "localhost", "[::1]", "2130706433"):
            for port in (host.port, 80):
                url = f"http://{name}:{port}/photo.jpg"
                answer = remove(server, key, image_url=url)
                (error,) = answer.json()["errors"]
                assert (answer.status_code, error["code"]) == (400, "invalid_image_url"), url
                assert answer.headers["X-Credits-Charged"] == "0"
    assert not host.heads


def test_background_url_with_a_link_local_address_is_rejected(
    server: ServerProcess, key: str
) -> None:
    answer = remove(server, key, file=jpeg(64, 64), bg_image_url="http://169.254.169.254/latest/")
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"]) == (400, "invalid_bg_image_url")


def test_server_does_not_fetch_urls_by_default(tmp_path: Path, model_dir: Path) -> None:
    with running(tmp_path, environment(tmp_path, model_dir)) as server:
        answer = remove(
            server, funded(tmp_path, model_dir, 1), image_url="https://example.com/a.jpg"
        )
        lines = [json.loads(line) for line in server.out.read_text().splitlines() if line[0] == "{"]
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"]) == (400, "invalid_image_url")
    assert "does not fetch" in error["detail"]
    assert [line["path"] for line in lines] == ["/v1.0/removebg"]
