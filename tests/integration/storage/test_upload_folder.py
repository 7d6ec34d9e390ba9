"""The embedded server's folder of uploads: concurrent uploads, and expired files."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from requests_toolbelt import MultipartEncoder
from tests.integration.storage.conftest import Api, serve

from bgblur.serving.uploads import receive_upload
from blur.clock import now
from blur.errors import InvalidRequestError
from blur.storage.folder import FolderStore

FILE_BYTES = 2_000_000
FORMS = 20
DAY_S = 86_400
TIMEOUT_S = 30


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="module")
def folder_api(
    media: Path, tmp_path_factory: pytest.TempPathFactory, model_dir: Path
) -> Iterator[Api]:
    """Start a server whose folder has expired uploads, and uploads of an earlier server version."""
    expired = media / "uploads" / "2020-01-01T00"
    expired.mkdir(parents=True)
    for path, age_s in (
        (expired / "old", 0),
        (media / "uploads" / "older", 2 * DAY_S),
        (media / "uploads" / "new", 60),
    ):
        path.write_bytes(b"photo")
        os.utime(path, (time.time() - age_s,) * 2)
    settings = {"BLUR_MEDIA": f"folder:{media}"}
    yield from serve(tmp_path_factory.mktemp("server"), model_dir, **settings)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_server_removes_expired_uploads_at_its_start_and_keeps_a_new_upload(
    folder_api: Api, media: Path
) -> None:
    assert requests.get(f"{folder_api.server.url}/health", timeout=30).ok
    wait_for(lambda: not (media / "uploads" / "2020-01-01T00").exists())
    wait_for(lambda: not list(media.glob("uploads/older")))
    wait_for(lambda: len(list(media.glob("uploads/*T*/new"))) == 1)


def presign(api: Api) -> dict[str, Any]:
    body = {"content_type": "image/jpeg", "bytes": FILE_BYTES}
    headers = {"ApiKey": api.key}
    response = requests.post(f"{api.server.url}/v2/uploads", json=body, headers=headers, timeout=30)
    assert response.status_code == 201
    upload: dict[str, Any] = response.json()
    return upload


def form_of(upload: dict[str, Any]) -> tuple[bytes, bytes]:
    """Return the head and the body of the request that uploads a file."""
    form = MultipartEncoder({**upload["fields"], "file": ("a.jpg", bytes(FILE_BYTES))})
    url = urlsplit(upload["url"])
    lines = (
        f"POST {url.path} HTTP/1.1",
        f"Host: {url.netloc}",
        f"Content-Type: {form.content_type}",
        f"Content-Length: {form.len}",
        "Connection: close",
    )
    return "\r\n".join((*lines, "", "")).encode(), form.read()


def stored_bytes(media: Path) -> int:
    return sum(path.stat().st_size for path in media.glob("uploads/*/*")) - len(b"photo")


def read_all(client: socket.socket) -> bytes:
    received = b""
    while chunk := client.recv(65_536):
        received += chunk
    return received


def test_20_uploads_with_one_token_use_the_space_of_one_file(folder_api: Api, media: Path) -> None:
    test_server_removes_expired_uploads_at_its_start_and_keeps_a_new_upload(folder_api, media)
    head, body = form_of(presign(folder_api))
    host, _, port = folder_api.server.url.removeprefix("http://").partition(":")
    half = FILE_BYTES // 2
    with ExitStack() as stack:
        clients = [
            stack.enter_context(socket.create_connection((host, int(port)), timeout=TIMEOUT_S))
            for _ in range(FORMS)
        ]
        for client in clients:
            client.sendall(head + body[:half])
        wait_for(lambda: stored_bytes(media) > half // 2)
        most = 0
        for client in clients:
            client.sendall(body[half:-1])
            most = max(most, stored_bytes(media))
        for client in clients:
            client.sendall(body[-1:])
        answers = [read_all(client) for client in clients]
    statuses = sorted(response.split(b" ", 2)[1] for response in answers)
    assert statuses == [b"204", *[b"409"] * (FORMS - 1)]
    refused = [response for response in answers if b" 409 " in response]
    assert all(b'"idempotency_in_progress"' in response for response in refused)
    assert all(b"\r\nretry-after: " in response.lower() for response in refused)
    assert most <= FILE_BYTES
    assert stored_bytes(media) == FILE_BYTES


def test_a_form_that_is_sent_again_replaces_its_upload(folder_api: Api, media: Path) -> None:
    upload = presign(folder_api)
    before = stored_bytes(media)
    for content in (b"first", b"second"):
        response = requests.post(
            upload["url"], data=upload["fields"], files={"file": content}, timeout=30
        )
        assert response.status_code == 204
        assert stored_bytes(media) == before + len(content)


@pytest.mark.parametrize("split", range(1, 45, 3))
def test_the_end_of_a_form_can_arrive_in_any_number_of_packets(split: int, tmp_path: Path) -> None:
    folder = FolderStore(tmp_path)
    name = "uploads/a"
    form = folder.presign_upload(name, content_type="image/jpeg", max_bytes=10, now_us=now())
    encoder = MultipartEncoder({**form.fields, "file": ("a.jpg", b"\r\n--photo-")})
    body = encoder.read()

    async def chunks(*ends: bytes) -> AsyncIterator[bytes]:
        for chunk in (body[:-split], *(body[-at : 1 - at or None] for at in range(split, 0, -1))):
            yield chunk
        for end in ends:
            yield end

    asyncio.run(receive_upload(folder, encoder.content_type, chunks()))
    assert folder.get(name, max_bytes=10) == b"\r\n--photo-"
    with pytest.raises(InvalidRequestError, match="last field"):
        asyncio.run(receive_upload(folder, encoder.content_type, chunks(bytes(5000))))
