"""The paths of remove.bg's routes."""

from __future__ import annotations

import pytest

from blur.api.removebg.paths import is_removebg, key_header


@pytest.mark.parametrize(
    "path", ["/v1.0/removebg", "/v1.0/account", "/v1.0/account/", "/v1.0/improve"]
)
def test_on_remove_bgs_paths_the_key_is_in_its_header(path: str) -> None:
    assert is_removebg(path)
    assert key_header(path) == "X-Api-Key"


@pytest.mark.parametrize(
    "path", ["", "/", "/v1.0", "/v1.01/removebg", "/V1.0/account", "/v2/account", "/x/v1.0/"]
)
def test_on_other_paths_the_key_is_in_our_header(path: str) -> None:
    assert not is_removebg(path)
    assert key_header(path) == "ApiKey"
