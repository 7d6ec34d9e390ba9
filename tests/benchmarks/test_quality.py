"""`make bench-quality` runs to its end with a small folder of photos."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from tests.documents import ROOT
from tests.unit.imaging.pictures import astronaut

if TYPE_CHECKING:
    from pathlib import Path

FOLDERS = ("ecssd/images", "ecssd/masks", "matting", "people/images", "people/masks", "photos")
TITLES = (
    "Quality of the matte",
    "Quality on people",
    "Time on people",
    "Type of the subject",
    "Quality of the blur",
    "Subjects",
)
SIDE_PX = 96
PROGRAM = """
import runpy
import report
report.store = lambda section: None  # otherwise `make results` would write it to BASELINE.md
runpy.run_path("benchmarks/quality.py", run_name="__main__")
"""


def fill(folder: Path) -> None:
    """Write one portrait, with a mask that covers its middle, into each folder."""
    photo = Image.fromarray(astronaut(SIDE_PX, SIDE_PX))
    mask = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    mask[20:, 30:70], mask[20:, 28:30] = 255, 128
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name in ("ecssd/images", "matting", "people/images", "photos"):
        photo.save(folder / name / "1.jpg", quality=95)
    for name in ("ecssd/masks", "matting", "people/masks"):
        Image.fromarray(mask).save(folder / name / "1.png")


def test_each_part_of_the_quality_benchmark_prints_a_table(tmp_path: Path) -> None:
    fill(tmp_path)
    paths = [str(ROOT / part) for part in (".", "functions", "tools", "benchmarks")]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    titles = [line for line in done.stdout.splitlines() if line.startswith("## ")]
    assert titles == [f"## {title}" for title in TITLES]
