"""The load script, a moment of it: users who send photos to a real server."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from skimage import data
from tests.documents import ROOT
from tests.integration.media.conftest import issue
from tests.integration.running import environment, running

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCRIPT = ROOT / "benchmarks" / "locustfile.py"


def test_locust_counts_answers_by_their_status(tmp_path: Path, model_dir: Path) -> None:
    photo = tmp_path / "photo.jpg"
    portrait: NDArray[Any] = data.astronaut()  # type: ignore[no-untyped-call]
    Image.fromarray(portrait).save(photo)
    env = environment(tmp_path, model_dir)
    with running(tmp_path, env, "--queue", "0") as server:
        options = ["--headless", "--only-summary", "--host", server.url, "--csv", "load"]
        options += ["--users", "3", "--spawn-rate", "3", "--run-time", "6s", "--stop-timeout", "60"]
        subprocess.run(
            [sys.executable, "-m", "locust", "-f", str(SCRIPT), *options],
            cwd=tmp_path,
            env={**os.environ, "BLUR_KEY": issue(env), "BLUR_PHOTO": str(photo)},
            check=True,
            capture_output=True,
        )
    lines = csv.DictReader(io.StringIO((tmp_path / "load_stats.csv").read_text()))
    counts = {line["Name"]: int(line["Request Count"]) for line in lines}
    assert counts["200"] >= 1
    assert counts["503"] >= 1
    assert counts["Aggregated"] == counts["200"] + counts["503"]
