"""Measure the speed of blurring, compared with a naive service and with the neural network alone.

    make bench                                        # everything
    .venv/bin/python benchmarks/speed.py Handler      # one section

Times are medians. Ratios are medians over the rounds of paired runs.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import report
from growth import growth
from handling import overhead_ms
from kept_alive import kept_alive
from ours import DEFAULT, NO_LIMIT, THREADS, blurring, opened, opened_people
from paired import milliseconds, paired, ratio
from starting import starts
from subjects import MODELS, Naive, photo

from blur.imaging.blur_options import STEPS, BlurOptions
from blur.imaging.matting.models import MODELS as SPECS
from blur.imaging.matting.session import Model, to_tensor
from blur.imaging.pipeline import blur_photo

ROUNDS = 7
SIZES = ((4000, 3000), (1920, 1080), (600, 399))
TARGETS = {4000: (6.0, 2.0), 1920: (2.2, 1.35), 600: (None, 1.12)}
"""The targets for each width: the minimum speed, as a multiple of the naive service's speed, and
the maximum time, as a multiple of one run of u2netp."""


def bare(session: Any) -> Callable[[], object]:  # noqa: ANN401 - onnxruntime has no types
    """Return a function that runs the network once, on a prepared tensor."""
    spec = SPECS["u2netp"]
    pixels = np.random.default_rng(0).integers(0, 256, (320, 320, 3), np.uint8)
    feed = {session.get_inputs()[0].name: to_tensor(pixels, spec)}
    name = session.get_outputs()[0].name
    return lambda: session.run([name], feed)


def network(name: str) -> Any:  # noqa: ANN401 - onnxruntime has no types
    """Return a session of ONNX Runtime for the network of this name."""
    import onnxruntime as ort  # noqa: PLC0415 - only this function uses this import

    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    path = str(MODELS / SPECS[name].file)
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def against_peers(model: Model) -> str:
    """Return the table that compares the service with the naive service and the networks alone."""
    naive, session, light, rows = Naive.open(), network("u2netp"), network(DEFAULT), []
    for width, height in SIZES:
        data = photo(width, height)
        times = paired(
            ROUNDS,
            naive=partial(naive, data, 10),
            bare=bare(session),
            light=bare(light),
            ours=blurring(model, data),
        )
        faster, floors = TARGETS[width]
        rows.append(
            (
                f"{width} x {height}",
                *(milliseconds(times[name]) for name in ("naive", "bare", "light", "ours")),
                f"{ratio(times['naive'], times['ours']):.1f} x",
                f"{faster} x" if faster else "",
                f"{ratio(times['ours'], times['bare']):.2f}",
                floors,
            )
        )
    head = ("JPEG", "naive, ms", "u2netp alone", f"{DEFAULT} alone", "here")
    more = ("naive : here", "target", "here : u2netp alone", "at most")
    return report.table((*head, *more), rows)


def noting(durations: list[tuple[str, float]]) -> Callable[[str], None]:
    """Return a callback that appends the name and the start time of each step to `durations`."""
    return lambda name: durations.append((name, time.perf_counter()))


def by_step(model: Model) -> str:
    """Return the table of the time of each step."""
    rows = []
    for width, height in SIZES:
        data, laps = photo(width, height), []
        for _ in range(ROUNDS):
            durations: list[tuple[str, float]] = []
            blur_photo(
                data,
                BlurOptions(radius_px=10),
                model=model,
                people=opened_people(),
                max_pixels=NO_LIMIT,
                on_step=noting(durations),
            )
            ends = [*(started for _, started in durations[1:]), time.perf_counter()]
            laps.append([end - started for (_, started), end in zip(durations, ends, strict=True)])
        medians = (statistics.median(column) for column in zip(*laps, strict=True))
        rows.append((f"{width} x {height}", *(f"{1000 * lap:.0f}" for lap in medians)))
    return report.table(("JPEG, ms", *STEPS), rows)


def by_kernel(model: Model) -> str:
    """Compare radii and kernels at 12 megapixels."""
    data = photo(4000, 3000)
    times = paired(
        ROUNDS,
        ten=blurring(model, data),
        five=blurring(model, data, 5),
        fifty=blurring(model, data, 50),
        percent=blurring(model, data, 200),
        bokeh=blurring(model, data, 10, "bokeh"),
        wide=blurring(model, data, 50, "bokeh"),
    )
    rows = [
        ("gaussian 50 : gaussian 5", f"{ratio(times['fifty'], times['five']):.2f}", "0.90 to 1.10"),
        (
            "gaussian 5% : gaussian 50",
            f"{ratio(times['percent'], times['fifty']):.2f}",
            "at most 1.1",
        ),
        ("bokeh 10 : gaussian 10", f"{ratio(times['bokeh'], times['ten']):.2f}", "at most 2"),
        ("bokeh 50 : gaussian 50", f"{ratio(times['wide'], times['fifty']):.2f}", "at most 2"),
    ]
    return report.table(("4000 x 3000", "ratio of the times", "target"), rows)


def around(model: Model) -> str:
    """Measure the time that the handler adds to the pipeline, for Lambda's largest request."""
    rows = [("4.4 MB in, PNG out", f"{overhead_ms(model, ROUNDS):.0f}", "at most 40")]
    return report.table(("time that the handler adds", "ms", "target"), rows)


def over_http(model: Model) -> str:
    """Compare kept-alive connections with new connections."""
    del model  # the server loads the model itself
    return kept_alive(ROUNDS)


def cold(model: Model) -> str:
    """Compare the start times of new processes; `cold_start.py` measures those of containers."""
    del model  # each process loads the model itself
    return starts(ROUNDS)


def main() -> None:
    """Measure everything and store the results."""
    model = opened()
    titles = sys.argv[1:] or list(PARTS)
    for title in titles:
        report.publish(title, PARTS[title](model))


PARTS: dict[str, Callable[[Model], str]] = {
    "Speed against peers": against_peers,
    "Speed by step": by_step,
    "Speed by kernel": by_kernel,
    "Handler": around,
    "Kept-alive requests": over_http,
    "Cold start": cold,
    "Growth": growth,
}
"""For each section's title, the function that measures the section. By default, a section measures
radius 10, PNG and 2 threads."""


if __name__ == "__main__":
    main()
