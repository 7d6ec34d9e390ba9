from __future__ import annotations

from bgblur.blurring.engines import STEPS
from blur.imaging import pipeline


def test_every_imaging_step_has_a_label_and_a_position_in_the_bar() -> None:
    assert tuple(STEPS) == pipeline.STEPS
    shares = [share for _, share in STEPS.values()]
    assert shares == sorted(shares)
