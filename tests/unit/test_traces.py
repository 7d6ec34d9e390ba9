"""The search of logs finds keys and photos in each encoding that logs usually contain."""

from __future__ import annotations

import base64
import json
import random
from typing import TYPE_CHECKING

import pytest
from events import make
from tests.attack.traces import files, found, key_forms, photo_forms

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

QUOTES = b"'\""
PHOTO = QUOTES + random.Random(0).randbytes(5_000) + QUOTES
AS_WRITTEN: dict[str, Callable[[bytes], bytes]] = {
    "unchanged": bytes,
    "hexadecimal": lambda data: data.hex().encode(),
    "a dictionary that was printed": lambda data: str({"body": data}).encode(),
    "a line of JSON": lambda data: json.dumps({"locals": repr(data)}).encode(),
    "base64": base64.b64encode,
    "base64 after one other byte": lambda data: base64.b64encode(b"-" + data),
    "base64 after two other bytes": lambda data: base64.b64encode(b"--" + data),
}
TEXT_AS_WRITTEN = {name: write for name, write in AS_WRITTEN.items() if name != "hexadecimal"}
"""The ways to write a key into a log. A key is text, and programs write text
unchanged: only binary data is written in hexadecimal."""


@pytest.mark.parametrize("write", AS_WRITTEN.values(), ids=AS_WRITTEN)
@pytest.mark.parametrize("part", [slice(None), slice(0, 100), slice(-100, None)], ids=str)
def test_a_photo_in_a_log_is_found_by_all_its_bytes_or_its_first_or_last_100_bytes(
    part: slice, write: Callable[[bytes], bytes]
) -> None:
    written = write(PHOTO[part])
    assert found(photo_forms([PHOTO]), [("log", b"before " + written + b" after")])


@pytest.mark.parametrize("write", TEXT_AS_WRITTEN.values(), ids=TEXT_AS_WRITTEN)
def test_the_search_of_a_log_finds_a_whole_key_and_also_its_secret_part_alone(
    write: Callable[[bytes], bytes],
) -> None:
    forms = key_forms([make.EMPTY, make.FUNDED])
    for text in (make.FUNDED, make.FUNDED.rpartition("_")[2]):
        assert {form.split(",")[0] for form, _ in found(forms, [("log", write(text.encode()))])}


def test_the_search_of_a_log_ignores_other_data_and_the_prefix_of_a_key(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(make.FUNDED[:24].encode() + random.Random(1).randbytes(5_000))
    (tmp_path / "left-out").write_bytes(PHOTO)
    forms = {**key_forms([make.FUNDED]), **photo_forms([PHOTO])}
    assert found(forms, files(tmp_path, leaving_out=["left-out"])) == set()
    assert found(forms, files(tmp_path)) != set()
