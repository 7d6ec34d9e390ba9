"""Measure the accuracy and the time of the supported neural networks.

    make bench-models DATA=folder

DATA is the same folder as for `quality.py`. This script measures the models whose files are in
`build/models`, and IS-Net, which npm downloads. Each photo goes through one network after another,
so that the times are paired. The matte is computed as in the service, without the network for
people.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from isnet import isnet_folder
from matte_quality import Quality, measure, pairs, rembg_mask
from report import publish, table
from subjects import MODELS as FOLDER

from blur.errors import NoSubjectError
from blur.imaging.matting.matte import MIN_CONFIDENCE, Predictor, find_matte
from blur.imaging.matting.models import MODELS
from blur.imaging.matting.session import Model, open_model
from blur.imaging.strips import set_thread_count

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import AlphaU8, RgbU8

THREADS = 2
YARDSTICK = "u2netp"
"""The reference model: the table has each model's time as a multiple of this model's time."""


class Recorded:
    """A network that caches its output for each photo."""

    def __init__(self, model: Model) -> None:
        """Start with an empty cache."""
        self.model = model
        self.maps: dict[int, NDArray[np.float32]] = {}
        self.seconds: list[float] = []

    @property
    def side_px(self) -> int:
        """The side of the network's square input, in pixels."""
        return self.model.side_px

    def see(self, photo: RgbU8) -> None:
        """Run the network on a photo, and keep its output and the seconds that it took."""
        start = time.perf_counter()
        raw = self.model.predict(photo)
        self.seconds.append(time.perf_counter() - start)
        self.maps[hash(photo.tobytes())] = raw

    def predict(self, photo: RgbU8) -> NDArray[np.float32]:
        """Return the cached output for a photo; run the network if no output is cached."""
        key = hash(photo.tobytes())
        return self.maps[key] if key in self.maps else self.model.predict(photo)

    def without_subject(self) -> int:
        """Return the number of photos in which the network finds no subject."""
        return sum(float(raw.max()) < MIN_CONFIDENCE for raw in self.maps.values())


def matte_or_nothing(model: Predictor, photo: RgbU8) -> AlphaU8:
    """Return our matte; if no subject is found, the matte is 0 everywhere."""
    try:
        return find_matte(model, photo)
    except NoSubjectError:
        return np.zeros(photo.shape[:2], np.uint8)


def present() -> dict[str, Path]:
    """Return the folder of each model that can be measured; print the names of missing models."""
    folders = {name: FOLDER for name, spec in MODELS.items() if (FOLDER / spec.file).exists()}
    folders.setdefault("isnet-general-use", isnet_folder())
    for name in MODELS.keys() - folders.keys():
        print(f"{name} is not measured: {FOLDER / MODELS[name].file} is missing")
    return folders


def row(name: str, seen: Recorded, yardstick: Recorded, data: Path) -> tuple[str, ...]:
    """Return the table's row for a network, measured with its cached outputs."""
    theirs, here = (measure(way, seen, data) for way in (rembg_mask, matte_or_nothing))
    ratio = np.median(np.divide(seen.seconds, yardstick.seconds))
    return (name, *figures(theirs), *figures(here), str(seen.without_subject()), f"{ratio:.2f}")


def figures(quality: Quality) -> tuple[str, str, str]:
    """Return the measurements as text."""
    return f"{quality.mae:.4f}", f"{quality.max_f:.4f}", f"{quality.edge:.4f}"


def main() -> None:
    """Measure everything and store the results."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():  # noqa: PLR2004 - the script and one argument
        sys.exit("Name the folder of pictures: make bench-models DATA=folder")
    data = Path(sys.argv[1])
    set_thread_count(THREADS)
    seen = {
        name: Recorded(open_model(MODELS[name], folder, threads=THREADS))
        for name, folder in present().items()
    }
    for photos, truths in (("ecssd/images", "ecssd/masks"), ("matting", "matting")):
        for photo, _ in pairs(data / photos, data / truths):
            for network in seen.values():
                network.see(photo)
    rows = [row(name, network, seen[YARDSTICK], data) for name, network in seen.items()]
    errors = "mean error", "max F", "edge"
    head = ("", *(f"rembg's: {name}" for name in errors), *(f"here: {name}" for name in errors))
    publish("Models", table((*head, "no subject", "time"), rows))


if __name__ == "__main__":
    main()
