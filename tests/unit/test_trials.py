"""The results of trials and benchmarks, and the documents that show these results."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from docs import results
from docs.results import Measurement, Trial
from tests import trials
from tests.documents import ROOT, documents, read

if TYPE_CHECKING:
    from pathlib import Path

TRIALS = results.published(Trial, results.TRIALS)
MEASUREMENTS = results.published(Measurement, results.MEASUREMENTS)
SHOWN = {"part": "Faults", "amount": "3", "happened": "well", "by": "x.py"}


def trial(tried: str, **fields: str) -> Trial:
    return Trial(tried=tried, **{**SHOWN, **fields})


def test_a_stored_result_is_read_back_unchanged(tmp_path: Path) -> None:
    kept = [trial("a"), trial("b | Ü")]
    section = Measurement("Speed", "a machine", "| a |\n| - |")
    for each in kept:
        results.store(each, tmp_path)
    results.store(section, tmp_path)
    assert sorted(results.stored(Trial, tmp_path), key=str) == kept
    assert results.stored(Measurement, tmp_path) == [section]


def test_a_result_that_is_stored_again_replaces_the_earlier_result(tmp_path: Path) -> None:
    for amount in "12":
        results.store(trial("a", amount=amount), tmp_path)
    assert results.stored(Trial, tmp_path) == [trial("a", amount="2")]


def test_a_merge_replaces_known_results_in_place_and_appends_new_results() -> None:
    known, new = [trial("a"), trial("b")], [trial("a", amount="9"), trial("c")]
    assert results.merged(known, new) == [trial("a", amount="9"), trial("b"), trial("c")]


def test_a_trial_is_shown_in_the_table_of_the_part_to_which_it_belongs() -> None:
    page = results.render_trials([trial("a", part="Load and soak"), trial("b")])
    section = page.partition("## Faults\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| [^t-].*", section, re.MULTILINE) == ["| b | 3 | well | `x.py` |"]


def test_the_documents_show_exactly_the_published_results() -> None:
    assert read("docs/reliability.md") == results.render_trials(TRIALS)
    assert read("benchmarks/BASELINE.md") == results.render_measurements(MEASUREMENTS)


def test_every_part_has_published_trials_and_each_trial_names_an_existing_script() -> None:
    assert TRIALS
    assert {each.part for each in TRIALS} == set(results.PARTS) == {p.value for p in trials.Part}
    assert {each.by for each in TRIALS if not (ROOT / each.by).is_file()} == set()


@pytest.mark.parametrize("full", [False, True])
def test_a_trial_changes_no_document_and_its_result_is_stored_only_in_a_full_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, full: bool
) -> None:
    monkeypatch.setattr(trials, "FULL", full)
    monkeypatch.setattr(trials, "store", lambda result: results.store(result, tmp_path))
    before = {name: read(name) for name in documents()}
    trials.record(trials.Part.FAULTS, "a", "3", "well", by="x.py")
    assert {name: read(name) for name in documents()} == before
    assert results.stored(Trial, tmp_path) == ([trial("a")] if full else [])
