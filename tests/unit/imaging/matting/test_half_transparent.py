from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from tests.unit.imaging.pictures import astronaut, disc, flat, noise

from blur.imaging.matting.half_transparent import (
    EDGE,
    find_wide_half_transparent,
    remove_faint,
    resolve_half_transparent,
)
from blur.imaging.matting.matte import find_matte

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaF32, AlphaU8, RgbU8


class Map:
    """A predictor that returns the same saliency map for every photo."""

    def __init__(self, raw: AlphaF32) -> None:
        self.raw = raw
        self.side_px = raw.shape[0]

    def predict(self, _: RgbU8) -> AlphaF32:
        return self.raw


def person_and(ghost: float) -> AlphaF32:
    """Return a saliency map of two persons; `ghost` is the probability of the second person."""
    raw = np.zeros((320, 320), np.float32)
    raw[80:, 30:110], raw[90:, 190:280] = 1, ghost
    blurred: AlphaF32 = cv2.GaussianBlur(raw, (0, 0), 2)
    return blurred


def count_ghosts(matte: AlphaU8) -> int:
    """Count the half-transparent regions that are wider than an edge."""
    wide = find_wide_half_transparent(matte.astype(np.float32) / np.float32(255))
    return int(cv2.connectedComponents(wide.astype(np.uint8))[0]) - 1


@pytest.mark.parametrize(("ghost", "expected"), [(0.3, 0), (0.45, 0), (0.55, 1), (0.7, 1)])
def test_a_half_transparent_person_becomes_opaque_above_alpha_one_half_and_transparent_below(
    ghost: float, expected: float
) -> None:
    resolved = resolve_half_transparent(person_and(ghost))
    assert (resolved[110:, 200:270] == expected).all()
    np.testing.assert_array_equal(resolved[:, :150], person_and(ghost)[:, :150])


def test_a_half_transparent_person_becomes_opaque_only_if_the_network_for_people_finds_it() -> None:
    person = (person_and(1) > 0.5).astype(np.float32)
    assert (resolve_half_transparent(person_and(0.42), person)[110:, 200:270] == 1).all()
    only_first = person.copy()
    only_first[:, 150:] = 0
    assert (resolve_half_transparent(person_and(0.8), only_first)[110:, 200:270] == 0).all()


def test_soft_edges_stay_half_transparent() -> None:
    soft = disc(320, 320, 90, softness=12).astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(resolve_half_transparent(soft), soft)


def test_a_wide_gradient_becomes_transparent_below_alpha_one_half_and_opaque_above_it() -> None:
    slope = np.linspace(-0.5, 1.5, 320, dtype=np.float32).clip(0, 1)
    resolved = resolve_half_transparent(np.tile(slope, (320, 1)))
    soft = (slope > 0.1) & (slope < 0.9)
    np.testing.assert_array_equal(resolved[100][soft], (slope > 0.5).astype(np.float32)[soft])


@pytest.mark.parametrize("level", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("photo", [astronaut(), noise(300, 400), flat(400, 300, (90, 80, 70))])
def test_no_matte_has_a_half_transparent_region_that_is_wider_than_an_edge(
    level: float, photo: RgbU8
) -> None:
    random = np.random.default_rng(3).random((5, 5), np.float32)
    patches = cv2.resize(random, (320, 320), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    for raw in (person_and(level), patches, np.maximum(patches, person_and(level))):
        raw[:4, :4], raw[-4:, -4:] = 0, 1
        assert count_ghosts(find_matte(Map(raw), photo)) == 0


def test_wide_half_transparent_regions_count_as_ghosts_and_a_narrow_region_does_not() -> None:
    ghosts = np.zeros((200, 300), np.uint8)
    ghosts[50:90, 50:90], ghosts[120:160, 200:260], ghosts[20:24, :] = 128, 60, 128
    assert count_ghosts(ghosts) == 2


def with_arm(strength: float, *, gap_px: int = 0) -> AlphaF32:
    """Return a saliency map of a person; `strength` is the value of a narrow raised arm."""
    raw = np.zeros((320, 320), np.float32)
    raw[120:, 100:200] = 1
    arm = raw.copy()
    cv2.line(arm, (205 + gap_px, 130), (290, 20), strength, 10)
    arm[raw > 0] = 1
    return arm


@pytest.mark.parametrize("gap_px", [0, 20])
def test_a_faint_narrow_arm_of_a_person_is_removed(gap_px: int) -> None:
    assert 2 * EDGE * 320 > 10  # the arm, 10 pixels wide, is narrower than the widest edge
    faint = remove_faint(with_arm(0.2, gap_px=gap_px))
    assert faint[:100].max() == 0
    np.testing.assert_array_equal(faint[120:, 100:200], 1)


@pytest.mark.parametrize("strength", [0.5, 0.8, 1])
def test_remove_faint_does_not_change_a_map_with_a_clearly_visible_arm(strength: float) -> None:
    arm = with_arm(strength)
    np.testing.assert_array_equal(remove_faint(arm), arm)


def test_remove_faint_does_not_change_soft_edges() -> None:
    soft = disc(320, 320, 90, softness=12).astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(remove_faint(soft), soft)


@pytest.mark.parametrize("alpha", [0, 0.2, 0.5, 1])
def test_remove_faint_does_not_change_a_uniform_saliency_map(alpha: float) -> None:
    uniform = np.full((64, 48), alpha, np.float32)
    np.testing.assert_array_equal(remove_faint(uniform), uniform)


def test_an_arm_that_is_faint_in_the_saliency_map_is_left_out_of_the_matte() -> None:
    photo = noise(320, 320)
    matte = find_matte(Map(with_arm(0.2)), photo)
    assert matte[:90].max() == 0
