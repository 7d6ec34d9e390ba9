"""Compare the times of a background removal as a preview and in full size: `make bench-preview`.

Times are medians. Ratios are medians over the rounds of paired runs.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import report
from ours import NO_LIMIT, opened, opened_people
from paired import cpu_seconds, milliseconds, paired, ratio
from subjects import photo

from blur.imaging.removal.options import SIZES, RemovalOptions
from blur.imaging.removal.remove import remove_background

if TYPE_CHECKING:
    from collections.abc import Callable

    from blur.imaging.matting.session import Model

ROUNDS = 9
TARGETS = {"png": "at most 0.7", "jpg": "", "webp": "", "zip": ""}
"""The targets by format. A request without `format` gets a PNG if the background is transparent."""


def removing(model: Model, data: bytes, size: str, output: str) -> Callable[[], object]:
    """Return a function that removes the background of a photo once."""
    options = RemovalOptions(max_megapixels=SIZES[size], output=output)
    people = opened_people()
    return partial(
        remove_background, data, options, model=model, people=people, max_pixels=NO_LIMIT
    )


def previews(model: Model) -> str:
    """Compare the times for a preview and for the full size of a 12-megapixel photo."""
    data, rows = photo(4000, 3000), []
    for output, target in TARGETS.items():
        preview, full = (removing(model, data, size, output) for size in ("preview", "full"))
        times = paired(ROUNDS, preview=preview, full=full)
        cpu = paired(ROUNDS, cpu_seconds, preview=preview, full=full)
        rows.append(
            (
                output,
                milliseconds(times["preview"]),
                milliseconds(times["full"]),
                f"{ratio(times['preview'], times['full']):.2f}",
                target,
                f"{ratio(cpu['preview'], cpu['full']):.2f}",
            )
        )
    head = ("4000 x 3000, to", "preview, ms", "full, ms", "preview : full", "target", "CPU time")
    return report.table(head, rows)


if __name__ == "__main__":
    report.publish("Previews", previews(opened()))
