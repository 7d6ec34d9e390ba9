"""The prices of routes and calls."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blur.accounts.model import KeyKind
from blur.credits import ONE, QUARTER, ZERO, Credits
from blur.imaging.blur_options import BlurOptions
from blur.prices import PriceRange, Prices, charged_price

PRICES = Prices(image=ONE, preview=QUARTER, person=Credits(6))


@pytest.mark.parametrize(
    ("prices", "blur", "removal"),
    [
        (PRICES, PriceRange(ONE, Credits(6)), PriceRange(QUARTER, ONE)),
        (replace(PRICES, person=QUARTER), PriceRange(QUARTER, ONE), PriceRange(QUARTER, ONE)),
        (replace(PRICES, person=ZERO), PriceRange(ZERO, ONE), PriceRange(QUARTER, ONE)),
        (
            Prices(image=ONE, preview=Credits(8), person=Credits(6)),
            PriceRange(ONE, Credits(6)),
            PriceRange(ONE, Credits(8)),
        ),
        (Prices(image=ONE, preview=ONE, person=ONE), PriceRange(ONE, ONE), PriceRange(ONE, ONE)),
    ],
)
def test_the_price_range_of_a_route_has_its_lowest_and_its_highest_price(
    prices: Prices, blur: PriceRange, removal: PriceRange
) -> None:
    assert (prices.blur, prices.removal) == (blur, removal)
    assert prices.blur.is_fixed is (blur.lowest == blur.highest)


def test_a_blur_with_subject_person_has_a_separate_price() -> None:
    assert PRICES.blur_price(BlurOptions(subject="person")) == Credits(6)
    assert PRICES.blur_price(BlurOptions()) == ONE


def test_a_preview_of_a_background_removal_has_a_separate_price() -> None:
    assert PRICES.removal_price(is_preview=True) == QUARTER
    assert PRICES.removal_price(is_preview=False) == ONE


def test_only_calls_with_live_keys_are_charged() -> None:
    assert charged_price(KeyKind.LIVE, ONE) == ONE
    assert charged_price(KeyKind.TEST, ONE) == ZERO
