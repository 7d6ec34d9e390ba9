from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.unit.imaging.pictures import astronaut, flat

from blur.imaging.matting.models import MODELS, ModelMissingError
from blur.imaging.matting.session import Model, open_model, sigmoid, to_tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

U2NETP = MODELS["u2netp"]


@pytest.fixture(scope="module")
def model(model_dir: Path) -> Model:
    return open_model(U2NETP, model_dir, threads=1)


@pytest.fixture(scope="module")
def raw(model: Model) -> NDArray[np.float32]:
    return model.predict(astronaut())


def test_the_error_for_a_missing_file_names_the_command_that_creates_it(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match=r"u2netp\.onnx.*make model") as caught:
        open_model(U2NETP, tmp_path, threads=1)
    assert caught.value.path == tmp_path / "u2netp.onnx"


def test_the_saliency_map_of_a_model_is_square_and_has_values_from_0_to_1(
    raw: NDArray[np.float32],
) -> None:
    assert raw.shape == (320, 320)
    assert raw.dtype == np.float32
    assert raw.min() >= 0
    assert 0.99 < raw.max() <= 1


def test_idle_threads_of_a_model_do_not_busy_wait(model: Model) -> None:
    options = model._session.get_session_options()  # noqa: SLF001 - no public method returns the options
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_threads_can_share_a_model(model: Model, raw: NDArray[np.float32]) -> None:
    with ThreadPoolExecutor(2) as pool:
        for shared in pool.map(model.predict, [astronaut()] * 2):
            np.testing.assert_array_equal(shared, raw)


def test_a_sigmoid_is_applied_to_a_models_logits(model_dir: Path, raw: NDArray[np.float32]) -> None:
    spec = replace(U2NETP, logits=True)
    squashed = open_model(spec, model_dir, threads=1).predict(astronaut())
    np.testing.assert_allclose(squashed, 1 / (1 + np.exp(-raw)), rtol=1e-5)


def test_the_sigmoid_does_not_overflow() -> None:
    logits = np.array([-1e4, -1, 0, 1, 1e4], np.float32)
    exact = [0, 1 / (1 + np.e), 0.5, np.e / (1 + np.e), 1]
    np.testing.assert_allclose(sigmoid(logits), exact, rtol=1e-6)


def test_an_image_is_scaled_by_its_brightest_sample_and_normalised_for_the_model() -> None:
    tensor = to_tensor(flat(50, 70, (50, 100, 200)), U2NETP)
    assert tensor.shape == (1, 3, 320, 320)
    assert tensor.dtype == np.float32
    expected = (np.array([0.25, 0.5, 1]) - U2NETP.mean) / np.array(U2NETP.std)
    np.testing.assert_allclose(tensor[0, :, 7, 9], expected, rtol=1e-5)


def test_a_black_image_gives_a_finite_tensor() -> None:
    assert np.isfinite(to_tensor(flat(9, 9, (0, 0, 0)), U2NETP)).all()


def test_a_photo_with_the_longest_allowed_side_is_resized() -> None:
    line = np.full((50_000_000, 1, 3), 200, np.uint8)
    assert to_tensor(line, U2NETP).shape == (1, 3, 320, 320)
