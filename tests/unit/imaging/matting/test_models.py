from __future__ import annotations

import pytest

from blur.imaging.matting.models import MODELS


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_registered_under_its_name_and_its_file_has_this_name(name: str) -> None:
    assert MODELS[name].name == name
    assert MODELS[name].file == f"{name}.onnx"


def test_exactly_the_supported_models_are_registered() -> None:
    assert set(MODELS) == {
        "u2netp",
        "u2netp-light",
        "u2net",
        "silueta",
        "isnet-general-use",
        "birefnet-general-lite",
    }
