"""Linters for AWS check the template and the Dockerfile."""

from __future__ import annotations

import os
import subprocess

import pytest
from tests.e2e import machine

BIN = machine.ROOT / ".venv-sam" / "bin"
CHECKOV = ["checkov", "--quiet", "--compact", "--skip-download"]


@pytest.mark.parametrize(
    "command",
    [
        ["sam", "validate", "--lint"],
        ["cfn-lint", "template.yaml"],
        [*CHECKOV, "--framework", "cloudformation", "--file", "template.yaml"],
        [*CHECKOV, "--framework", "dockerfile", "--file", "functions/blur/Dockerfile"],
    ],
    ids=["sam validate", "cfn-lint", "checkov of the template", "checkov of the Dockerfile"],
)
def test_linters_and_scanners_report_nothing(command: list[str]) -> None:
    ran = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=machine.ROOT,
        env={**os.environ, **machine.AWS},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
