"""The geometry of a result: sizes, crop, margins, scale and position."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blur.imaging.removal.layout import Layout, Limit, frame_subject, whole
from blur.imaging.removal.options import MAX_MARGIN_PERCENT, Margins, RemovalOptions
from blur.imaging.roi import Box, Length

SHAPE = (300, 400)
SUBJECT = Box(slice(50, 150), slice(100, 300))
"""The box of the subject has 100 rows and 200 columns."""
NO_LIMIT = Limit(10**9, 10**6)

sides = st.integers(1, 3000)
shares = st.floats(0, 1)
lengths = st.builds(Length, st.floats(0, MAX_MARGIN_PERCENT), is_percent=st.booleans())
margins = st.builds(Margins, lengths, lengths, lengths, lengths)
positions = st.one_of(st.none(), st.just("original"), st.tuples(shares, shares))
options = st.builds(
    RemovalOptions,
    crop=st.booleans(),
    crop_margin=margins,
    scale=st.one_of(st.none(), st.floats(0.1, 1)),
    position=positions,
)


@st.composite
def subjects(draw: st.DrawFn) -> tuple[tuple[int, int], Box]:
    """Generate the size of a photo, and a box inside the photo."""
    shape = draw(sides), draw(sides)
    starts = [draw(st.integers(0, side - 1)) for side in shape]
    rows, columns = (
        slice(start, draw(st.integers(start + 1, side)))
        for start, side in zip(starts, shape, strict=True)
    )
    return shape, Box(rows, columns)


def layout_of(limit: Limit = NO_LIMIT, **fields: Any) -> Layout:  # noqa: ANN401 - any values of the options
    return frame_subject(RemovalOptions(**fields), SHAPE, SUBJECT).lay_out(limit)


def percent(value: float) -> Length:
    return Length(value, is_percent=True)


def pixels(value: float) -> Length:
    return Length(value, is_percent=False)


@given(sides, sides, st.integers(1, 10**6), st.integers(1, 3000))
def test_a_fitted_shape_is_within_the_limit_and_never_enlarged(
    height: int, width: int, max_pixels: int, side_px: int
) -> None:
    rows, columns = Limit(max_pixels, side_px).fit((height, width))
    assert 1 <= rows <= height
    assert 1 <= columns <= width
    assert rows * columns <= max_pixels
    assert max(rows, columns) <= side_px


@given(st.integers(500, 5000), st.integers(500, 5000))
def test_a_preview_has_the_aspect_ratio_of_the_photo_and_almost_as_many_pixels_as_allowed(
    height: int, width: int
) -> None:
    rows, columns = Limit(250_000, 10**6).fit((height, width))
    aspect = height / width
    assert rows / columns == pytest.approx(aspect, rel=1.5 / min(rows, columns))
    assert rows * columns > 0.97 * min(250_000, height * width)


def test_the_size_of_a_result_is_reduced_only_if_it_exceeds_the_limit() -> None:
    assert Limit(250_000, 10**6).fit((500, 500)) == (500, 500)
    assert Limit(250_000, 400).fit((500, 500)) == (400, 400)


@pytest.mark.parametrize(
    ("shape", "max_pixels", "fitted"),
    [
        ((3000, 4000), 250_000, (433, 577)),
        ((3000, 4000), 10_000_000, (2738, 3651)),
        ((1, 1_000_000), 250_000, (1, 250_000)),
        ((1_000_000, 2), 250_000, (250_000, 1)),
    ],
)
def test_a_photo_is_reduced_to_the_maximum_number_of_pixels(
    shape: tuple[int, int], max_pixels: int, fitted: tuple[int, int]
) -> None:
    assert Limit(max_pixels, 10**6).fit(shape) == fitted


def test_the_frame_of_a_photo_decoded_at_a_reduced_size_is_computed_from_its_full_size() -> None:
    layout = whole((751, 1000), (3001, 4000), Limit(250_000, 10**6))
    assert layout.frame == layout.shape == Limit(250_000, 10**6).fit((3001, 4000))
    assert layout.part == Box(slice(0, 751), slice(0, 1000))


@given(subjects(), options, st.sampled_from([10**9, 250_000, 900]))
def test_the_subject_is_always_inside_the_frame(
    photo: tuple[tuple[int, int], Box], drawn: RemovalOptions, max_pixels: int
) -> None:
    shape, subject = photo
    layout = frame_subject(drawn, shape, subject).lay_out(Limit(max_pixels, 10**6))
    assert layout.frame[0] * layout.frame[1] <= max_pixels
    assert layout.part == subject
    assert min(layout.shape) >= 1
    assert layout.top >= 0
    assert layout.left >= 0
    assert layout.top + layout.shape[0] <= layout.frame[0]
    assert layout.left + layout.shape[1] <= layout.frame[1]


@given(subjects(), options)
def test_the_subject_keeps_its_size_if_there_is_neither_a_scale_nor_a_limit(
    photo: tuple[tuple[int, int], Box], drawn: RemovalOptions
) -> None:
    shape, subject = photo
    fields = replace(drawn, scale=None)
    layout = frame_subject(fields, shape, subject).lay_out(NO_LIMIT)
    assert layout.shape == subject.shape


@given(subjects(), st.floats(0.1, 1))
def test_a_scaled_subject_fills_the_requested_fraction_of_one_side_of_the_frame(
    photo: tuple[tuple[int, int], Box], scale: float
) -> None:
    shape, subject = photo
    layout = frame_subject(RemovalOptions(scale=scale), shape, subject).lay_out(NO_LIMIT)
    assert layout.frame == shape
    errors = [abs(side - scale * whole) for side, whole in zip(layout.shape, shape, strict=True)]
    assert min(errors) <= 1
    assert all(
        side <= max(1, scale * whole + 1) for side, whole in zip(layout.shape, shape, strict=True)
    )


@given(subjects(), options)
def test_a_preview_shows_the_same_part_as_the_result_in_full_size(
    photo: tuple[tuple[int, int], Box], drawn: RemovalOptions
) -> None:
    framing = frame_subject(drawn, *photo)
    full, small = framing.lay_out(NO_LIMIT), framing.lay_out(Limit(10_000, 10**6))
    for axis in (0, 1):
        ratio = small.frame[axis] / full.frame[axis]
        assert (small.top, small.left)[axis] == pytest.approx(
            ratio * (full.top, full.left)[axis], abs=2
        )
        assert small.shape[axis] == pytest.approx(ratio * full.shape[axis], abs=2)


def test_with_crop_the_frame_is_exactly_the_box_of_the_subject() -> None:
    layout = layout_of(crop=True)
    assert layout == Layout((100, 200), SUBJECT, (100, 200), 0, 0)


def test_margins_in_percent_are_relative_to_the_subjects_height_and_width() -> None:
    layout = layout_of(
        crop=True, crop_margin=Margins(percent(10), percent(20), percent(30), percent(50))
    )
    assert layout.frame == (100 + 10 + 30, 200 + 40 + 100)
    assert (layout.top, layout.left) == (10, 100)


def test_margins_in_pixels_are_measured_in_the_photos_pixels() -> None:
    drawn = Margins(pixels(5), pixels(10), pixels(15), pixels(20))
    assert layout_of(crop=True, crop_margin=drawn).frame == (120, 230)
    half = layout_of(Limit(120 * 230 // 4, 10**6), crop=True, crop_margin=drawn)
    assert half == Layout((60, 115), SUBJECT, (50, 100), 2, 10)


def test_margins_can_be_wider_than_the_photo() -> None:
    drawn = Margins(*[pixels(500)] * 4)
    assert layout_of(crop=True, crop_margin=drawn).frame == (1100, 1200)


def test_margins_have_no_effect_without_crop() -> None:
    drawn = Margins(*[pixels(50)] * 4)
    assert layout_of(crop_margin=drawn, scale=0.5) == layout_of(scale=0.5)


@pytest.mark.parametrize(
    ("position", "top", "left"),
    [
        ((0, 0), 0, 0),
        ((1, 1), 200, 200),
        ((0.5, 0.5), 100, 100),
        ((0.25, 0.75), 150, 50),
        ("original", 50, 100),
    ],
)
def test_a_position_is_a_fraction_of_the_free_space_in_the_frame(
    position: Any,  # noqa: ANN401 - any value of the option
    top: int,
    left: int,
) -> None:
    assert layout_of(position=position) == Layout(SHAPE, SUBJECT, (100, 200), top, left)


def test_a_scaled_subject_without_a_position_is_centred() -> None:
    assert layout_of(scale=1.0) == Layout(SHAPE, SUBJECT, (200, 400), 50, 0)
    assert layout_of(scale=0.1) == Layout(SHAPE, SUBJECT, (20, 40), 140, 180)


def test_with_position_original_a_scaled_subject_keeps_its_centre_or_moves_into_the_frame() -> None:
    small = layout_of(scale=0.1, position="original")
    assert (small.top, small.left) == (100 - 10, 200 - 20)
    corner = Box(slice(0, 30), slice(360, 400))
    placed = frame_subject(RemovalOptions(scale=0.5, position="original"), SHAPE, corner)
    assert placed.lay_out(NO_LIMIT) == Layout(SHAPE, corner, (150, 200), 0, 200)


def test_a_scale_with_crop_is_a_fraction_of_the_cropped_frame() -> None:
    drawn = Margins(*[percent(50)] * 4)
    layout = layout_of(crop=True, crop_margin=drawn, scale=0.25)
    assert layout == Layout((200, 400), SUBJECT, (50, 100), 75, 150)


def test_with_crop_a_position_moves_the_subject_within_the_margins() -> None:
    drawn = Margins(*[percent(50)] * 4)
    layout = layout_of(crop=True, crop_margin=drawn, position=(1, 0))
    assert layout == Layout((200, 400), SUBJECT, (100, 200), 0, 200)
