"""The mutants in `explained.toml` are changes of the current code."""

from __future__ import annotations

from tests.documents import ROOT
from tests.mutants.explained import explanations


def test_each_explained_mutant_changes_a_line_of_the_current_code() -> None:
    outdated = []
    for explained in explanations():
        lines = (ROOT / "functions" / explained.file).read_text("utf-8").splitlines()
        code = " ".join(line.strip() for line in lines)
        name = explained.place.rpartition(".")[2]
        if explained.before not in code or name not in code:
            outdated.append(explained)
    assert outdated == []
