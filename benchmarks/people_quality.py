"""Measure the effect of the neural network for people on the quality of mattes and on the time.

*Saliency alone* is the matte from the main network, without the network for people. The folder has
`people/images/*.jpg` with masks of the persons in `people/masks/*.png`. *MAE* is the mean absolute
error, averaged over the photos. *IoU* is the intersection over union of the mask and the pixels
that are more than half opaque. A *ghost* is a half-transparent region that is wider than an edge.
Times are for whole calls, from JPEG to PNG, in paired runs.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias
from unittest.mock import patch

import cv2
import numpy as np
import report
from matte_quality import MID, pairs
from ours import NO_LIMIT
from paired import ratio, seconds
from PIL import Image
from subjects import photo as portrait

from blur.errors import NoSubjectError
from blur.imaging.arrays import AlphaU8, RgbU8
from blur.imaging.blur_options import BlurOptions
from blur.imaging.decomposition import SUBJECTS, Matting
from blur.imaging.matting.closed_form import Windows, solve_alpha
from blur.imaging.matting.half_transparent import find_wide_half_transparent
from blur.imaging.matting.matte import (
    MAX_HALF_TRANSPARENT,
    SubjectMaps,
    find_matte,
    predict_person,
    resize_matte,
    stretch,
    stretch_f32,
)
from blur.imaging.matting.refine import (
    GRID_FACTOR,
    find_unknown,
    refine,
    to_fine_grid,
    upscale_alpha,
)
from blur.imaging.pipeline import blur_photo
from blur.imaging.resample import downscale

if TYPE_CHECKING:
    from blur.imaging.matting.matte import Predictor
    from blur.imaging.matting.session import Model

MAE, SHARE = 0.87, 0.90
"""The targets for the mean absolute error and for the share of photos with an IoU below `POOR`, as
multiples of the values with saliency alone."""
POOR = 0.8
MEAN_TIME, CERTAIN_TIME, PEOPLE_TIME, PERSON_SPEED = 1.12, 1.04, 4, 2.5
"""The targets, in this order. On ECSSD: the time relative to saliency alone, for all photos; the
same ratio, only for photos that need no run on the mirrored photo; and the share of the time that
the network for people takes, in percent. At 1920 x 1080: the speed of subject=person, as a multiple
of the speed of subject=auto."""
ROUNDS = 3

MakeMatte: TypeAlias = Callable[[RgbU8], AlphaU8]


class Quality(NamedTuple):
    """The quality of the mattes that one method computes."""

    mae: float
    iou: float
    poor: float
    """The share of photos with an IoU below `POOR`."""
    ghosts: int


def saliency_matte(model: Predictor, photo: RgbU8) -> AlphaU8:
    """Return the refined matte from the saliency network alone, without removing ghosts."""
    fine = to_fine_grid(photo)
    coarse = downscale(fine, GRID_FACTOR)
    size = (coarse.shape[1], coarse.shape[0])
    resized = Image.fromarray(stretch(model.predict(photo))).resize(size, Image.Resampling.BICUBIC)
    matte = np.asarray(resized)
    unknown = find_unknown(matte)
    windows = Windows.touching(unknown, coarse)
    alpha = upscale_alpha(solve_alpha(matte, unknown, windows), windows, fine)
    return resize_matte(alpha, (photo.shape[0], photo.shape[1]))


def person_matte(people: Predictor, photo: RgbU8) -> AlphaU8:
    """Return the matte for subject=person; if no person is found, the matte is 0 everywhere."""
    try:
        person = predict_person(people, photo)
    except NoSubjectError:
        return np.zeros(photo.shape[:2], np.uint8)
    refined = refine(stretch(person), photo)
    return resize_matte(refined, (photo.shape[0], photo.shape[1]))


def measure(make: MakeMatte, data: Path) -> Quality:
    """Return the quality of the mattes that one method computes."""
    errors, overlaps, ghosts = [], [], 0
    for photo, mask in pairs(data / "people" / "images", data / "people" / "masks"):
        size = (photo.shape[1], photo.shape[0])
        truth = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST)) > MID
        matte = make(photo)
        errors.append(float(np.abs(matte / 255 - truth).mean()))
        subject = matte > MID
        overlaps.append((subject & truth).sum() / max(int((subject | truth).sum()), 1))
        ghosts += count_ghosts(matte)
    poor = np.mean(np.array(overlaps) < POOR)
    return Quality(float(np.mean(errors)), float(np.mean(overlaps)), float(poor), ghosts)


def count_ghosts(matte: AlphaU8) -> int:
    """Return the number of ghosts, wide half-transparent regions, in a matte."""
    wide = find_wide_half_transparent(matte.astype(np.float32) / np.float32(255))
    return int(cv2.connectedComponents(wide.astype(np.uint8))[0]) - 1


def quality_table(model: Model, people: Model, data: Path) -> str:
    """Compare saliency alone, both networks, and the network for people alone."""
    alone = measure(partial(saliency_matte, model), data)
    both = measure(partial(find_matte, model, people=people), data)
    person = measure(partial(person_matte, people), data)
    rows = [
        (
            "mean absolute error",
            f"{alone.mae:.4f}",
            f"{both.mae:.4f} = {both.mae / alone.mae:.2f} x",
            f"at most {MAE:.2f} x",
            f"{person.mae:.4f}",
        ),
        ("mean IoU", f"{alone.iou:.3f}", f"{both.iou:.3f}", "", f"{person.iou:.3f}"),
        (
            f"photos with an IoU below {POOR}",
            f"{100 * alone.poor:.1f} %",
            f"{100 * both.poor:.1f} % = {both.poor / alone.poor:.2f} x",
            f"at most {SHARE:.2f} x",
            f"{100 * person.poor:.1f} %",
        ),
        ("ghosts", alone.ghosts, both.ghosts, "0", person.ghosts),
    ]
    return report.table(("", "saliency alone", "here", "target", "subject=person"), rows)


def time_table(model: Model, people: Model, data: Path) -> str:
    """Compare the times of whole calls with and without the network for people."""
    call = partial(_call, model, people)
    before, after, certain, shares = [], [], [], []
    for photo, _ in pairs(data / "ecssd" / "images", data / "ecssd" / "masks"):
        file = _jpeg(photo)
        both = call(file, "auto")
        times = _medians(partial(_with_saliency_alone, both), both, partial(people.predict, photo))
        before.append(times[0])
        after.append(times[1])
        shares.append(times[2] / times[1])
        certain.append(
            find_wide_half_transparent(model.predict(photo)).mean() <= MAX_HALF_TRANSPARENT
        )
    sure = np.array(certain)
    large = portrait(1920, 1080)
    works = call(large, "auto"), call(large, "person")
    laps = [[seconds(work) for work in works] for _ in range(3 * ROUNDS)]
    faster = ratio([lap[0] for lap in laps], [lap[1] for lap in laps])
    rows = [
        (
            "ECSSD, time of both networks : saliency alone",
            f"{np.sum(after) / np.sum(before):.2f}",
            MEAN_TIME,
        ),
        (
            f"the same, {sure.sum()} photos that need no run on the mirrored photo",
            f"{np.array(after)[sure].sum() / np.array(before)[sure].sum():.2f}",
            CERTAIN_TIME,
        ),
        (
            "network for people, share of the call's time",
            f"{100 * np.mean(shares):.1f} %",
            PEOPLE_TIME,
        ),
    ]
    table = [(name, measured, f"at most {target}") for name, measured, target in rows]
    person = ("1920 x 1080, auto : person", f"{faster:.1f}", f"at least {PERSON_SPEED}")
    return report.table(("whole calls", "measured", "target"), [*table, person])


def _call(model: Model, people: Model, file: bytes, subject: str) -> Callable[[], object]:
    options = BlurOptions(radius_px=10, subject=subject)
    return lambda: blur_photo(file, options, model=model, people=people, max_pixels=NO_LIMIT)


def _with_saliency_alone(blur: Callable[[], object]) -> None:
    """Call `blur`; only the main network runs, and only once for each photo."""

    def matting(model: Predictor, _: Predictor | None) -> Matting:
        return Matting(
            lambda photo, _: SubjectMaps(stretch_f32(model.predict(photo)), None), model.side_px
        )

    with patch.dict(SUBJECTS, auto=matting):
        blur()


def _medians(*works: Callable[[], object]) -> list[float]:
    laps = [[seconds(work) for work in works] for _ in range(ROUNDS)]
    return [statistics.median(lap) for lap in zip(*laps, strict=True)]


def _jpeg(photo: RgbU8) -> bytes:
    file = BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=92)
    return file.getvalue()
