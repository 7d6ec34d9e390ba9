"""Fuzzes the handler with events, guided by coverage: `python tests/attack/fuzz.py FOLDER`.

The fuzzer stores useful requests in FOLDER; more arguments are passed to libFuzzer. The fuzzer
stops at the first request that fails, and stores the request in the working folder.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "functions"), str(ROOT / "tools")]
os.environ["POWERTOOLS_METRICS_DISABLED"] = "true"

with atheris.instrument_imports(include=["blur.api", "blur.accounts.keys", "multipart"]):
    import blur.api.blur_request
    import blur.api.jobs
    import blur.api.removebg.routes
    import blur.api.router
    import blur.api.upload  # noqa: F401 - instrumented when it is imported

from tests.attack.raw_events import attacked, event_of  # noqa: E402
from tests.attack.target import Target  # noqa: E402 - imports below are not instrumented


def main() -> None:
    """Fuzz until a limit in libFuzzer's arguments is reached."""
    with TemporaryDirectory() as folder:
        target = Target(Path(folder), ROOT / "build" / "models")
        target(event_of(b"GET /health\n\n"))
        atheris.Setup(sys.argv, lambda written: attacked(target, event_of(written)) and None)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
