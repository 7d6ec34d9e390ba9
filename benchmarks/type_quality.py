"""Count how often `X-Type` is `person` for photos of people, of animals, and of other subjects.

    make bench-quality DATA=folder
    PYTHONPATH=. .venv/bin/python benchmarks/type_quality.py folder

The folder has `people/images`, photos of people; `matting`, photos of animals; and `ecssd/images`,
photos of all kinds of subjects. ECSSD does not state which photos show people, so the table lists
the names of the photos that get `person`. If the file `ecssd/people.txt` exists, the table also has
precision and recall. The file lists the names of the photos of people, such as 0031, one on each
line.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import report
from ours import opened, opened_people
from PIL import Image
from subjects import MODELS

from blur.errors import NoSubjectError
from blur.imaging.decomposition import SUBJECTS, working_factor
from blur.imaging.matting.session import Model, open_faces_model
from blur.imaging.removal.subject_type import find_subject_type
from blur.imaging.resample import downscale

if TYPE_CHECKING:
    from collections.abc import Sequence

PRECISION, RECALL = 0.95, 0.7
"""The targets for `X-Type: person`; the recall is measured on photos of people."""


@cache
def opened_faces() -> Model:
    """Open the network that finds faces."""
    faces = open_faces_model(MODELS, threads=1)
    if faces is None:
        sys.exit(f"The network for faces is missing in {MODELS}: run `make model`.")
    return faces


def find_persons(model: Model, folder: Path) -> tuple[list[str], int]:
    """Return the names of the photos with the subject type `person`, and the number of photos."""
    matting = SUBJECTS["auto"](model, opened_people())
    paths = sorted(folder.glob("*.jpg"))
    if not paths:
        sys.exit(f"There are no photos in {folder}.")
    persons = []
    for path in paths:
        photo = np.asarray(Image.open(path).convert("RGB"))
        seen = downscale(photo, working_factor((photo.shape[0], photo.shape[1]), matting))
        try:
            maps = matting.predict(seen, None)
        except NoSubjectError:
            continue
        if find_subject_type(maps, seen, opened_faces()) == "person":
            persons.append(path.stem)
    return persons, len(paths)


def type_table(model: Model, data: Path) -> str:
    """Count the photos that get `X-Type: person`."""
    people, all_people = find_persons(model, data / "people" / "images")
    animals, all_animals = find_persons(model, data / "matting")
    mixed, all_mixed = find_persons(model, data / "ecssd" / "images")
    share = f"{len(people)} = {len(people) / all_people:.2f}"
    rows = [
        (f"{all_people} photos of people (recall)", share, f"at least {RECALL:.2f}"),
        (f"{all_animals} photos of animals (AM-2k)", len(animals), "0"),
        (f"{all_mixed} photos of ECSSD", f"{len(mixed)}: {', '.join(mixed)}", ""),
    ]
    labels = data / "ecssd" / "people.txt"
    if labels.is_file():
        rows += _rated(mixed, labels.read_text().split(), len(people), len(animals))
    return report.table(("", "`person`", "target"), rows)


def _rated(
    found: Sequence[str], labels: Sequence[str], people: int, animals: int
) -> list[tuple[str, str, str]]:
    right = len(set(found) & set(labels))
    precision = (people + right) / max(1, people + len(found) + animals)
    return [
        (f"{len(labels)} photos of people in ECSSD (recall)", f"{right / len(labels):.2f}", ""),
        ("precision on ECSSD", f"{right} of {len(found)} = {right / max(1, len(found)):.2f}", ""),
        ("precision on all photos", f"{precision:.3f}", f"at least {PRECISION}"),
    ]


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004 - the script and one argument
        sys.exit("Name the folder of pictures: benchmarks/type_quality.py folder")
    report.publish("Type of the subject", type_table(opened(), Path(sys.argv[1])))
