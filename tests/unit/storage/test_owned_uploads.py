"""Upload ids are random, and the name of an upload depends on its owner."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blur import app
from blur.settings import Settings
from blur.storage.folder import UPLOAD_PATH, FolderStore
from blur.storage.owned_uploads import Uploads, upload_name

if TYPE_CHECKING:
    from pathlib import Path

BITS = 256
MANY = 2_000
DEFAULTS = Settings()


def uploads(folder: FolderStore, settings: Settings = DEFAULTS) -> Uploads:
    opened = app.open_uploads(folder, settings)
    assert opened is not None
    return opened


def bits_of(name: str) -> int:
    assert re.fullmatch(r"[A-Za-z0-9_-]+", name)
    return 8 * len(base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)))


def test_an_upload_id_is_256_random_bits_and_is_not_part_of_the_upload_form(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    store = FolderStore(tmp_path_factory.mktemp("media"))
    presigned = [
        uploads(store).presign_upload("owner", "image/png", 1, now_us=0) for _ in range(MANY)
    ]
    ids = {upload.upload_id for upload in presigned}
    assert len(ids) == MANY
    assert {bits_of(each) for each in ids} == {BITS}
    assert not [upload for upload in presigned if upload.upload_id in str(upload.form)]


@given(st.text(), st.text())
def test_the_name_of_an_upload_has_a_digest_and_no_text_from_the_client(
    owner: str, upload_id: str
) -> None:
    assert re.fullmatch(r"uploads/[0-9a-f]{64}", upload_name(owner, upload_id))


def test_the_same_upload_id_gives_a_different_name_for_each_owner() -> None:
    assert upload_name("a" * 64, "id") != upload_name("b" * 64, "id")


@pytest.mark.parametrize("public_url", ["https://api.example", "https://api.example/"])
def test_the_url_of_a_form_starts_with_the_public_url_of_the_settings(
    public_url: str, tmp_path: Path
) -> None:
    opened = uploads(FolderStore(tmp_path), Settings(public_url=public_url))
    url = opened.presign_upload("owner", "image/png", 1, now_us=0).form.url
    assert url == f"https://api.example{UPLOAD_PATH}"
