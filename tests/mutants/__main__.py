"""`make mutants`: change the code of accounts, jobs and the API, and check that a test fails.

A change that no test detects is a survivor. A survivor fails the run, unless `explained.toml`
contains it with the reason why no test can detect it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence

import pytest
from tests.mutants.explained import Explanation, explanations
from tests.mutants.mutation import Mutant, mutants_of
from tests.mutants.portions import CODE, PORTIONS, Portion
from tests.mutants.runner import MutantRunner
from tests.trials import Part, record

PYTEST = ("-qqs", "--timeout=60", "-p", "no:cacheprovider")


def main(names: Sequence[str]) -> int:
    """Test the mutants of the named portions, such as `api` or `api:blur_request.py`, or of all."""
    name, *more = names or list(PORTIONS)
    if more:  # each portion is tested in a new process, which imports the code again
        command = [sys.executable, "-m", "tests.mutants"]
        return max(subprocess.call([*command, one]) for one in (name, *more))
    portion, _, file = name.partition(":")
    return _run(PORTIONS[portion], file)


def _run(portion: Portion, file: str) -> int:
    paths = {str(path.relative_to(CODE)): path for path in portion.paths(file)}
    mutants = [mutant for name in paths for mutant in mutants_of(paths[name], name)]
    runner = MutantRunner(mutants[:: portion.every], paths)
    # In its own temporary folder, pytest deletes old folders, so the tests use a different folder.
    with tempfile.TemporaryDirectory() as scratch:
        options = [*PYTEST, f"--basetemp={scratch}/tests", "-k", portion.only]
        if pytest.main([*options, *portion.tests], plugins=[runner]):
            return 1
    rows = [row for row in explanations() if row.file in paths]
    new = [each for each in runner.survivors if not any(row.explains(each) for row in rows)]
    gone = [row for row in rows if not any(row.explains(each) for each in mutants)]
    _report(new, gone)
    if new or gone:
        return 1
    if not file:
        _record(portion, runner, len(mutants))
    return 0


def _report(new: Sequence[Mutant], gone: Sequence[Explanation]) -> None:
    """Print the survivors without an explanation, and the explanations without a mutant."""
    print()  # noqa: T201 - this command prints its result
    for mutant in new:
        print(f"survived: {mutant}")  # noqa: T201 - this command prints its result
    for row in gone:
        print(f"this mutant is explained, but does not exist any more: {row}")  # noqa: T201 - this command prints its result


def _record(portion: Portion, runner: MutantRunner, total: int) -> None:
    tried, survived = len(runner.mutants), len(runner.survivors)
    amount = f"{tried:,} mutants" if tried == total else f"{tried:,} of {total:,} mutants"
    detected = f"tests detect {tried - survived:,}"
    happened = (
        f"{detected}; {survived} cannot be detected; tests/mutants/explained.toml has the reasons"
    )
    print(f"{portion.title}: {amount}, {happened}")  # noqa: T201 - this command prints its result
    record(Part.SECURITY, portion.title, amount, happened, by="tests/mutants/explained.toml")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
