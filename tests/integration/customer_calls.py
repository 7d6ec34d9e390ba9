"""Functions for a customer of a running server: get a key, send photos and read the balance."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path

import numpy as np
import requests
from PIL import Image
from skimage import data
from tests.faults.processes import workers
from tests.faults.until import WAIT_S
from tests.integration.running import BGBLUR, ServerProcess, environment


def jpeg(width_px: int, height_px: int) -> bytes:
    portrait = Image.fromarray(np.asarray(data.astronaut()))
    buffer = io.BytesIO()
    portrait.resize((width_px, height_px)).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def post(server: ServerProcess, key: str, photo: bytes) -> requests.Response:
    return requests.post(
        server.blur_url,
        headers={"ApiKey": key},
        files={"image": photo},
        data={"radius": 12},
        timeout=WAIT_S,
    )


def funded(folder: Path, model_dir: Path, balance: int) -> str:
    command = [*BGBLUR, "keys", "issue", "--credits", str(balance), "--json"]
    env = environment(folder, model_dir, BLUR_RATE_PER_MINUTE="60000", BLUR_RATE_BURST="10000")
    done = subprocess.run(command, env=env, capture_output=True, check=True)
    key: str = json.loads(done.stdout)["key"]
    return key


def balance(server: ServerProcess, key: str) -> tuple[int, int]:
    headers = {"ApiKey": key}
    account = requests.get(f"{server.url}/v2/account", headers=headers, timeout=10).json()
    return account["balance"], account["held"]


def children(server: ServerProcess) -> set[int]:
    """Return the ids of the server's workers for photos."""
    return set(workers(server.process.pid))
