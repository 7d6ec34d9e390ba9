"""Format the outcomes as text for people and as JSON for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bgblur.blurring.backends import BlurredFile, Failure
from bgblur.blurring.batch import INTERRUPTED, NOT_STARTED, Skipped
from bgblur.blurring.paths import STDIO

if TYPE_CHECKING:
    from pathlib import Path

    from bgblur.blurring.batch import TaskOutcome

KILO = 1000
"""File sizes use powers of ten."""


def row(outcome: TaskOutcome) -> dict[str, Any]:
    """Return the JSON object of one photo."""
    task, result = outcome.task, outcome.result
    named = {"source": _name(task.source), "target": _name(task.target)}
    if isinstance(result, Failure):
        return {**named, "error": {"code": result.code, "message": result.message, **result.more}}
    if isinstance(result, Skipped):
        return {**named, "skipped": "exists"}
    seconds = round(outcome.seconds, 3)
    size = {"bytes": len(result.data), "content_type": result.content_type}
    return {**named, **size, "seconds": seconds, **result.call}


def document(outcomes: Sequence[TaskOutcome]) -> dict[str, Any]:
    """Return the JSON document that `--json` prints."""

    def count(kind: type) -> int:
        return sum(isinstance(outcome.result, kind) for outcome in outcomes)

    return {
        "blurred": count(BlurredFile),
        "skipped": count(Skipped),
        "failed": count(Failure),
        "files": [row(outcome) for outcome in outcomes],
    }


def line(outcome: TaskOutcome) -> str:
    """Return one line about one photo."""
    task, result = outcome.task, outcome.result
    if isinstance(result, Failure):
        return f"{task.name}: {result.message} [{result.code}]"
    if isinstance(result, Skipped):
        return f"{task.name}: skipped, {task.target} exists (--overwrite replaces it)"
    target = task.target or "standard output"
    details = f"{format_size(len(result.data))}, {outcome.seconds:.1f} s"
    return f"{task.name} -> {target} ({details})"


def summary(outcomes: Sequence[TaskOutcome], seconds: float) -> str:
    """Return one line with the number of photos for each outcome."""
    results = [outcome.result for outcome in outcomes]
    blurred = [result for result in results if isinstance(result, BlurredFile)]
    not_started = sum(result is NOT_STARTED for result in results)
    interrupted = sum(result is INTERRUPTED for result in results)
    failed = sum(isinstance(result, Failure) for result in results) - not_started - interrupted
    skipped = sum(isinstance(result, Skipped) for result in results)
    parts = [f"{len(blurred)} blurred in {seconds:.1f} s"]
    parts += [f"{skipped} skipped"] if skipped else []
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{interrupted} interrupted"] if interrupted else []
    parts += [f"{not_started} not started"] if not_started else []
    charged = [result.call["credits_charged"] for result in blurred if result.call]
    unwritten = [result.more for result in results if isinstance(result, Failure)]
    charged += [more["credits_charged"] for more in unwritten if "credits_charged" in more]
    if charged:
        parts.append(f"{count_of(sum(each or 0 for each in charged), 'credit')} charged")
    if unconfirmed := charged.count(None):
        parts.append(f"{count_of(unconfirmed, 'charge')} not confirmed")
    left = [result.call["credits_left"] for result in blurred if result.call.get("credits_left")]
    if left:
        parts.append(f"{_number(min(left))} left")
    return ", ".join(parts)


def count_of(number: float, noun: str) -> str:
    """Return a number with its noun, such as `2 credits`."""
    return f"{_number(number)} {noun}{'' if number == 1 else 's'}"


def format_size(count: float) -> str:
    """Return a number of bytes with a unit."""
    for unit in ("bytes", "kB", "MB"):
        if count < KILO - 0.5:  # larger numbers are rounded to 1000
            return f"{count:.3g} {unit}"
        count /= KILO
    return f"{count:.3g} GB"


def _number(number: float) -> str:
    """Return the number as text, with decimals only if it is not whole."""
    return f"{number:.15g}"


def _name(path: Path | None) -> str:
    return STDIO if path is None else str(path)
