"""Processes that import and run the imaging code: their threads, files and forks."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.documents import ROOT

from blur.imaging.strips import STRIP_PX, for_each_strip, set_thread_count, thread_count

if TYPE_CHECKING:
    from pathlib import Path

THREE_STRIPS = (3, STRIP_PX)


def test_onnx_runtime_writes_no_device_id_into_the_home_folder(
    model_dir: Path, tmp_path: Path
) -> None:
    # ONNX Runtime sends no telemetry if variables such as CI show that this is a test run.
    hidden = ("CI", "ORT_", "PYTEST", "XDG_", "GITHUB_", "TF_BUILD")
    environ = {name: text for name, text in os.environ.items() if not name.startswith(hidden)}
    code = "import sys; from pathlib import Path; from blur.imaging.matting.session import *; "
    code += "from blur.imaging.matting.models import MODELS; "
    code += "open_model(MODELS['u2netp'], Path(sys.argv[1]), threads=1)"
    subprocess.run(
        [sys.executable, "-c", code, str(model_dir)],
        check=True,
        env={**environ, "HOME": str(tmp_path), "PYTHONPATH": "functions"},
        cwd=ROOT,
    )
    assert list(tmp_path.iterdir()) == []


def test_the_import_of_the_pipelines_starts_no_thread() -> None:
    pipelines = "import blur.imaging.pipeline, blur.imaging.removal.remove, onnxruntime"
    program = f"{pipelines}\nimport psutil; print(psutil.Process().num_threads())"
    environment = {name: text for name, text in os.environ.items() if "THREADS" not in name}
    command = [sys.executable, "-c", program]
    assert subprocess.check_output(command, env=environment, text=True) == "1\n"


@pytest.mark.filterwarnings(
    "ignore:This process:DeprecationWarning"
)  # Python warns about a fork in a process with threads
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_every_strip_is_processed_in_a_forked_process(threads: int) -> None:
    before = thread_count()
    set_thread_count(threads)
    for_each_strip(THREE_STRIPS, lambda _: None)
    if (pid := os.fork()) == 0:
        rows: list[int] = []
        for_each_strip(THREE_STRIPS, lambda part: rows.append(part.start))
        os._exit(0 if sorted(rows) == [0, 1, 2] else 1)
    set_thread_count(before)
    assert os.waitpid(pid, 0)[1] == 0
