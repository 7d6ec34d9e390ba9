"""Random bytes as requests: all get a documented response, quickly and with little memory."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.attack.raw_events import LIMIT_S, attacked, corpus, event_of, measured
from tests.documents import ROOT
from tests.trials import FULL, Part, record, size

if TYPE_CHECKING:
    from pathlib import Path

    from tests.attack.target import Target

BY = "tests/attack/test_fuzzing.py"
CORPUS = ROOT / "tests" / "attack" / "corpus" / "requests"
REQUESTS = corpus(CORPUS)
FUZZED_S = 660
RSS_MB = 1024
"""The memory at which libFuzzer fails; the model and libraries use about half of this memory."""


def test_the_stored_fuzzing_corpus_gets_documented_responses_with_at_least_six_statuses(
    target: Target,
) -> None:
    ends = [attacked(target, event_of(written)) for written in REQUESTS]
    assert {"200", "400", "401", "404", "405", "413"} <= {end.split()[0] for end in ends}


@settings(max_examples=size(300, full=10_000), deadline=None)
@given(data=st.data())
def test_requests_that_combine_parts_of_two_stored_requests_get_a_documented_response(
    data: st.DataObject, target: Target
) -> None:
    one, other = (data.draw(st.sampled_from(REQUESTS)) for _ in range(2))
    at, till = (data.draw(st.integers(0, len(text))) for text in (one, other))
    written = one[:at] + data.draw(st.binary(max_size=20)) + other[till:]
    measured(target, event_of(written))


if FULL:  # this test takes more than ten minutes

    @pytest.mark.timeout(FUZZED_S + 300)
    def test_coverage_guided_fuzzing_finds_no_failure(tmp_path: Path) -> None:
        found = tmp_path / "found"
        shutil.copytree(CORPUS, found)
        output = fuzzed(found, tmp_path)
        runs = int(re.findall(r"Done (\d+) runs", output)[0])
        covered = int(re.findall(r"cov: (\d+)", output)[-1])
        record(
            Part.BAD_INPUT,
            "complete requests, coverage-guided fuzzing (atheris)",
            f"{FUZZED_S // 60} minutes, {runs:,} requests, {covered:,} code edges covered",
            f"each gets a documented response within {LIMIT_S:.0f} s; no exception, no 5xx",
            by=BY,
        )


def fuzzed(found: Path, folder: Path) -> str:
    """Run the fuzzer for `FUZZED_S` seconds, and return libFuzzer's output.

    Raises:
        AssertionError: a request failed; the message has the request and the error.

    """
    program = ROOT / "tests" / "attack" / "fuzz.py"
    limits = [f"-max_total_time={FUZZED_S}", f"-rss_limit_mb={RSS_MB}", "-max_len=4096"]
    command = [sys.executable, str(program), str(found), *limits]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return done.stderr
