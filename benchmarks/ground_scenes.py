"""Rendered scenes with known geometry: subjects that stand on textured ground in front of a wall.

The camera is a pinhole 1.6 m above the ground, tilted so that the horizon is at a given row. If the
subject is at the distance f, a point at the distance z has the circle of confusion |1 / f - 1 / z|.
All circles are given as shares of the circle of the farthest point. The ideal picture is a layered
lens blur: the background is divided into thin layers of points with similar circles, each layer is
blurred with its own radius, and the sharp subject is composited over the sum of the layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import cv2
import numpy as np
from ground_subjects import SHAPES, texture
from layered_blur import layered_blur

from blur.imaging.compositing.composite import composite

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Sample = TypeVar("Sample", np.uint8, np.float32)

    from blur.imaging.arrays import AlphaU8, FloatArray, RgbU8

WIDTH, HEIGHT = 640, 480
FOCAL_PX = 600.0
CAMERA_M = 1.6
FAR_M = 1e5
TILE_M = 1.5
"""The width and height of one tile of the texture on the ground."""
OVERSAMPLING = 2
HALF = 0.5
LEVEL = 1e-4
"""A ray reaches the ground only if its slope relative to the ground is above this value."""
STEP_M = 1.2
"""Half the width of a step on which a subject stands."""


class Subject(NamedTuple):
    """A flat, upright subject."""

    shape: str
    """One of `SHAPES`."""
    height_m: float
    distance_m: float
    side_m: float = 0.0
    """How far the subject is to the right of the camera."""
    raised_m: float = 0.0
    """The height above the ground."""
    depth_m: float = 0.0
    """How far the farthest foot is behind the nearest foot."""


@dataclass(frozen=True)
class World:
    """A scene, and the position of the camera in it."""

    subjects: tuple[Subject, ...]
    ground: str = "brick"
    backdrop_m: float = 1000.0
    """The distance between the camera and the wall behind the ground."""
    horizon: float = 0.3
    """The horizon's row if the ground is level, as a share of the picture's height from the top."""
    roll_deg: float = 0.0
    """The angle by which the camera is turned around its optical axis."""
    slope_deg: float = 0.0
    """The angle at which the ground rises away from the camera."""
    step_m: float = 0.0
    """The height of a step on which the first subject stands."""


class Rendered(NamedTuple):
    """A photo whose ideal result can be computed."""

    photo: RgbU8
    background: RgbU8
    alpha: AlphaU8
    confusion: FloatArray
    """The background's circle of confusion, (H, W), 0..1."""
    is_floor: NDArray[np.bool_]

    def ideal(self, radius_px: float) -> RgbU8:
        """Return the picture that a lens makes if it blurs the farthest points with this radius."""
        blurred = layered_blur(self.background, self.confusion, radius_px)
        return composite(self.photo, blurred, self.alpha)


def render(world: World) -> Rendered:
    """Render the photo of a scene, its background, its alpha and its circle of confusion."""
    rays = _rays(world)
    distance, is_floor, texture = _trace(world, rays)
    inverse = 1 / np.maximum(distance, 0.1)
    in_focus = [1 / each for subject in world.subjects for each in _extent(world, subject)]
    off = np.maximum(np.maximum(inverse - max(in_focus), min(in_focus) - inverse), 0)
    confusion = np.clip(off / (min(in_focus) - inverse.min()), 0, 1)
    background = _shrink(texture)
    photo, alpha = background, np.zeros((HEIGHT, WIDTH), np.uint8)
    for subject in sorted(world.subjects, key=lambda subject: -subject.distance_m):
        colours, cover = _billboard(world, subject)
        photo, alpha = composite(colours, photo, cover), np.maximum(alpha, cover)
    small = _shrink(confusion.astype(np.float32))
    return Rendered(photo, background, alpha, small, _shrink(is_floor.astype(np.float32)) > HALF)


def _extent(world: World, subject: Subject) -> tuple[float, float]:
    """Return the distances, along the camera's axis, of the subject's nearest and farthest foot."""
    near, far = subject.distance_m, subject.distance_m + subject.depth_m
    feet = ((subject.side_m, _foot(world, subject, away), away) for away in (near, far))
    nearest, farthest = (_to_camera(world, foot)[2] for foot in feet)
    return nearest, farthest


def _foot(world: World, subject: Subject, away: float) -> float:
    """Return how far below the camera, in metres, a subject's foot at the distance `away` is."""
    step = world.step_m if subject is world.subjects[0] else 0.0
    rise = away * float(np.tan(np.deg2rad(world.slope_deg)))
    return CAMERA_M - subject.raised_m - step - rise


def _rays(world: World) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return each pixel's ray in the world: its components to the right, down and away."""
    rows, columns = np.mgrid[: HEIGHT * OVERSAMPLING, : WIDTH * OVERSAMPLING].astype(np.float32)
    x = ((columns + 0.5) / OVERSAMPLING - WIDTH / 2) / FOCAL_PX
    y = ((rows + 0.5) / OVERSAMPLING - HEIGHT / 2) / FOCAL_PX
    turn = np.deg2rad(world.roll_deg)
    x, y = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
    tilt = _tilt(world)
    return x, y * np.cos(tilt) + np.sin(tilt), np.cos(tilt) - y * np.sin(tilt)


def _tilt(world: World) -> float:
    """Return the angle by which the camera is tilted down, in radians."""
    return float(np.arctan((0.5 - world.horizon) * HEIGHT / FOCAL_PX))


