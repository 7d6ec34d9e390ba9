"""Open the neural networks and prepare the service's pipeline for the benchmarks."""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING

from subjects import MODELS

from blur.imaging.blur_options import BlurOptions
from blur.imaging.matting.models import MODELS as SPECS
from blur.imaging.matting.session import Model, open_model, open_people_model
from blur.imaging.pipeline import blur_photo
from blur.imaging.strips import set_thread_count
from blur.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS = 2
DEFAULT = Settings().model
NO_LIMIT = 10**9


def opened() -> Model:
    """Open the default model."""
    set_thread_count(THREADS)
    return open_model(SPECS[DEFAULT], MODELS, threads=THREADS)


@cache
def opened_people() -> Model:
    """Open the network that finds people."""
    people = open_people_model(MODELS, threads=THREADS)
    if people is None:
        sys.exit(f"The network for people is missing in {MODELS}: run `make model`.")
    return people


def blurring(
    model: Model,
    data: bytes,
    radius_px: int = 10,
    kernel: str = "gaussian",
    depth: str = "flat",
) -> Callable[[], object]:
    """Return a function that blurs a photo once and encodes the result as PNG."""
    options = BlurOptions(radius_px=radius_px, kernel=kernel, depth=depth)
    people = opened_people()
    return lambda: blur_photo(data, options, model=model, people=people, max_pixels=NO_LIMIT)
