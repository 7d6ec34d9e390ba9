"""Measure a cold start from the start of the process, not of its container, to the first result.

`python benchmarks/starting.py ours|naive FOLDER` prints two times in seconds, both from the start
of the process: until the service is ready for a photo, and until it has computed the first result.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from subjects import MODELS, Naive, photo

if TYPE_CHECKING:
    from collections.abc import Callable

WIDTH, HEIGHT = 1920, 1080


class Start(NamedTuple):
    """The times of one new process, in seconds since its start."""

    ready_s: float
    answered_s: float


def starts(rounds: int) -> str:
    """Return the table that compares cold starts.

    Processes of the naive service and of this service alternate, after one round that fills the
    disk cache.
    """
    from paired import ratio  # noqa: PLC0415 - measured processes do not use this import
    from report import table  # noqa: PLC0415 - measured processes do not use this import

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _prepare(folder)
        pairs = [(_started("naive", folder), _started("ours", folder)) for _ in range(rounds + 1)]
    rows = []
    for title, part in (("ready", 0), (f"first {WIDTH} x {HEIGHT} photo blurred", 1)):
        naive, ours = ([pair[who][part] for pair in pairs[1:]] for who in (0, 1))
        medians = (f"{statistics.median(each):.2f}" for each in (naive, ours))
        rows.append((title, *medians, f"{ratio(naive, ours):.1f} x"))
    return table(("new process, s", "naive", "here", "naive : here"), rows)


def _prepare(folder: Path) -> None:
    """Write the photo, an event with the photo, and an account with credits into the folder."""
    from events import make  # noqa: PLC0415 - measured processes do not use this import
    from handling import fund  # noqa: PLC0415 - measured processes do not use this import

    data = photo(WIDTH, HEIGHT)
    (folder / "photo.jpg").write_bytes(data)
    (folder / "event.json").write_text(json.dumps(make.blur(image=data)))
    fund(folder / "accounts.db")


def _started(who: str, folder: Path) -> Start:
    command = [sys.executable, __file__, who, str(folder)]
    words = subprocess.check_output(command, text=True).split()  # noqa: S603 - runs this file
    return Start(float(words[-2]), float(words[-1]))


def main(who: str, folder: Path) -> None:
    """Load a service, let it blur one photo, and print the times; `who` is `naive` or `ours`."""
    answer = {"naive": _naive, "ours": _ours}[who](folder)
    ready_s = _alive_s()
    answer()
    print(ready_s, _alive_s())


def _alive_s() -> float:
    """Return the age of this process in seconds, from field 22 of /proc/self/stat (proc(5))."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def _naive(folder: Path) -> Callable[[], object]:
    naive = Naive.open()
    return lambda: naive((folder / "photo.jpg").read_bytes(), 10)


def _ours(folder: Path) -> Callable[[], object]:
    """Build the whole handler, as on Lambda; return a function that handles the event."""
    from bgblur.serving.proxy_events import InvocationContext  # noqa: PLC0415 - the naive service does not use this import
    from blur.app import build_app  # noqa: PLC0415 - the naive service does not use this import
    from blur.settings import Settings  # noqa: PLC0415 - the naive service does not use this import

    handler = build_app(Settings(accounts=f"sqlite:{folder / 'accounts.db'}", model_dir=MODELS))
    event = json.loads((folder / "event.json").read_text())
    return lambda: _answered(handler(event, InvocationContext()))


def _answered(answer: dict[str, Any]) -> None:
    if answer["statusCode"] != HTTPStatus.OK:
        raise RuntimeError(answer["body"])


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
