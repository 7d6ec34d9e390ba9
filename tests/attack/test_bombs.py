"""Malicious files: decompression bombs, false headers, unusual sizes, and files of two formats."""

from __future__ import annotations

import struct
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from events import make
from PIL import Image
from tests.attack.bombs import BOMBS, HEAVY, LARGE, made, plain
from tests.attack.chunks import png_chunk, segment, zipped
from tests.attack.decoder_processes import LIMIT_MB, LIMIT_S, decode_all
from tests.attack.many_scans import scanned, scanned_tiff
from tests.attack.target import blur, outcome_of
from tests.attack.unusual_files import ABSURD, sizes
from tests.trials import Part, record, size
from tests.unit.imaging.pictures import saved

from blur.errors import InvalidImageError
from blur.imaging.decode.decoder import decode
from blur.imaging.decode.limits import ORDINARY_SCANS

if TYPE_CHECKING:
    from tests.attack.bombs import Make
    from tests.attack.decoder_processes import DecoderProcess
    from tests.attack.target import Target

BY = "tests/attack/test_bombs.py"
WITHIN = f"limits: {LIMIT_S} s, {LIMIT_MB:,} MB"
SCRIPT = b"<html><script>alert(document.domain)</script>"
ARCHIVE = zipped(b"Attack.class", b"\xca\xfe\xba\xbe" + SCRIPT)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("kind", "files"),
    [
        ("decompression bombs: small files that declare large contents", BOMBS),
        ("EXIF data and profiles with invalid lengths", ABSURD),
    ],
)
def test_malicious_files_are_accepted_or_rejected_within_the_limits(
    kind: str, files: dict[str, Make], decoders: list[DecoderProcess]
) -> None:
    results = decode_all(made(files), decoders)
    assert results.failures == []
    record(Part.BAD_INPUT, kind, f"{len(files)} files", f"{results.summary()} ({WITHIN})", by=BY)


def decoding_s(data: bytes) -> float:
    """Return the CPU seconds for decoding or rejecting a file."""
    began = time.process_time()
    with suppress(InvalidImageError):
        decode(data, max_pixels=50_000_000)
    return time.process_time() - began


def test_a_jpeg_with_few_empty_scans_is_decoded_quickly_and_one_with_many_is_rejected_quickly() -> (
    None
):
    plain_s = decoding_s(scanned(LARGE, 1))
    assert decoding_s(scanned(LARGE, ORDINARY_SCANS)) < 4 * plain_s
    for bomb in (scanned(LARGE, ORDINARY_SCANS + 1), scanned_tiff(LARGE, 100)):
        assert decoding_s(bomb) < plain_s / 2


def test_a_progressive_jpeg_of_50_megapixels_is_decoded() -> None:
    with Image.open(make.PHOTO) as photo:
        large = photo.convert("RGB").resize((8_000, 6_250))
    data = saved(large, "JPEG", progressive=True)
    assert decode(data, max_pixels=50_000_000).pixels.shape == (6_250, 8_000, 3)


@pytest.mark.timeout(1200)
def test_small_files_with_the_maximum_number_of_pixels_stay_within_the_limits(
    decoders: list[DecoderProcess],
) -> None:
    bombs = dict(list(HEAVY.items())[: size(1, full=len(HEAVY))])
    results = decode_all(made(bombs), decoders)
    assert results.failures == []
    record(
        Part.BAD_INPUT,
        "small files with the maximum number of pixels",
        f"{len(bombs)} files",
        f"{results.summary()} ({WITHIN})",
        by=BY,
    )


@pytest.mark.timeout(600)
def test_images_of_extreme_sizes_are_accepted_or_rejected_within_the_limits(
    decoders: list[DecoderProcess],
) -> None:
    results = decode_all(sizes(), decoders, whole_each=size(9, full=1))
    assert results.failures == []
    record(
        Part.BAD_INPUT,
        "images of 1 x 1, 1 x 20,000, 20,000 x 1 and 0 x 0, in every format",
        f"{len(results.all)} files",
        f"{results.summary()} ({WITHIN})",
        by=BY,
    )


def polyglots() -> dict[str, bytes]:
    """Return photos that are also files of another format, and files that look like photos."""
    photo, gif, web = (plain(kind) for kind in ("JPEG", "GIF", "PNG"))
    text = png_chunk(b"tEXt", b"Comment\0" + SCRIPT)
    bmp = plain("BMP")
    return {
        "png and zip": web + ARCHIVE,
        "gif and jar": gif + ARCHIVE,
        "jpeg and zip": photo + ARCHIVE,
        "jpeg and html": photo[:2] + segment(0xFE, SCRIPT) + photo[2:],
        "png and html": web[:33] + text + web[33:],
        "gif and script": gif[:-1] + b"!\xfe" + bytes([len(SCRIPT)]) + SCRIPT + b"\0;",
        "bmp and script": bmp[:2] + b"=1/*" + bmp[6:] + b"*/;" + SCRIPT,
        "tiff and html": plain("TIFF") + SCRIPT,
        "webp and html": _riff(plain("WEBP"), b"JUNK", SCRIPT + b"\0"),
        "pdf and jpeg": b"%PDF-1.7\n1 0 obj<</Length 9>>stream\n" + photo + b"\nendstream",
        "jpeg and pdf": photo[:2] + segment(0xFE, b"%PDF-1.7\n" + SCRIPT) + photo[2:],
        "html and jpeg": SCRIPT + photo,
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg">' + SCRIPT + b"</svg>",
        "zip": ARCHIVE,
    }


def _riff(webp: bytes, kind: bytes, data: bytes) -> bytes:
    body = webp[8:] + kind + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_responses_to_polyglot_files_contain_neither_their_script_nor_their_archive(
    target: Target,
) -> None:
    files = polyglots()
    ends = {}
    for name, file in files.items():
        answer = target(blur(file))
        ends[name] = outcome_of(answer)
        assert SCRIPT not in answer.body, name
        assert b"PK\3\4" not in answer.body, name
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-type"] in {"application/json", "image/png"}
    assert {ends[name] for name in ("html and jpeg", "svg", "zip", "pdf and jpeg")} == {
        "400 invalid_image"
    }
    assert {end.split()[-1] for end in ends.values()} <= {"200", "invalid_image", "no_subject"}
    record(
        Part.BAD_INPUT,
        "photos that are also a ZIP, JAR, PDF, HTML or script",
        f"{len(files)} files",
        f"{sum(end == '400 invalid_image' for end in ends.values())} rejected because they are not"
        " images; no result contains the script or the archive",
        by=BY,
    )
