"""Comparisons of our mattes with the masks of rembg's session, on real photos."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from tests.networks import open_shared
from tests.unit.imaging.pictures import sample_photo

from blur.imaging.matting.matte import find_matte, stretch
from blur.imaging.matting.models import MODELS

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8

PHOTOS = ("astronaut", "chelsea", "coffee")


@pytest.fixture(scope="module")
def rembg_home(model_dir: Path) -> Iterator[Path]:
    """Set U2NET_HOME to the folder of the model, so that rembg downloads nothing.

    Without NUMBA_DISABLE_JIT, numba would compile for a minute or two when rembg is imported.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_DISABLE_JIT", "1")
        patch.setenv("U2NET_HOME", str(model_dir))
        patch.setenv("OMP_NUM_THREADS", "1")
        yield model_dir


@cache
def rembgs_mask(name: str) -> AlphaU8:
    """Return the mask that rembg's session for u2netp finds in a photo, (H, W)."""
    from rembg import new_session  # noqa: PLC0415 - the environment must be set before this import

    (mask,) = new_session("u2netp").predict(Image.fromarray(sample_photo(name)))
    return np.asarray(mask)


@pytest.mark.parametrize(("model", "levels"), [("u2netp", 2), ("u2netp-light", 4)])
@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.filterwarnings("ignore")  # rembg and its imports emit deprecation warnings
def test_matte_before_refinement_differs_from_rembgs_mask_by_only_a_few_grey_levels_on_average(
    rembg_home: Path, name: str, model: str, levels: int
) -> None:
    theirs = rembgs_mask(name)
    raw = open_shared(MODELS[model], rembg_home).predict(sample_photo(name))
    mask = Image.fromarray(stretch(raw))
    ours = np.asarray(mask.resize(theirs.shape[::-1], Image.Resampling.LANCZOS))
    assert np.abs(ours.astype(int) - theirs).mean() < levels


@pytest.mark.filterwarnings("ignore")
def test_every_model_except_u2netp_light_is_also_a_model_of_rembg(rembg_home: Path) -> None:
    from rembg.sessions import sessions_names  # noqa: PLC0415 - the environment must be set before this import

    assert rembg_home.is_dir()
    assert set(MODELS) - {"u2netp-light"} <= set(sessions_names)


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.filterwarnings("ignore")
def test_refined_matte_is_close_to_rembgs_mask_where_the_mask_is_almost_black_or_white(
    rembg_home: Path, name: str
) -> None:
    mask = rembgs_mask(name)
    ours = find_matte(open_shared(MODELS["u2netp"], rembg_home), sample_photo(name))
    sure = (mask > 250) | (mask < 5)
    assert np.abs(ours.astype(int) - mask)[sure].mean() < 2
