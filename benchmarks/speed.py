"""How fast a photo is blurred: against the naive service and against the network alone.

    make bench                                        # everything
    .venv/bin/python benchmarks/speed.py Handler      # one section

Runs are paired: each round measures everything once, and ratios are medians over rounds, so
that a machine that slows down slows down both sides.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import report
from subjects import MODELS, Naive, photo

from blur.imaging.models import MODELS as SPECS
from blur.imaging.pipeline import STEPS, blur_photo
from blur.imaging.recipe import Recipe
from blur.imaging.session import Model, open_model, to_tensor
from blur.imaging.strips import use_threads
from blur.settings import Settings

THREADS = 2
ROUNDS = 7
NO_LIMIT = 10**9
DEFAULT = Settings().model
SIZES = ((4000, 3000), (1920, 1080), (600, 399))
TARGETS = {4000: (6.0, 2.0), 1920: (2.2, 1.35), 600: (None, 1.12)}
"""By width: at least so many times as fast as naive, at most so many bare runs."""
GROWTH = ((3264, 2448), (4000, 3000), (5656, 4242), (8000, 6000))


def seconds(work: Callable[[], object]) -> float:
    """Return how long one call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def paired(rounds: int, **works: Callable[[], object]) -> dict[str, list[float]]:
    """Measure all in turn, after one round that does not count."""
    for work in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(seconds(work))
    return times


def ratio(above: list[float], below: list[float]) -> float:
    """Return the median of the rounds' ratios."""
    return statistics.median(one / other for one, other in zip(above, below, strict=True))


def milliseconds(times: list[float]) -> str:
    """Write the median."""
    return f"{1000 * statistics.median(times):.0f}"


def blurring(model: Model, data: bytes, radius_px: int = 10, kernel: str = "gaussian") -> Any:  # noqa: ANN401 - a call without arguments
    """Return what blurs a photo once."""
    recipe = Recipe(radius_px=radius_px, kernel=kernel)
    return lambda: blur_photo(data, recipe, model=model, max_pixels=NO_LIMIT)


def bare(session: Any) -> Callable[[], object]:  # noqa: ANN401 - onnxruntime has no types
    """Return one run of the float network on a tensor that is ready."""
    spec = SPECS["u2netp"]
    pixels = np.random.default_rng(0).integers(0, 256, (320, 320, 3), np.uint8)
    feed = {session.get_inputs()[0].name: to_tensor(pixels, spec)}
    name = session.get_outputs()[0].name
    return lambda: session.run([name], feed)


def opened(name: str) -> Any:  # noqa: ANN401 - onnxruntime has no types
    """Open a network: u2netp as it is published is the floor that everything is compared with."""
    import onnxruntime as ort  # noqa: PLC0415 - the only place that needs it

    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    path = str(MODELS / SPECS[name].file)
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def against_peers(model: Model) -> str:
    """Compare with the naive service and with the network alone."""
    naive, session, light, rows = Naive.open(), opened("u2netp"), opened(DEFAULT), []
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
    return report.table((*head, "faster than naive", "target", "of u2netp's time", "at most"), rows)


def noting(told: list[tuple[str, float]]) -> Callable[[str], None]:
    """Return what notes each step and when it begins."""
    return lambda name: told.append((name, time.perf_counter()))


def by_step(model: Model) -> str:
    """Tell where the time goes."""
    rows = []
    for width, height in SIZES:
        data, laps = photo(width, height), []
        for _ in range(ROUNDS):
            told: list[tuple[str, float]] = []
            blur_photo(
                data,
                Recipe(radius_px=10),
                model=model,
                max_pixels=NO_LIMIT,
                on_step=noting(told),
            )
            ends = [*(begun for _, begun in told[1:]), time.perf_counter()]
            laps.append([end - begun for (_, begun), end in zip(told, ends, strict=True)])
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
        bokeh=blurring(model, data, 10, "bokeh"),
        wide=blurring(model, data, 50, "bokeh"),
    )
    rows = [
        ("gaussian 50 : gaussian 5", f"{ratio(times['fifty'], times['five']):.2f}", "0.90 to 1.10"),
        ("bokeh 10 : gaussian 10", f"{ratio(times['bokeh'], times['ten']):.2f}", "at most 2"),
        ("bokeh 50 : gaussian 50", f"{ratio(times['wide'], times['fifty']):.2f}", "at most 2"),
    ]
    return report.table(("4000 x 3000", "ratio", "target"), rows)


def around(model: Model) -> str:
    """Measure what the handler adds to the pipeline at the largest request that Lambda takes."""
    from handling import overhead_ms  # noqa: PLC0415 - it builds accounts and a handler

    rows = [("4.4 MB in, PNG out", f"{overhead_ms(model, ROUNDS):.0f}", "at most 40")]
    return report.table(("handler around the pipeline", "ms", "target"), rows)


def peak_mib(script: str, *arguments: object) -> float:
    """Run a script in a process of its own and return the most memory it held."""
    command = [sys.executable, str(Path(__file__).with_name(script)), *map(str, arguments)]
    return float(subprocess.check_output(command, text=True).split()[-1])  # noqa: S603 - our own


def growth(model: Model) -> str:
    """Tell how time and memory grow with the photo."""
    rows, first = [], None
    for width, height in GROWTH:
        data, pixels = photo(width, height), width * height
        took = statistics.median(seconds(blurring(model, data)) for _ in range(5))
        first = first or took / pixels
        rows.append(
            (
                f"{pixels / 1e6:.0f} MP",
                f"{1000 * took:.0f}",
                f"{took / pixels / first:.2f}",
                f"{peak_mib('peak.py', 'ours', width, height):.0f}",
                f"{peak_mib('peak.py', 'naive', width, height):.0f}" if pixels < 2e7 else "",  # noqa: PLR2004
            )
        )
    head = ("photo", "ms", "time per pixel, first = 1", "peak RSS here, MiB", "naive, MiB")
    return report.table(head, rows)


def main() -> None:
    """Measure everything and write the baseline."""
    use_threads(THREADS)
    model = open_model(SPECS[DEFAULT], MODELS, threads=THREADS)
    wanted = sys.argv[1:] or list(PARTS)
    for title in wanted:
        report.publish(title, PARTS[title](model))


PARTS: dict[str, Callable[[Model], str]] = {
    "Speed against peers": against_peers,
    "Speed by step": by_step,
    "Speed by kernel": by_kernel,
    "Handler": around,
    "Growth": growth,
}
"""By the title of a section, what measures it: radius 10, PNG out, 2 threads."""


if __name__ == "__main__":
    main()
