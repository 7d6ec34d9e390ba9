"""The operator's commands load only the packages that they use."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "package", ["aws_lambda_powertools", "botocore", "cv2", "numpy", "onnxruntime"]
)
def test_commands_start_without_packages_that_only_the_api_uses(package: str) -> None:
    program = f"import sys, bgblur.cli; sys.exit({package!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
