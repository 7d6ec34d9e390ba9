from __future__ import annotations

from pathlib import Path

import pytest

from blur_client import Client

CLIENT = Path(__file__).parents[3] / "tools" / "blur_client"
HEAVY = {"blur", "bgblur", "numpy", "onnxruntime", "PIL", "click"}


@pytest.mark.parametrize("url", ["api.example.com", "", "ftp://api.example.com"])
def test_an_invalid_server_url_is_rejected(url: str) -> None:
    with pytest.raises(ValueError, match="https://"):
        Client(url, "bb_live_key")


@pytest.mark.parametrize("key", ["", " bb_live_key", "bb_live_key\n", "bb_live_schlüssel"])
def test_an_invalid_key_is_rejected_with_a_message_that_does_not_contain_the_key(key: str) -> None:
    with pytest.raises(ValueError, match="API key") as error:
        Client("https://api.example.com", key)
    assert "bb_live" not in str(error.value)
