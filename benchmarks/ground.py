"""Measure how `depth=ground` differs from the blur of a lens, and its time and memory.

    make bench-ground

On rendered scenes with known geometry (`ground_scenes`) and on a photo with measured disparity
(`ground_photo`), `flat` and `ground` are compared with an ideal layered lens blur. All three get
the same alpha, so that only the circle of confusion and the blur are compared. Errors are mean
absolute differences. The error of the circle of confusion is a share of the radius; the error of a
picture is in 8-bit levels.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import report
from ground_photo import motorcycle
from ground_scenes import Rendered, Subject, World, render
from ground_subjects import GROUNDS
from layered_blur import layered_blur
from ours import NO_LIMIT, opened
from paired import cpu_seconds, milliseconds, paired, ratio, seconds
from subjects import photo

from blur.imaging.arrays import to_alpha_f32
from blur.imaging.blur_options import DEPTHS
from blur.imaging.blurring.lens import KERNELS
from blur.imaging.compositing.composite import composite
from blur.imaging.compositing.scene import Scene
from blur.imaging.decode.decoder import decode
from blur.imaging.depth.ground import circle_of_confusion, find_ground
from blur.imaging.matting.matte import find_matte
from blur.imaging.modes import blur_background
from blur.imaging.strips import set_thread_count
from blur.settings import usable_cpus

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import FloatArray, RgbU8

RADIUS_PX = 12
BACKGROUND, FLOOR, COST, MEMORY_MIB = 0.5, 0.2, 1.6, 60
"""The targets: the largest error of the background, the largest error of the floor and the longest
time, all relative to `flat`, and the largest additional memory."""
ROUNDS = 7

PERSON, HORSE = Subject("person", 1.65, 5.0), Subject("horse", 1.6, 5.0, 0.4, depth_m=1.1)


def worlds() -> dict[str, list[World]]:
    """Return the groups of scenes; the name of a group describes its scenes."""
    family = (Subject("person", 1.7, 5.5, 0.7), Subject("person", 1.65, 4.0, -0.7))
    bicycle, product = Subject("bicycle", 1.1, 4.0), Subject("box", 0.5, 2.5)
    both = (-5, 5)
    return {
        "camera as high as the subject": [
            World((subject,), ground) for ground in GROUNDS for subject in (PERSON, HORSE)
        ],
        "two people at different distances": [World(family, ground) for ground in GROUNDS],
        "bicycle, 1.1 m": [World((bicycle,), ground) for ground in GROUNDS],
        "box, 0.5 m, from above": [World((product,), each, horizon=-0.1) for each in GROUNDS],
        "camera rolled by 5 degrees": [World((PERSON,), roll_deg=angle) for angle in both],
        "ground rises or falls by 5 degrees": [World((PERSON,), slope_deg=each) for each in both],
        "person on a step of 0.3 m": [World((PERSON,), each, step_m=0.3) for each in GROUNDS[:2]],
        "wall 2 m behind the person": [World((PERSON,), each, backdrop_m=7.0) for each in GROUNDS],
        "box in the air": [World((product._replace(distance_m=5.0, raised_m=1.0),))],
    }


FOLLOW_THE_MODEL = ("camera as high as the subject", "two people at different distances")
PHOTO_TARGET = f"at most 1 x, {FLOOR} x"
FAILURES = ("wall 2 m behind the person", "box in the air")
"""Scenes that break an assumption of `find_ground`. Their errors are measured without a target."""


class Errors(NamedTuple):
    """The mean errors of one result, which has `depth=flat` or `depth=ground`."""

    confusion: float
    background: float
    floor: float


def compare(scene: Scene, truth: Rendered, ideal: RgbU8) -> tuple[Errors, Errors]:
    """Return the mean errors of the results with `depth=flat` and with `depth=ground`."""
    ground = find_ground(scene.matte)
    height, _ = scene.shape
    uniform = np.ones(height, np.float32)
    shares = uniform if ground is None else circle_of_confusion(ground, height)
    behind = scene.matte == 0
    areas = (behind, behind & truth.is_floor)
    return (
        _errors(blur_background(scene, RADIUS_PX), uniform, (truth, ideal), areas),
        _errors(blur_background(scene, RADIUS_PX, ground=ground), shares, (truth, ideal), areas),
    )


def _errors(
    result: RgbU8,
    shares: FloatArray,
    truth: tuple[Rendered, RgbU8],
    areas: tuple[NDArray[np.bool_], NDArray[np.bool_]],
) -> Errors:
    rendered, ideal = truth
    behind, floor = areas
    off = np.abs(result.astype(float) - ideal).mean(axis=2)
    confusion = np.abs(shares[:, np.newaxis] - rendered.confusion)
    return Errors(*(float(each.mean()) for each in (confusion[behind], off[behind], off[floor])))


def on_rendered_scenes() -> str:
    """Return the table of the errors of `flat` and `ground` on all rendered scenes."""
    rows = []
    for name, group in worlds().items():
        pairs = []
        for world in group:
            truth = render(world)
            scene = Scene.decompose(truth.photo, truth.alpha)
            pairs.append(compare(scene, truth, truth.ideal(RADIUS_PX)))
        target = "" if name in FAILURES else "at most 1 x"
        if name in FOLLOW_THE_MODEL:
            target = f"at most {BACKGROUND} x, {FLOOR} x"
        rows.append(_row(name, pairs, target))
    return report.table(HEAD, rows)


HEAD = ("flat → ground", "circle of confusion", "background", "floor", "target")


def _row(name: str, pairs: list[tuple[Errors, Errors]], target: str) -> tuple[str, ...]:
    flat, ground = (Errors(*np.mean(each, axis=0)) for each in zip(*pairs, strict=True))
    levels = (
        f"{one:.2f} → {other:.2f} = {other / one:.2f} x"
        for one, other in zip(flat[1:], ground[1:], strict=True)
    )
    return (name, f"{flat.confusion:.2f} → {ground.confusion:.2f}", *levels, target)


def on_a_photo() -> str:
    """Return the table of the errors on the motorcycle photo, with the matte from the model."""
    photographed = motorcycle(partial(find_matte, opened()))
    picture, matte = photographed.photo, photographed.alpha
    background = 1 - to_alpha_f32(matte)
    blurred = layered_blur(picture, photographed.confusion, RADIUS_PX, background)
    ideal = composite(picture, blurred, matte)
    errors = compare(Scene.decompose(picture, matte), photographed, ideal)
    return report.table(HEAD, [_row("motorcycle on a garage floor", [errors], PHOTO_TARGET)])


def cost() -> str:
    """Compare the blur step and the peak memory of `ground` with those of `flat`, at 12 MP."""
    opened()
    pixels = decode(photo(4000, 3000), max_pixels=NO_LIMIT).pixels
    y, x = np.mgrid[:3000, :4000]
    circle = (800 - np.hypot((x - 2000) * 1.5, y - 1500)) / 20  # 1,600 px high
    scene = Scene.decompose(pixels, (255 * np.clip(circle, 0, 1)).astype(np.uint8))
    rows: list[tuple[str, ...]] = []
    for kernel in KERNELS:
        for radius_px in (10, 50):
            flat = partial(blur_background, scene, radius_px, kernel)
            ground = partial(_with_ground, scene, radius_px, kernel)
            for cores in sorted({1, usable_cpus()}):
                set_thread_count(cores)
                # On one core, CPU time does not depend on other programs. On several cores, CPU
                # time includes the time in which OpenCV's threads wait.
                measure = cpu_seconds if cores == 1 else seconds
                times = paired(ROUNDS, measure, flat=flat, ground=ground)
                part = f"{ratio(times['ground'], times['flat']):.2f} x"
                name = f"{kernel} {radius_px}, {cores} core{'s' * (cores > 1)}, ms"
                rows.append((name, *map(milliseconds, times.values()), part, f"at most {COST} x"))
    flat_mib, ground_mib = (_peak_mib(depth) for depth in DEPTHS)
    peaks = (f"{flat_mib:.0f}", f"{ground_mib:.0f}", f"{ground_mib - flat_mib:+.0f}")
    rows.append(("peak memory, MiB", *peaks, f"at most +{MEMORY_MIB}"))
    return report.table(("4000 x 3000", "flat", "ground", "change", "target"), rows)


def _with_ground(scene: Scene, radius_px: float, kernel: str) -> RgbU8:
    ground = find_ground(scene.matte)
    if ground is None:
        message = "no ground was found under the subject"
        raise RuntimeError(message)
    return blur_background(scene, radius_px, kernel, ground)


def _peak_mib(depth: str) -> float:
    script = Path(__file__).with_name("peak.py")
    command = [sys.executable, str(script), depth, "4000", "3000"]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603 - runs our own script


def main() -> None:
    """Measure everything and store the results."""
    for title in sys.argv[1:] or PARTS:
        report.publish(title, PARTS[title]())


PARTS = {
    "Depth on rendered scenes": on_rendered_scenes,
    "Depth on a photo": on_a_photo,
    "Cost of depth": cost,
}
"""For each section's title, the function that measures the section."""


if __name__ == "__main__":
    main()
