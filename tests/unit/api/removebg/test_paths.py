"""The paths of remove.bg's routes."""

from __future__ import annotations

import pytest

from blur.api.removebg.paths import is_removebg, key_header


@pytest.mark.parametrize(
    "path", ["/v1.0/removebg", "/v1.0/account", "/v1.0/account/", "/v1.0/improve"]
)
def test_the_key_header_of_remove_bgs_paths_is_x_api_key(path: str) -> None:
    assert is_removebg(path)
    assert key_header(path) == "X-Api-Key"


@pytest.mark.parametrize(
    "path", ["", "/", "/v1.0", "/v1.01/removebg", "/V1.0/account", "/v2/account", "/x/v1.0/"]
)
def test_the_key_header_of_all_other_paths_is_apikey(path: str) -> None:
    assert not is_removebg(path)
    assert key_header(path) == "ApiKey"
