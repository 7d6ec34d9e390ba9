"""Writes the results of trials and benchmarks into the documents that show them.

Trials and benchmarks write their measurements into build/results, one JSON file for each. This
script moves the measurements into docs/reliability.json and benchmarks/baseline.json, and renders
docs/reliability.md and benchmarks/BASELINE.md from these two files.

make results
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import ClassVar, TypeVar

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "build" / "results"
TRIALS = ROOT / "docs" / "reliability.json"
RELIABILITY = ROOT / "docs" / "reliability.md"
MEASUREMENTS = ROOT / "benchmarks" / "baseline.json"
BASELINE = ROOT / "benchmarks" / "BASELINE.md"

PARTS = ("Bad input", "Load and soak", "Faults", "Security")
"""The headings of reliability.md, each with one table."""
RELIABILITY_HEAD = """# Reliability

This page has the results of fault, load and attack tests. `make reliability` runs the trials of
`tests/attack` and `tests/faults` at a small size; CI does this for every change. `make reliability
TRIALS=full` runs the trials at full size and writes the rows of the tables below. `TRIALS=full make
e2e` runs the trials of `tests/e2e`, and `make results` then writes their rows.
"""
BASELINE_HEAD = """# Baseline

This page has the results of the last run of each benchmark; each run was on one machine. A ratio of
times is the median of several rounds; in each round, the compared programs run one after the other.
So compare ratios, not milliseconds, which depend on the machine and on its other programs.

"Here" is this project. The naive service has a dozen lines: rembg finds the mask, and Pillow does
all other steps.
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """One row of reliability.md; `by` is the path of the test that ran the trial."""

    FOLDER: ClassVar = "trials"
    part: str
    tried: str
    amount: str
    happened: str
    by: str

    @property
    def name(self) -> str:
        """The name of the trial, which no other trial has."""
        return self.tried


@dataclass(frozen=True, slots=True)
class Measurement:
    """One section of BASELINE.md."""

    FOLDER: ClassVar = "measurements"
    title: str
    machine: str
    body: str

    @property
    def name(self) -> str:
        """The unique name of the measurement."""
        return self.title


Result = TypeVar("Result", Trial, Measurement)


def store(result: Trial | Measurement, folder: Path = RESULTS) -> Path:
    """Write a result into `folder`; replace an earlier result with the same name."""
    file_name = hashlib.sha256(result.name.encode()).hexdigest()[:16]
    path = folder / result.FOLDER / f"{file_name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_json(asdict(result)), "utf-8")
    return path


def stored(kind: type[Result], folder: Path = RESULTS) -> list[Result]:
    """Return all results of the type `kind` that `store` has written."""
    return [
        kind(**json.loads(path.read_text("utf-8")))
        for path in sorted((folder / kind.FOLDER).glob("*.json"))
    ]


def published(kind: type[Result], path: Path) -> list[Result]:
    """Read the results that a document shows."""
    return [kind(**row) for row in json.loads(path.read_text("utf-8"))]


def merged(known: Iterable[Result], new: Iterable[Result]) -> list[Result]:
    """Return the published results, then the new results whose names are not published yet.

    A new result replaces the published result with the same name.
    """
    by_name: dict[str, Result] = {}
    for result in chain(known, new):
        by_name[result.name] = result
    return list(by_name.values())


def render_trials(trials: Iterable[Trial]) -> str:
    """Return the text of reliability.md."""
    rows = list(trials)
    page = [RELIABILITY_HEAD]
    for part in PARTS:
        page += [f"## {part}", "", "| trial | amount | result | run by |", "|---|---|---|---|"]
        page += [
            f"| {row.tried} | {row.amount} | {row.happened} | `{row.by}` |"
            for row in rows
            if row.part == part
        ]
        page.append("")
    return "\n".join(page).rstrip("\n") + "\n"


def render_measurements(measurements: Iterable[Measurement]) -> str:
    """Return the text of BASELINE.md."""
    sections = [f"## {each.title}\n\n{each.machine}\n\n{each.body}\n" for each in measurements]
    return "\n".join((BASELINE_HEAD, *sections))


def main() -> None:
    """Move the results from build/results into the JSON files, and render both documents."""
    trials = merged(published(Trial, TRIALS), stored(Trial))
    TRIALS.write_text(_json([asdict(each) for each in trials]), "utf-8")
    RELIABILITY.write_text(render_trials(trials), "utf-8")
    measurements = merged(published(Measurement, MEASUREMENTS), stored(Measurement))
    MEASUREMENTS.write_text(_json([asdict(each) for each in measurements]), "utf-8")
    BASELINE.write_text(render_measurements(measurements), "utf-8")
    for path in RESULTS.glob("*/*.json"):
        path.unlink()


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    main()
