"""What came of it, for people and for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bgblur.blurring.crew import NOT_BEGUN
from bgblur.blurring.engines import Failure, Made
from bgblur.blurring.paths import STANDARD

if TYPE_CHECKING:
    from pathlib import Path

    from bgblur.blurring.crew import Outcome

KILO = 1000
"""File sizes are told in powers of ten, as disks and cameras do."""


def row(outcome: Outcome) -> dict[str, Any]:
    """Return what `--json` says about one photo."""
    task, result = outcome.task, outcome.result
    named = {"source": _name(task.source), "target": _name(task.target)}
    if isinstance(result, Failure):
        return {**named, "error": {"code": result.code, "message": result.message, **result.more}}
    seconds = round(outcome.seconds, 3)
    size = {"bytes": len(result.data), "content_type": result.content_type}
    return {**named, **size, "seconds": seconds, **result.call}


def document(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return all that `--json` says."""
    blurred = sum(isinstance(outcome.result, Made) for outcome in outcomes)
    return {
        "blurred": blurred,
        "failed": len(outcomes) - blurred,
        "files": [row(outcome) for outcome in outcomes],
    }


def line(outcome: Outcome) -> str:
    """Return one line about one photo."""
    result = outcome.result
    if isinstance(result, Failure):
        return f"{outcome.task.name}: {result.message} [{result.code}]"
    target = outcome.task.target or "standard output"
    took = f"{size(len(result.data))}, {outcome.seconds:.1f} s"
    return f"{outcome.task.name} -> {target} ({took})"


def summary(outcomes: Sequence[Outcome], seconds: float) -> str:
    """Return one line about all of them."""
    all_made = [outcome.result for outcome in outcomes if isinstance(outcome.result, Made)]
    not_begun = sum(outcome.result is NOT_BEGUN for outcome in outcomes)
    failed = len(outcomes) - len(all_made) - not_begun
    parts = [f"{len(all_made)} blurred in {seconds:.1f} s"]
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{not_begun} not begun"] if not_begun else []
    charged = [made.call["credits_charged"] or 0 for made in all_made if made.call]
    if charged:
        parts.append(f"{sum(charged)} credits charged")
    left = [made.call["credits_left"] for made in all_made if made.call.get("credits_left")]
    if left:
        parts.append(f"{min(left)} left")
    return ", ".join(parts)


def size(count: float) -> str:
    """Return a number of bytes as people read it."""
    for unit in ("bytes", "kB", "MB"):
        if count < KILO:
            return f"{count:.3g} {unit}"
        count /= KILO
    return f"{count:.3g} GB"


def _name(path: Path | None) -> str:
    return STANDARD if path is None else str(path)
