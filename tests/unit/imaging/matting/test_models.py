from __future__ import annotations

import pytest

from blur.imaging.matting.models import MODELS


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_found_by_its_own_name(name: str) -> None:
    assert MODELS[name].name == name
    assert MODELS[name].file == f"{name}.onnx"


def test_rembgs_models_that_matter_here_are_there() -> None:
    assert set(MODELS) == {
        "u2netp",
        "u2netp-light",
        "u2net",
        "silueta",
        "isnet-general-use",
        "birefnet-general-lite",
    }
