"""Damaged images: each gets a result or a documented error, and the process survives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.attack.damaged_files import KINDS, RARE, rare, truncated, with_flipped_bits
from tests.attack.decoder_processes import LIMIT_MB, LIMIT_S, decode_all
from tests.trials import Part, record, size

if TYPE_CHECKING:
    from tests.attack.decoder_processes import DecoderProcess

BY = "tests/attack/test_images.py"
WHOLE_EACH = size(25, full=50)
"""Of this number of files, one goes through the whole service, and the others only through
the decoder."""
SHARES = (
    f"1 file in {WHOLE_EACH} goes through the whole service, the others only through its decoder"
)
WITHIN = f"limits: {LIMIT_S} s, {LIMIT_MB:,} MB"


@pytest.mark.timeout(1200)
def test_truncated_files_are_accepted_or_rejected_within_the_limits(
    decoders: list[DecoderProcess],
) -> None:
    percents = size(range(0, 100, 10), full=range(100))
    results = decode_all(truncated(percents), decoders, whole_each=WHOLE_EACH)
    assert results.failures == []
    record(
        Part.BAD_INPUT,
        "truncated photos, in every format",
        f"{len(results.all):,} files: {len(KINDS)} photos, truncated at every 1 % of their length; "
        f"{SHARES}",
        f"{results.summary()} ({WITHIN})",
        by=BY,
    )


@pytest.mark.timeout(3600)
def test_files_with_flipped_bits_are_accepted_or_rejected_within_the_limits(
    decoders: list[DecoderProcess],
) -> None:
    mutants = size(400, full=20_000)
    results = decode_all(with_flipped_bits(mutants), decoders, whole_each=WHOLE_EACH)
    assert results.failures == []
    record(
        Part.BAD_INPUT,
        "photos with flipped bits, in every format",
        f"{mutants:,} damaged files from {len(KINDS)} photos; {SHARES}",
        f"{results.summary()} ({WITHIN})",
        by=BY,
    )


@pytest.mark.timeout(3600)
def test_rare_kinds_of_photos_with_flipped_bits_are_accepted_or_rejected_within_the_limits(
    decoders: list[DecoderProcess],
) -> None:
    mutants = size(200, full=4_000)
    results = decode_all(
        with_flipped_bits(mutants, tuple(RARE), rare), decoders, whole_each=WHOLE_EACH
    )
    assert results.failures == []
    record(
        Part.BAD_INPUT,
        "rare kinds of photos with flipped bits",
        f"{mutants:,} damaged files from {len(RARE)} photos, such as HDR, TIFF samples in planes, "
        f"and RLE; {SHARES}",
        f"{results.summary()} ({WITHIN})",
        by=BY,
    )
