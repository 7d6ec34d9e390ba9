"""The next run reads the journal of the photos that were uploaded."""

from __future__ import annotations

from pathlib import Path

from bgblur.jobs.journal import Journal


def test_the_next_run_reads_which_photos_were_uploaded(tmp_path: Path) -> None:
    path = tmp_path / "jobs" / "job_1.uploaded"
    with Journal(path) as journal:
        journal.add("sub/ä\nb.jpg")
        assert "sub/ä\nb.jpg" in journal
    with Journal(path) as journal:
        assert "sub/ä\nb.jpg" in journal
        assert "a.jpg" not in journal


def test_photos_can_be_added_after_a_line_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "job_1.uploaded"
    path.write_text('"a.jpg"\n"b.jp', "utf-8")
    with Journal(path) as journal:
        assert "a.jpg" in journal
        journal.add("c.jpg")
    with Journal(path) as journal:
        assert "c.jpg" in journal
