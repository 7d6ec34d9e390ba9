"""Measure the quality of matte and blur, compared with rembg's mask and a plain blur.

    make bench-quality DATA=folder

DATA has these folders:

- `ecssd/images` and `ecssd/masks`: the pictures of ECSSD
  (https://www.cse.cuhk.edu.hk/leojia/projects/hsaliency/dataset.html). The file `ecssd/people.txt`
  can name the photos of people: see `type_quality.py`.
- `matting`: AM-2k with true alpha (https://github.com/JizhiziLi/GFM)
- `people/images` and `people/masks`: photos of people with masks
  (https://github.com/VikramShenoy97/Human-Segmentation-Dataset)
- `photos`: photos to use as backgrounds
"""

from __future__ import annotations

import sys
from pathlib import Path

import halo_quality
import matte_quality
import people_quality
import report
import type_quality
from ours import opened, opened_people
from subjects import MODELS

from blur.errors import NoSubjectError
from blur.imaging.matting.matte import find_matte
from blur.imaging.matting.models import MODELS as SPECS
from blur.imaging.matting.session import Model, open_model

MAE, MAX_F, EDGE, HALO = 0.0216, 0.9635, 0.71, (0.70, 0.40)
"""The targets of `matte_table` and `halo_table`. HALO has one target for each radius."""


def matte_table(model: Model, data: Path) -> str:
    """Return the table that compares our mattes with rembg's masks."""
    exact = open_model(SPECS["u2netp"], MODELS, threads=2)
    measured = matte_quality.compare(exact, model, opened_people(), data)
    theirs, here = measured["rembg"], measured["ours"]
    rows = [
        (
            "ECSSD, mean absolute error",
            f"{theirs.mae:.4f}",
            f"{here.mae:.4f}",
            f"at most {MAE:.4f}",
        ),
        ("ECSSD, max F", f"{theirs.max_f:.4f}", f"{here.max_f:.4f}", f"at least {MAX_F:.4f}"),
        (
            "AM-2k, error along soft edges",
            f"{theirs.edge:.4f}",
            f"{here.edge:.4f} = {here.edge / theirs.edge:.2f} x",
            f"at most {EDGE} x",
        ),
    ]
    return report.table(("", "rembg", "here", "target"), rows)


def halo_table(data: Path) -> str:
    """Return the table that compares our blur with a plain blur at soft edges."""
    rows = []
    for kind, foreground in halo_quality.FOREGROUNDS.items():
        measured = halo_quality.compare(data, foreground)
        errors = zip(halo_quality.RADII, measured["plain"], measured["here"], HALO, strict=True)
        rows += [
            (
                f"radius {radius_px}, {kind}",
                f"{plain:.2f}",
                f"{here:.2f} = {here / plain:.2f} x",
                f"at most {target:.2f} x",
            )
            for radius_px, plain, here, target in errors
        ]
    return report.table(
        ("mean error along soft edges, in 8-bit levels", "plain blur", "here", "target"), rows
    )


def false_alarms(model: Model, data: Path) -> str:
    """State in a sentence how many ECSSD photos get `no_subject`, although all have a subject."""
    missed = 0
    photos = list(matte_quality.pairs(data / "ecssd" / "images", data / "ecssd" / "masks"))
    for photo, _ in photos:
        try:
            find_matte(model, photo, people=opened_people())
        except NoSubjectError:
            missed += 1
    return (
        f"{missed} of {len(photos)} photos of ECSSD get the error `no_subject`, "
        "although all of them have a subject."
    )


def main() -> None:
    """Measure everything and store the results."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():  # noqa: PLR2004 - the script and one argument
        sys.exit("Name the folder of pictures: make bench-quality DATA=folder")
    data = Path(sys.argv[1])
    model = opened()
    report.publish("Quality of the matte", matte_table(model, data))
    people = opened_people()
    report.publish("Quality on people", people_quality.quality_table(model, people, data))
    report.publish("Time on people", people_quality.time_table(model, people, data))
    report.publish("Type of the subject", type_quality.type_table(model, data))
    report.publish("Quality of the blur", halo_table(data))
    report.publish("Subjects", false_alarms(model, data))


if __name__ == "__main__":
    main()
