"""How the tests find out that the keeper's function could not reach the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.aws.aws_engine import aws_engine
from tests.integration.accounts.dynamodb_local import DynamoDBLocal

from blur.errors import UnavailableError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.usefixtures("dynamodb")
def test_a_keeper_that_cannot_reach_the_store_raises_the_error_that_tests_repeat(
    tmp_path: Path, model_dir: Path, refused_url: str
) -> None:
    with (
        aws_engine(tmp_path, DynamoDBLocal(refused_url), "unreachable", model_dir) as engine,
        pytest.raises(UnavailableError),
    ):
        engine.invoke_keeper()
