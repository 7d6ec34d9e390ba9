"""The portions of the code that `make mutants` changes, each with the tests that check it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.documents import ROOT

CODE = ROOT / "functions"
ACCOUNTS = ("tests/unit/accounts", "tests/integration/accounts")
JOB_STORES = tuple(
    f"tests/integration/jobs/test_{name}.py"
    for name in ("job_states", "job_end", "object_holds", "object_rows")
)
JOBS = (
    *JOB_STORES,
    "tests/integration/jobs/job_queue",
    "tests/integration/jobs/test_job_deaths.py",
    "tests/integration/jobs/test_dynamo_job_cost.py",
    "tests/integration/jobs/test_dynamo_job_conflicts.py",
)
OUTAGES = "tests/faults/test_{}_outages.py"
EMBEDDED = "not dynamodb and not test_dynamo and not processes"
"""Leaves out tests of DynamoDB, and tests with several processes: only one of these processes would
have the mutant."""


@dataclass(frozen=True)
class Portion:
    """Some files, and the tests that are fast enough to run for each mutant of these files."""

    title: str
    files: tuple[str, ...]
    """Patterns of file names, relative to `functions`."""
    tests: tuple[str, ...]
    only: str = ""
    """The expression for pytest's `-k`, which selects tests."""
    every: int = 1
    """Test only every n-th mutant: a sample, because testing all mutants would take hours."""

    def paths(self, only_file: str) -> Iterator[Path]:
        """Yield the files; if `only_file` is not empty, only the files with this name."""
        for pattern in self.files:
            for path in sorted(CODE.glob(pattern)):
                if only_file in ("", path.name):
                    yield path


PORTIONS = {
    "accounts": Portion(
        "Mutants in the code for credits, keys and limits",
        ("blur/credits.py", "blur/accounts/a*.py", "blur/accounts/[h-r]*.py"),
        ("tests/unit/test_credits.py", *ACCOUNTS),
        EMBEDDED,
    ),
    "sqlite": Portion(
        "Mutants of the SQLite store of accounts",
        ("blur/accounts/sqlite/*.py",),
        (*ACCOUNTS, OUTAGES.format("sqlite"), *JOB_STORES),
        EMBEDDED,
    ),
    "service": Portion(
        "Mutants of paid calls: their steps, prices and deadlines",
        (
            "blur/service.py",
            "blur/prices.py",
            "blur/forms.py",
            "blur/image_requests.py",
            "blur/timing.py",
        ),
        (
            "tests/unit/test_timing.py",
            "tests/unit/service",
            "tests/unit/test_prices.py",
            "tests/unit/test_forms.py",
            "tests/integration/accounts/test_repeats.py",
            "tests/integration/accounts/test_concurrent_repeats.py",
            "tests/integration/accounts/test_waiting_repeats.py",
        ),
        "not dynamodb",
    ),
    "api": Portion(
        "Mutants of the HTTP code", ("blur/api/*.py", "blur/api/removebg/*.py"), ("tests/unit/api",)
    ),
    "dynamo": Portion(
        "Mutants of the DynamoDB store of accounts",
        ("blur/accounts/connect.py", "blur/accounts/dynamo/*.py"),
        (*ACCOUNTS, OUTAGES.format("dynamo"), *JOB_STORES),
        # `test_audit_command` audits all accounts of the table, which takes too long after the
        # tests have run on this table twice.
        "(dynamo or connect) and not processes and not test_audit_command",
        every=8,
    ),
    "job_stores": Portion(
        "Mutants of the data types and the SQLite store of bulk jobs",
        ("blur/jobs/model.py", "blur/jobs/sqlite/*.py"),
        ("tests/unit/jobs/test_model.py", *JOBS),
        EMBEDDED,
    ),
    "job_dynamo": Portion(
        "Mutants of the DynamoDB store of bulk jobs",
        ("blur/jobs/connect.py", "blur/jobs/dynamo/*.py"),
        ("tests/unit/jobs/test_connect.py", "tests/unit/jobs/test_dynamo_items.py", *JOBS),
        "(dynamo or connect) and not processes",
        every=4,
    ),
}
