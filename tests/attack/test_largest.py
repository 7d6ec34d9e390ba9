"""Real photos with the maximum number of pixels, encoded in every format."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from skimage import data
from tests.attack.decoder_processes import LIMIT_MB, LIMIT_S, Results, decode_all, decoder_processes
from tests.trials import Part, record, size

from blur.imaging.encode.formats import OUTPUT_FORMATS
from blur.imaging.modes import MODES

MOST_PX, MOST_HEAVY_PX = (8_333, 6_000), (6_000, 6_000)
REFUSED = {("avif", "background"), ("avif", "cutout"), ("webp", "cutout")}
"""Formats and modes that accept photos of at most `MOST_HEAVY_PX`."""
CASES = [(kind, mode, MOST_PX) for kind in OUTPUT_FORMATS for mode in MODES]
CASES += [(kind, mode, MOST_HEAVY_PX) for kind, mode in sorted(REFUSED)]


def portrait(size_px: tuple[int, int]) -> bytes:
    """Return a JPEG that shows a person, with this width and height in pixels."""
    sample: Any = data.astronaut()
    file = BytesIO()
    Image.fromarray(sample).resize(size_px).save(file, "JPEG", quality=90)
    return file.getvalue()


@pytest.fixture(scope="module")
def seen() -> Iterator[Results]:
    results = Results()
    yield results
    record(
        Part.BAD_INPUT,
        "photos with the maximum number of pixels, in every mode and result format",
        f"{len(results.all)} photos of {MOST_HEAVY_PX[0] * MOST_HEAVY_PX[1] / 1e6:.0f} or "
        f"{MOST_PX[0] * MOST_PX[1] / 1e6:.0f} megapixels",
        f"{results.summary()} (limits: {LIMIT_S} s, {LIMIT_MB:,} MB)",
        by="tests/attack/test_largest.py",
    )


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("kind", "mode", "size_px"), size(CASES[-1:], full=CASES))
def test_the_largest_photo_gets_a_result_or_400_invalid_format(
    kind: str, mode: str, size_px: tuple[int, int], model_dir: Path, seen: Results
) -> None:
    photo = [(kind, portrait(size_px))]
    with decoder_processes(model_dir, count=1) as processes:
        results = decode_all(photo, processes, format=kind, mode=mode, radius="50", blur="bokeh")
    assert results.failures == []
    (result,) = results.all
    refused = (kind, mode) in REFUSED and size_px == MOST_PX
    assert result.outcome == ("400 invalid_format" if refused else "200")
    seen.all.append(result)
