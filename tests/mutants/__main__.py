"""`make mutants`: change the code of money and of the contract, and see that a test minds.

A change that no test minds is a survivor. It fails the run, unless `explained.toml` has it,
with the reason why nobody should mind.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.mutants.hunt import Hunt
from tests.mutants.mutation import Mutant, mutants_of
from tests.mutants.portions import CODE, PORTIONS, Portion
from tests.trials import Part, record

EXPLAINED = Path(__file__).with_name("explained.toml")
PYTEST = ("-qqs", "--timeout=20", "-p", "no:cacheprovider", "-o", "tmp_path_retention_policy=none")


def main(names: Sequence[str]) -> int:
    """Hunt in the portions that are named, `api` or `api:order.py`, or else in all."""
    name, *more = names or list(PORTIONS)
    if more:  # each in a process of its own, which imports the code that it changes
        command = [sys.executable, "-m", "tests.mutants"]
        return max(subprocess.call([*command, one]) for one in (name, *more))
    portion, _, file = name.partition(":")
    return _hunt(PORTIONS[portion], file)


def _hunt(portion: Portion, file: str) -> int:
    paths = {str(path.relative_to(CODE)): path for path in portion.paths(file)}
    hunt = Hunt([mutant for name in paths for mutant in mutants_of(paths[name], name)], paths)
    if pytest.main([*PYTEST, "-k", portion.only, *portion.tests], plugins=[hunt]):
        return 1
    explained = _explained(set(paths))
    new = [mutant for mutant in hunt.survivors if mutant.name not in explained]
    gone = explained - {mutant.name for mutant in hunt.mutants}
    report(new, gone)
    if new or gone:
        return 1
    if not file:
        _record(portion, hunt)
    return 0


def _explained(files: set[str]) -> set[tuple[str, ...]]:
    rows = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))["mutant"]
    names = {(row["file"], row["place"], row["before"], row["after"]) for row in rows}
    return {name for name in names if name[0] in files}


def report(new: Sequence[Mutant], gone: set[tuple[str, ...]]) -> None:
    """Name the survivors that nobody has explained, and explanations of what is no more."""
    print()  # noqa: T201 - a command
    for mutant in new:
        print(f"survived: {mutant}")  # noqa: T201 - as above
    for name in sorted(gone):
        print(f"explained, but there is no such mutant any more: {name}")  # noqa: T201 - as above


def _record(portion: Portion, hunt: Hunt) -> None:
    tried, survived = len(hunt.mutants), len(hunt.survivors)
    amount = f"{tried} mutants"
    happened = f"a test fails for {tried - survived}; the other {survived} change nothing to mind"
    print(f"{portion.tried}: {amount}, {happened}")  # noqa: T201 - as above
    record(Part.SECURITY, portion.tried, amount, happened, by="tests/mutants/explained.toml")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
