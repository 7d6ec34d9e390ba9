"""The operator's commands load only the packages that they use."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bgblur.cli import COMMANDS

API_PACKAGES = ["aws_lambda_powertools", "botocore", "cv2", "numpy", "onnxruntime"]


def loads(package: str, imports: str) -> bool:
    """Return whether a process that runs these imports loads the package."""
    program = f"import sys; {imports}; print({package!r} in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    return run.stdout.strip() == b"True"


@pytest.mark.parametrize("package", API_PACKAGES)
def test_commands_start_without_packages_that_only_the_api_uses(package: str) -> None:
    assert not loads(package, f"import {', '.join(COMMANDS.values())}")


@pytest.mark.parametrize("package", ["asyncio", "requests", "rich", *COMMANDS.values()])
def test_a_command_starts_without_the_modules_of_other_commands(package: str) -> None:
    assert not loads(package, "import bgblur.cli")
    assert loads(package, f"import {package}")
