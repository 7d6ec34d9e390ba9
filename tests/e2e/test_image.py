"""The function's container image: its content, and the few privileges that the function needs.

Lambda runs an image as an unprivileged user, on a file system on which only /tmp is writable.
sam's containers are less strict, so the tests start containers themselves, with sam's Runtime
Interface Emulator.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
import requests
from events import make
from PIL import Image
from tests.e2e import machine
from tests.e2e.emulated import emulated
from tests.e2e.image_files import added_to_base
from tests.e2e.test_invoke import body

from blur.credits import whole

if TYPE_CHECKING:
    from tests.e2e.customers import Customer

OURS = tuple(map(PurePosixPath, ("/var/task", "/opt/models", "/opt/site")))
UNPRIVILEGED = "65534:65534"
CONFINED = ["--read-only", "--tmpfs", "/tmp", "--user", UNPRIVILEGED]  # noqa: S108 - this folder is in the container
CONFINED += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges"]


@pytest.fixture
def confined(variables: dict[str, str]) -> Iterator[str]:
    """Run the image without privileges; yield the URL to which tests send events."""
    with emulated(f"{machine.PROJECT}-confined", variables, *CONFINED) as url:
        yield url


def test_the_function_blurs_a_photo_as_an_unprivileged_user_that_can_write_only_to_tmp(
    confined: str, customer: Customer
) -> None:
    answer: dict[str, Any] = requests.post(
        confined, json=make.blur(customer.key), timeout=60
    ).json()
    assert answer.get("statusCode") == 200, answer
    with Image.open(io.BytesIO(body(answer))) as picture:
        assert (picture.format, picture.size) == ("PNG", (192, 192))
    assert customer.account().used == whole(1)


@pytest.mark.usefixtures("stack")
def test_the_container_image_adds_only_the_function_the_model_and_the_page() -> None:
    added = {each.path for each in added_to_base()}
    assert added
    assert {path for path in added if not any(path.is_relative_to(ours) for ours in OURS)} == set()
    assert {path for path in added if path.name in {"tests", "bin", "Dockerfile"}} == set()


@pytest.mark.usefixtures("stack")
def test_every_module_has_bytecode_in_the_container_image() -> None:
    added = {each.path for each in added_to_base()}
    compiled = {
        path.parents[1] / f"{path.name.partition('.')[0]}.py"
        for path in added
        if path.parent.name == "__pycache__"
    }
    modules = {path for path in added if path.suffix == ".py"}
    assert len(modules) > 100
    assert modules - compiled == set()