def _trace(
    world: World, rays: tuple[FloatArray, FloatArray, FloatArray]
) -> tuple[FloatArray, NDArray[np.bool_], RgbU8]:
    """Return each pixel's distance along the camera's axis, whether it is floor, and the colour."""
    x, y, z = rays
    rise = float(np.tan(np.deg2rad(world.slope_deg)))
    wall = world.backdrop_m / np.maximum(z, 1e-3)
    below = y + rise * z
    floor = np.where(below > LEVEL, CAMERA_M / np.maximum(below, LEVEL), FAR_M)
    is_floor = floor < wall
    distance: FloatArray = np.where(is_floor, floor, wall).astype(np.float32)
    colours = np.where(
        is_floor[..., np.newaxis],
        _ground_colours(world.ground, x * distance, z * distance, distance),
        _backdrop_colours(x * distance, y * distance, world.backdrop_m),
    )
    if world.step_m:
        first = world.subjects[0]
        near, far = first.distance_m - 0.4, first.distance_m + 0.4
        top: FloatArray = np.where(
            y > LEVEL, (CAMERA_M - world.step_m) / np.maximum(y, LEVEL), FAR_M
        ).astype(np.float32)
        front: FloatArray = (near / np.maximum(z, 1e-3)).astype(np.float32)
        is_top = (z * top > near) & (z * top < far) & (np.abs(x * top - first.side_m) < STEP_M)
        is_front = (np.abs(x * front - first.side_m) < STEP_M) & (
            y * front > CAMERA_M - world.step_m
        )
        is_front &= y * front < CAMERA_M
        for hit, depth in ((is_front, front), (is_top, top)):
            distance = np.where(hit, depth, distance)
            stone = _ground_colours("gravel", x * depth, z * depth + y * depth, depth)
            colours = np.where(hit[..., np.newaxis], stone, colours)
            is_floor = is_floor | hit
    return distance, is_floor, colours


def _ground_colours(name: str, right: FloatArray, away: FloatArray, far: FloatArray) -> RgbU8:
    """Return the colours of a tiled texture; for distant points, a coarser copy is used."""
    picture = texture(name)
    texels_per_m = picture.shape[0] / TILE_M
    footprint = np.clip(far, 0.1, 1e4) / FOCAL_PX / OVERSAMPLING * texels_per_m
    level = np.clip(np.rint(np.log2(np.maximum(footprint * 2, 1))), 0, 7)
    colours = np.zeros((*right.shape, 3), np.uint8)
    for step in range(8):
        if not (level == step).any():
            continue
        coarse = cv2.resize(picture, None, fx=0.5**step, fy=0.5**step, interpolation=cv2.INTER_AREA)
        side = coarse.shape[0]
        u, v = (((axis / TILE_M * side) % side).astype(np.float32) for axis in (right, away))
        found = cv2.remap(coarse, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        colours = np.where((level == step)[..., np.newaxis], found, colours)
    return colours


def _backdrop_colours(right: FloatArray, down: FloatArray, away: float) -> RgbU8:
    """Return the colours of the wall: a photo, repeated in mirrored copies."""
    picture = texture("coffee")
    height_m = away * 0.6
    scale = picture.shape[0] / height_m
    u = (right * scale + picture.shape[1] / 2).astype(np.float32)
    v = ((down - CAMERA_M) * scale + picture.shape[0]).astype(np.float32)
    size_x, size_y = picture.shape[1] - 1, picture.shape[0] - 1
    u, v = size_x - np.abs(u % (2 * size_x) - size_x), size_y - np.abs(v % (2 * size_y) - size_y)
    colours: RgbU8 = cv2.remap(picture, u, v, cv2.INTER_LINEAR)
    return colours


def _billboard(world: World, subject: Subject) -> tuple[RgbU8, AlphaU8]:
    """Return a subject's colours and alpha in the picture."""
    mask, colours = SHAPES[subject.shape]()
    height, width = mask.shape
    wide_m = subject.height_m * width / height
    left, right = subject.side_m - wide_m / 2, subject.side_m + wide_m / 2
    foot = _foot(world, subject, subject.distance_m)
    head = foot - subject.height_m
    corners = [
        _project(world, (across, down, subject.distance_m))
        for across, down in ((left, head), (right, head), (right, foot), (left, foot))
    ]
    source = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    transform = cv2.getPerspectiveTransform(source, np.array(corners, np.float32) * OVERSAMPLING)
    size = (WIDTH * OVERSAMPLING, HEIGHT * OVERSAMPLING)
    flags = {"flags": cv2.INTER_LINEAR}
    cover = cv2.warpPerspective(mask, transform, size, borderValue=0, **flags)
    painted = cv2.warpPerspective(
        colours, transform, size, borderMode=cv2.BORDER_REPLICATE, **flags
    )
    return _shrink(painted), _shrink(cover)


def _to_camera(world: World, point: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return a point in the tilted camera's coordinates: right, down and away."""
    x, down, away = point
    cos, sin = float(np.cos(_tilt(world))), float(np.sin(_tilt(world)))
    return x, down * cos - away * sin, down * sin + away * cos


def _project(world: World, point: tuple[float, float, float]) -> tuple[float, float]:
    """Return a point's position in the picture, (x, y); this is the inverse of `_rays`."""
    x, y, z = _to_camera(world, point)
    turn = np.deg2rad(world.roll_deg)
    x, y = x / z, y / z
    x, y = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
    return WIDTH / 2 + FOCAL_PX * x, HEIGHT / 2 + FOCAL_PX * y


def _shrink(picture: NDArray[Sample]) -> NDArray[Sample]:
    small: NDArray[Sample] = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return small
