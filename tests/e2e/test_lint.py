"""Linters for AWS check the template and the Dockerfile."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from tests.e2e import machine, programs

BIN = machine.ROOT / ".venv-sam" / "bin"
CHECKOV = ["checkov", "--quiet", "--compact", "--skip-download", "--framework"]
COMMANDS = {
    "sam validate": ["sam", "validate", "--lint"],
    "cfn-lint": ["cfn-lint", "template.yaml"],
    "checkov template.yaml": [*CHECKOV, "cloudformation", "--file", "template.yaml"],
    "checkov Dockerfile": [*CHECKOV, "dockerfile", "--file", "functions/blur/Dockerfile"],
}

Ends = Mapping[str, Callable[[], tuple[int, str]]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the linters' logs."""
    return tmp_path_factory.mktemp("lint")


@pytest.fixture(scope="module")
def ends(folder: Path) -> Iterator[Ends]:
    """Start all linters at once; yield for each linter a function that waits for the result."""
    with contextlib.ExitStack() as started:
        yield {
            name: started.enter_context(
                programs.background(
                    [str(BIN / program), *arguments],
                    folder=machine.ROOT,
                    log=folder / f"{name}.log",
                    environ=machine.AWS,
                )
            )
            for name, (program, *arguments) in COMMANDS.items()
        }


@pytest.mark.parametrize("name", COMMANDS)
def test_linters_and_scanners_report_nothing(ends: Ends, folder: Path, name: str) -> None:
    code, printed = ends[name]()
    assert code == 0, printed + (folder / f"{name}.log").read_text()
