"""The operator's commands load only the packages that they use."""

from __future__ import annotations

import subprocess
import sys
from functools import cache

import pytest

from bgblur.cli import COMMANDS

API_PACKAGES = ["aws_lambda_powertools", "botocore", "cv2", "numpy", "onnxruntime"]


@cache
def modules_after(imports: str) -> set[str]:
    """Return the names of all modules in a new process that runs these imports."""
    program = f"{imports}; import sys; print(*sys.modules)"
    return set(subprocess.check_output([sys.executable, "-c", program], text=True).split())


@pytest.mark.parametrize("package", API_PACKAGES)
def test_commands_start_without_packages_that_only_the_api_uses(package: str) -> None:
    assert package not in modules_after(f"import {', '.join(COMMANDS.values())}")


@pytest.mark.parametrize("package", ["asyncio", "requests", "rich", *COMMANDS.values()])
def test_the_command_line_starts_without_large_packages_and_without_the_modules_of_its_commands(
    package: str,
) -> None:
    assert package not in modules_after("import bgblur.cli")
    assert package in modules_after(f"import {package}")
