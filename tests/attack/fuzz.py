"""Fuzzes the handler with events, guided by coverage: `python tests/attack/fuzz.py FOLDER`.

The fuzzer stores requests that reach new code in FOLDER, and passes all further arguments to
libFuzzer. At the first request that fails, it stores the request in the current folder and stops.
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
    import blur.api.upload  # noqa: F401 - the import instruments the module

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
