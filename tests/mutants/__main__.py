"""`make mutants`: change the code of money and of the contract, and see that a test minds.

A change that no test minds is a survivor. It fails the run, unless `explained.toml` has it,
with the reason why nobody should mind.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence

import pytest
from tests.mutants.explained import Explanation, explanations
from tests.mutants.hunt import Hunt
from tests.mutants.mutation import Mutant, mutants_of
from tests.mutants.portions import CODE, PORTIONS, Portion
from tests.trials import Part, record

PYTEST = ("-qqs", "--timeout=60", "-p", "no:cacheprovider")


def main(names: Sequence[str]) -> int:
    """Hunt in the portions that are named, `api` or `api:blur_request.py`, or else in all."""
    name, *more = names or list(PORTIONS)
    if more:  # each in a process of its own, which imports the code that it changes
        command = [sys.executable, "-m", "tests.mutants"]
        return max(subprocess.call([*command, one]) for one in (name, *more))
    portion, _, file = name.partition(":")
    return _hunt(PORTIONS[portion], file)


def _hunt(portion: Portion, file: str) -> int:
    paths = {str(path.relative_to(CODE)): path for path in portion.paths(file)}
    mutants = [mutant for name in paths for mutant in mutants_of(paths[name], name)]
    hunt = Hunt(mutants[:: portion.every], paths)
    with tempfile.TemporaryDirectory() as scratch:  # of our own: other runs tidy pytest's
        options = [*PYTEST, f"--basetemp={scratch}/tests", "-k", portion.only]
        if pytest.main([*options, *portion.tests], plugins=[hunt]):
            return 1
    rows = [row for row in explanations() if row.file in paths]
    new = [each for each in hunt.survivors if not any(row.explains(each) for row in rows)]
    gone = [row for row in rows if not any(row.explains(each) for each in mutants)]
    _report(new, gone)
    if new or gone:
        return 1
    if not file:
        _record(portion, hunt, len(mutants))
    return 0


def _report(new: Sequence[Mutant], gone: Sequence[Explanation]) -> None:
    """Name the survivors that nobody has explained, and explanations of what is no more."""
    print()  # noqa: T201 - a command
    for mutant in new:
        print(f"survived: {mutant}")  # noqa: T201 - as above
    for row in gone:
        print(f"explained, but there is no such mutant any more: {row}")  # noqa: T201 - as above


def _record(portion: Portion, hunt: Hunt, there_are: int) -> None:
    tried, survived = len(hunt.mutants), len(hunt.survivors)
    amount = f"{tried:,} mutants" if tried == there_are else f"{tried:,} of {there_are:,} mutants"
    happened = f"tests kill {tried - survived:,}; {survived} change nothing, as explained"
    print(f"{portion.tried}: {amount}, {happened}")  # noqa: T201 - as above
    record(Part.SECURITY, portion.tried, amount, happened, by="tests/mutants/explained.toml")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
