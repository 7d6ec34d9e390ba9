from __future__ import annotations

from bgblur.blurring.engines import STEPS
from blur.imaging import pipeline


def test_every_step_of_the_imaging_has_a_word_and_its_place_in_the_bar() -> None:
    assert tuple(STEPS) == pipeline.STEPS
    shares = [share for _, share in STEPS.values()]
    assert shares == sorted(shares)
