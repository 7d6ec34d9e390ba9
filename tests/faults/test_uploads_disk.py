"""Uploads while the folder for uploads is full, read-only, removed, or replaced by a file."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest
import requests
from events import make
from PIL import Image
from tests.faults.disks import filled, full_by_limit, read_only, without_privileges
from tests.faults.responses import PICTURE, outcome, require_error
from tests.integration.running import ServerProcess, running
from tests.trials import FULL, Part, record

from blur.clock import now
from blur.errors import UnavailableError
from blur.storage.folder import FolderStore
from blur.storage.folder_secrets import SECRET_BYTES
from blur.storage.upload_token import UploadToken

if TYPE_CHECKING:
    from tests.faults.balances import Balances

HOLD_TTL_S = 60
"""A worker is killed if it takes longer than this time to process a photo."""
SIZE_PX = (1000, 1000)
LARGEST_BYTES = 1_000_000
"""The free space on the disk: enough for the accounts, but only for a third of the upload."""

Fault = Callable[[ServerProcess, Path], AbstractContextManager[None]]


def large_photo() -> bytes:
    """Return the sample photo as a PNG of several megabytes."""
    buffer = io.BytesIO()
    with Image.open(make.PHOTO) as photo:
        photo.convert("RGB").resize(SIZE_PX).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


@contextmanager
def replaced_by_a_file(folder: Path) -> Iterator[None]:
    """Replace the folder with a file until the context ends."""
    shutil.rmtree(folder)
    folder.write_text("not a folder")
    try:
        yield
    finally:
        folder.unlink()


FAULTS: dict[str, Fault] = {
    "full": lambda server, _: full_by_limit(server.process.pid, largest=LARGEST_BYTES),
    "read-only": lambda _, uploads: read_only(uploads),
    "replaced by a file": lambda _, uploads: replaced_by_a_file(uploads),
}
if FULL and os.geteuid() == 0:
    FAULTS["full (mounted tmpfs)"] = lambda _, uploads: filled(
        uploads.parent.parent, leave=LARGEST_BYTES
    )


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failed_upload_leaves_no_file_and_can_be_repeated_with_the_same_form(
    fault: str, tmp_path: Path, disk: Path, env: dict[str, str], balances: Balances
) -> None:
    uploads, photo = disk / "media" / "uploads", large_photo()
    uploads.mkdir(parents=True)
    slow = env | {"BLUR_HOLD_TTL_S": str(HOLD_TTL_S)}
    with running(tmp_path, slow, under=without_privileges()) as server:
        offered = offer(server, balances.key, len(photo))
        with FAULTS[fault](server, uploads):
            refused = send(server, offered, photo)
            code = require_error(*status_and_headers(refused), refused.json()["error"])
            assert code == "temporarily_unavailable"
            assert not uploads.is_dir() or not list(uploads.glob("*/*"))
        missing = blur(server, balances.key, offered["upload_id"])
        assert missing == "upload_not_found"
        assert send(server, offered, photo).status_code == 204
        assert blur(server, balances.key, offered["upload_id"]) == PICTURE
    assert balances.settled(after_s=HOLD_TTL_S) == 1
    record(
        Part.FAULTS,
        f"Uploads folder {fault}",
        f"1 upload of {len(photo) / 1e6:.1f} MB",
        "the upload gets 503 and leaves no partial file; the same form works afterwards",
        by="tests/faults/test_uploads_disk.py",
    )


def test_a_full_disk_leaves_no_incomplete_file_with_the_signing_secret(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    offer_one = partial(store.presign_upload, content_type="image/png", max_bytes=10, now_us=now())
    with full_by_limit(), pytest.raises(UnavailableError):
        offer_one("uploads/a")
    assert list(tmp_path.iterdir()) == []
    offer_one("uploads/a")
    assert (tmp_path / "secret").stat().st_size == SECRET_BYTES


def test_removing_the_folder_during_an_upload_is_reported_as_unavailable(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    token = UploadToken("uploads/a", "image/png", 10, now() + 1_000_000)
    with pytest.raises(UnavailableError), store.writing(token):
        shutil.rmtree(tmp_path / "uploads")


def offer(server: ServerProcess, key: str, size: int) -> dict[str, Any]:
    response = requests.post(
        f"{server.url}/v2/uploads",
        json={"content_type": "image/png", "bytes": size},
        headers={"ApiKey": key},
        timeout=30,
    )
    assert response.status_code == 201
    offered: dict[str, Any] = response.json()
    return offered


def send(server: ServerProcess, offered: dict[str, Any], photo: bytes) -> requests.Response:
    url = urljoin(server.url, offered["url"])
    return requests.post(url, data=offered["fields"], files={"file": photo}, timeout=60)


def blur(server: ServerProcess, key: str, upload_id: str) -> str:
    form = {"upload_id": (None, upload_id), "radius": (None, "9")}
    response = requests.post(server.blur_url, headers={"ApiKey": key}, files=form, timeout=60)
    return outcome(response.status_code, response.headers, response.content).kind


def status_and_headers(response: requests.Response) -> tuple[int, dict[str, str]]:
    return response.status_code, {name.lower(): value for name, value in response.headers.items()}
