"""Each allowed value of an option, and each file format, is a key of a table of functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from blur.imaging.blur_options import KERNEL_NAMES, MODE_NAMES, SUBJECT_NAMES
from blur.imaging.blurring.lens import KERNELS, LEVEL_KERNELS
from blur.imaging.decode.formats import INPUT_FORMATS
from blur.imaging.decode.openers import OPENERS
from blur.imaging.decomposition import SUBJECTS
from blur.imaging.encode.encoder import WRITERS
from blur.imaging.encode.formats import OUTPUT_FORMATS
from blur.imaging.modes import MODES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@pytest.mark.parametrize(
    ("names", "table"),
    [
        (MODE_NAMES, MODES),
        (KERNEL_NAMES, KERNELS),
        (KERNEL_NAMES, LEVEL_KERNELS),
        (SUBJECT_NAMES, SUBJECTS),
        (INPUT_FORMATS, OPENERS),
        (OUTPUT_FORMATS, WRITERS),
    ],
)
def test_each_allowed_value_of_an_option_is_implemented(
    names: Iterable[str], table: Mapping[str, object]
) -> None:
    assert list(table) == list(names)
