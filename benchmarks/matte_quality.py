"""Measure the quality of the matte, with ECSSD's masks and with AM-2k's true alpha at soft edges.

The folder has `ecssd/images/*.jpg` with `ecssd/masks/*.png`, and `matting/*.jpg` with the true
alpha in `matting/*.png`. *MAE* is the mean absolute error, 0..1, averaged over the photos. *Max F*
is the highest F-measure (beta^2 = 0.3) over 255 thresholds; precision and recall are first averaged
over the photos (Achanta et al., CVPR 2009). *Edge* is the mean absolute error within `BAND_PX`
pixels of the true alpha's soft pixels.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from PIL import Image
from scipy.ndimage import distance_transform_edt

from blur.imaging.arrays import AlphaU8, RgbU8
from blur.imaging.matting.matte import Predictor, find_matte, stretch

if TYPE_CHECKING:
    from numpy.typing import NDArray

Matting: TypeAlias = Callable[[Predictor, RgbU8], AlphaU8]

BETA_SQUARED = 0.3
MID = 127
BAND_PX = 20
SOFT = 0.05, 0.95
"""A pixel is soft if its alpha, 0..1, is strictly between these two values."""


class Quality(NamedTuple):
    """The quality of the mattes that one method computes."""

    mae: float
    max_f: float
    edges: tuple[float, ...]
    """The error along soft edges, for each photo whose matte is known."""

    @property
    def edge(self) -> float:
        """The mean of `edges`."""
        return float(np.mean(self.edges))


def rembg_mask(model: Predictor, photo: RgbU8) -> AlphaU8:
    """Return rembg's mask from this network: stretched to 0..255 and enlarged with Lanczos."""
    size = (photo.shape[1], photo.shape[0])
    mask = Image.fromarray(stretch(model.predict(photo)))
    return np.asarray(mask.resize(size, Image.Resampling.LANCZOS))


def compare(
    exact: Predictor, model: Predictor, people: Predictor, data: Path
) -> dict[str, Quality]:
    """Return the quality of rembg's mask (from `exact`) and of our matte (`model` and `people`)."""
    return {
        "rembg": measure(rembg_mask, exact, data),
        "ours": measure(partial(find_matte, people=people), model, data),
    }


def measure(matting: Matting, model: Predictor, data: Path) -> Quality:
    """Return the quality of the mattes that one method computes.

    Raises:
        SystemExit: the folder of photos is empty or missing.

    """
    errors, curves = [], []
    for photo, mask in pairs(data / "ecssd" / "images", data / "ecssd" / "masks"):
        matte, subject = matting(model, photo), mask > MID
        errors.append(float(np.abs(matte / 255 - subject).mean()))
        curves.append(precision_recall(matte, subject))
    edges = tuple(
        edge_error(matting(model, photo), alpha)
        for photo, alpha in pairs(data / "matting", data / "matting")
    )
    return Quality(float(np.mean(errors)), max_f(curves), edges)


def pairs(photos: Path, truths: Path) -> Iterator[tuple[RgbU8, AlphaU8]]:
    """Yield each photo of a folder with its true mask."""
    paths = sorted(photos.glob("*.jpg"))
    if not paths:
        sys.exit(f"There are no photos in {photos}.")
    for path in paths:
        truth = Image.open(truths / f"{path.stem}.png").convert("L")
        yield np.asarray(Image.open(path).convert("RGB")), np.asarray(truth)


def precision_recall(matte: AlphaU8, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return precision and recall at the thresholds 1..255, in an array of shape (2, 255)."""
    hits, marked = (
        np.bincount(levels, minlength=256)[::-1].cumsum()[::-1][1:]
        for levels in (matte[mask], matte.ravel())
    )
    return np.stack([hits / np.maximum(marked, 1), hits / max(int(mask.sum()), 1)])


def max_f(curves: list[NDArray[np.float64]]) -> float:
    """Return the highest F-measure on the mean of the precision-recall curves."""
    precision, recall = np.mean(curves, axis=0)
    below = np.maximum(BETA_SQUARED * precision + recall, 1e-9)
    return float(((1 + BETA_SQUARED) * precision * recall / below).max())


def edge_error(matte: AlphaU8, alpha: AlphaU8) -> float:
    """Return the mean absolute error, 0..1, near the soft pixels of the true alpha."""
    return float(np.abs(matte.astype(float) - alpha)[near_soft_edges(alpha)].mean() / 255)


def near_soft_edges(alpha: AlphaU8) -> NDArray[np.bool_]:
    """Return a mask of the pixels within `BAND_PX` of soft pixels."""
    least, greatest = SOFT
    soft = (alpha > least * 255) & (alpha < greatest * 255)
    near: NDArray[np.bool_] = distance_transform_edt(~soft) <= BAND_PX
    return near
