"""The memory limit of AVIF decoding."""

from __future__ import annotations

import resource
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.AvifImagePlugin import AvifImageFile
from tests.unit.imaging.pictures import astronaut, difference, saved

from blur.errors import InvalidImageError
from blur.imaging.decode.avif import AvifFile
from blur.imaging.decode.decoder import decode

CORPUS = Path(__file__).parents[3] / "attack" / "corpus" / "images"
UNDERSTATED_SIZES = ["16-that-are-16384.avif", "16-that-are-16384-in-12-bits.avif"]


def limit() -> tuple[int, int]:
    return resource.getrlimit(resource.RLIMIT_DATA)


@pytest.mark.parametrize("name", UNDERSTATED_SIZES)
def test_a_frame_larger_than_the_stated_size_is_rejected(name: str) -> None:
    before = limit()
    with pytest.raises(InvalidImageError, match="AVIF"):
        decode((CORPUS / name).read_bytes(), max_pixels=50_000_000)
    assert limit() == before


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
def test_a_photo_of_12_megapixels_is_decoded_within_the_memory_limit(subsampling: str) -> None:
    photo = astronaut(3000, 4000)
    file = saved(Image.fromarray(photo), "AVIF", speed=10, subsampling=subsampling)
    assert difference(decode(file, max_pixels=50_000_000).pixels, photo).mean() < 4


def test_a_decoder_that_needs_more_memory_than_the_limit_raises_an_invalid_image_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(AvifImageFile, "load", lambda _: np.ones(1 << 30, np.uint8))
    before = limit()
    with pytest.raises(InvalidImageError, match="too much memory for an image of its size"):
        small().load()
    assert limit() == before


def test_the_memory_limit_is_set_in_the_main_thread_only(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(AvifImageFile, "load", lambda _: limits.append(limit()))
    before = limit()
    small().load()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(small().load).result()
    assert limits[0] != before
    assert limits[1] == before


def test_a_memory_limit_that_is_already_lower_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    soft, hard = limit()
    new_limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (4096, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: new_limits.append(limits))
    small().load()
    assert new_limits == [(4096, hard), (4096, hard)]
    assert soft != 4096


def small() -> AvifFile:
    return AvifFile(BytesIO(saved(Image.fromarray(astronaut(16, 16)), "AVIF")))
