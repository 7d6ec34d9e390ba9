"""Every AWS client has time limits."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from blur.aws import CONNECT_S, limited

FUNCTIONS = Path(__file__).parents[2] / "functions"
CALLS = {
    f"{path.name}:{call.lineno}": call
    for path in sorted(FUNCTIONS.rglob("*.py"))
    if "create_client" in (source := path.read_text("utf-8"))  # parsing all files is slow
    for call in ast.walk(ast.parse(source))
    if isinstance(call, ast.Call)
    and isinstance(call.func, ast.Attribute)
    and call.func.attr == "create_client"
}


@pytest.mark.parametrize("place", CALLS)
def test_every_call_of_create_client_passes_a_config(place: str) -> None:
    # By default, botocore waits a minute in each of five attempts: longer than our functions run.
    assert "config" in {keyword.arg for keyword in CALLS[place].keywords}


def test_the_config_of_a_client_has_the_timeouts_and_the_number_of_attempts() -> None:
    config = vars(limited(read_s=7, attempts=2))
    assert (config["connect_timeout"], config["read_timeout"]) == (CONNECT_S, 7)
    assert config["retries"] == {"total_max_attempts": 2, "mode": "standard"}
