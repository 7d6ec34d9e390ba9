"""Count how often a neural network alone runs on one core in a given time."""

from __future__ import annotations

import time

import numpy as np
import onnxruntime as ort
from subjects import MODELS

from blur.imaging.matting.models import MODELS as SPECS
from blur.imaging.matting.session import to_tensor


def runs_in(model: str, started: float, seconds: float, _: int = 0) -> int:
    """Return how many times the network runs in `seconds` seconds.

    The first counted run begins at `started`, a Unix time in seconds.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    path = str(MODELS / SPECS[model].file)
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    pixels = np.random.default_rng(0).integers(0, 256, (320, 320, 3), np.uint8)
    feed = {session.get_inputs()[0].name: to_tensor(pixels, SPECS[model])}
    output = [session.get_outputs()[0].name]
    session.run(output, feed)
    time.sleep(max(0.0, started - time.time()))
    runs = 0
    while time.time() < started + seconds:
        session.run(output, feed)
        runs += 1
    return runs
