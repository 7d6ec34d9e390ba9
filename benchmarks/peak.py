"""Blur one photo in a process of its own and print the most memory it held, in MiB.

python benchmarks/peak.py ours|naive WIDTH HEIGHT
"""

from __future__ import annotations

import resource
import sys

from subjects import MODELS, Naive, photo


def main(who: str, width: int, height: int) -> None:
    """Make the photo in a child first, so that making it does not count."""
    data = photo_of_child(width, height)
    if who == "naive":
        Naive.open()(data, 10)
    else:
        ours(data)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def photo_of_child(width: int, height: int) -> bytes:
    """Return the photo, made in a process whose memory is gone when it ends."""
    from multiprocessing import get_context  # noqa: PLC0415 - keeps the module light

    with get_context("spawn").Pool(1) as pool:
        return pool.apply(photo, (width, height))


def ours(data: bytes) -> None:
    """Blur it as the function does."""
    from blur.imaging.models import MODELS as SPECS  # noqa: PLC0415 - only this side pays for it
    from blur.imaging.pipeline import blur_photo  # noqa: PLC0415
    from blur.imaging.recipe import Recipe  # noqa: PLC0415
    from blur.imaging.session import open_model  # noqa: PLC0415
    from blur.imaging.strips import use_threads  # noqa: PLC0415
    from blur.settings import Settings  # noqa: PLC0415

    use_threads(2)
    model = open_model(SPECS[Settings().model], MODELS, threads=2)
    blur_photo(data, Recipe(radius_px=10), model=model, max_pixels=10**9)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
