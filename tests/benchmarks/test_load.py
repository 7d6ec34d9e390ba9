"""A short run of the load script: users who send photos to a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from PIL import Image
from skimage import data
from tests.documents import ROOT
from tests.integration.running import environment, running
from tests.integration.storage.conftest import issue

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCRIPT = ROOT / "benchmarks" / "locustfile.py"


def test_locust_counts_exactly_the_photos_that_were_charged(
    tmp_path: Path, model_dir: Path
) -> None:
    photo = tmp_path / "photo.jpg"
    portrait: NDArray[Any] = data.astronaut()
    Image.fromarray(portrait).save(photo)
    env = environment(tmp_path, model_dir)
    with running(tmp_path, env, "--queue", "0") as server:
        key = issue(env)
        before = requests.get(f"{server.url}/v2/account", headers={"ApiKey": key}, timeout=10)
        options = ["--headless", "--only-summary", "--host", server.url, "--json-file", "load"]
        options += ["--users", "3", "--spawn-rate", "3", "--run-time", "6s", "--stop-timeout", "60"]
        subprocess.run(
            [sys.executable, "-m", "locust", "-f", str(SCRIPT), *options],
            cwd=tmp_path,
            env={**os.environ, "BLUR_KEY": key, "BLUR_PHOTO": str(photo)},
            check=True,
            capture_output=True,
        )
        left = requests.get(f"{server.url}/v2/account", headers={"ApiKey": key}, timeout=10)
    entries = json.loads((tmp_path / "load.json").read_text())
    counts = {entry["name"]: entry["num_requests"] for entry in entries}
    assert set(counts) == {"200", "503"}
    assert min(counts.values()) >= 1
    assert before.json()["balance"] - left.json()["balance"] == counts["200"]
    assert left.json()["held"] == 0
