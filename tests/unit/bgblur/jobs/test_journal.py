"""A run records its uploaded photos in a journal, and the next run reads the journal."""

from __future__ import annotations

from pathlib import Path

from bgblur.jobs.journal import Journal


def test_a_journal_that_is_opened_again_has_the_uploaded_photos(tmp_path: Path) -> None:
    path = tmp_path / "jobs" / "job_1.uploaded"
    with Journal(path) as journal:
        journal.add("sub/ä\nb.jpg")
        assert "sub/ä\nb.jpg" in journal
    with Journal(path) as journal:
        assert "sub/ä\nb.jpg" in journal
        assert "a.jpg" not in journal


def test_a_photo_can_be_added_to_a_journal_with_an_incomplete_last_line(tmp_path: Path) -> None:
    path = tmp_path / "job_1.uploaded"
    path.write_text('"a.jpg"\n"b.jp', "utf-8")
    with Journal(path) as journal:
        assert "a.jpg" in journal
        journal.add("c.jpg")
    with Journal(path) as journal:
        assert "c.jpg" in journal
