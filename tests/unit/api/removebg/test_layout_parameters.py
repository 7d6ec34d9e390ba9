"""The parameters for crop, margins, scale and position."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.api.removebg.parsed_options import options, percent, px

from blur.imaging.removal.options import CENTER, NO_MARGINS, Margins
from blur.removal_errors import InvalidCropMarginError, InvalidPositionError, InvalidScaleError

if TYPE_CHECKING:
    from blur.imaging.roi import Length


@pytest.mark.parametrize(
    ("text", "margins"),
    [
        ("30px", (px(30),) * 4),
        ("0", (px(0),) * 4),
        ("50%", (percent(50),) * 4),
        ("500px", (px(500),) * 4),
        ("10% 20px", (percent(10), px(20), percent(10), px(20))),
        ("1px 2PX 3% 4.5px", (px(1), px(2), percent(3), px(4.5))),
        (f"{100 / 3}%", (percent(100 / 3),) * 4),
    ],
)
def test_margins_are_top_right_bottom_and_left_as_in_css(
    text: str, margins: tuple[Length, ...]
) -> None:
    assert options(crop_margin=text).crop_margin == Margins(*margins)


@pytest.mark.parametrize(
    "text", ["50.1%", "501px", "1 2 3", "1 2 3 4 5", "-1px", "1em", "px", "1px,2px", "NaN", "1e2"]
)
def test_invalid_margins_are_rejected(text: str) -> None:
    with pytest.raises(InvalidCropMarginError, match="at most 50% or 500px"):
        options(crop_margin=text)


@pytest.mark.parametrize(
    ("text", "scale"),
    [("10%", 0.1), ("100%", 1), ("55.5%", 0.555), (f"{200 / 3}%", 2 / 3), ("original", None)],
)
def test_a_scale_is_parsed_as_a_fraction_of_the_frame(text: str, scale: float | None) -> None:
    assert options(scale=text).scale == (scale and pytest.approx(scale))


@pytest.mark.parametrize("text", ["9.9%", "101%", "50", "0.5", "ten%", "-50%", "50% 50%"])
def test_invalid_scales_are_rejected(text: str) -> None:
    with pytest.raises(InvalidScaleError, match="10% to 100%"):
        options(scale=text)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("center", CENTER),
        ("0%", (0, 0)),
        ("100% 0%", (1, 0)),
        ("25%  75%", (0.25, 0.75)),
        (f"{100 / 3}% 0%", (1 / 3, 0)),
    ],
)
def test_a_position_is_a_name_or_one_or_two_percentages(text: str, position: object) -> None:
    assert options(position=text).position == pytest.approx(position)


def test_the_original_position_can_be_requested_together_with_a_scale() -> None:
    assert options(position="original", scale="50%").position == "original"


@pytest.mark.parametrize("text", ["101%", "1% 2% 3%", "left", "10px", "50", "center 10%"])
def test_invalid_positions_are_rejected(text: str) -> None:
    with pytest.raises(InvalidPositionError, match="one or two percentages"):
        options(position=text)


def test_a_crop_has_no_margins_by_default() -> None:
    assert options(crop="true").crop_margin == NO_MARGINS
