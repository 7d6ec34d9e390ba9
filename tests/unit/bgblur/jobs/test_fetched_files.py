"""A result is written completely or not at all, and later runs detect complete results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bgblur.jobs.fetched_files import FetchedFiles

if TYPE_CHECKING:
    from typing import BinaryIO


def opened(folder: Path, *, overwrite: bool = False) -> FetchedFiles:
    return FetchedFiles(folder, "job_1", overwrite=overwrite)


def write(files: FetchedFiles, source: str, file: str, data: bytes = b"result") -> int:
    return files.write(source, file, lambda target: target.write(data))


def test_the_next_run_finds_a_result_that_was_written_completely(tmp_path: Path) -> None:
    with opened(tmp_path) as files:
        assert not files.has("a.jpg", "sub/a.png")
        assert write(files, "a.jpg", "sub/a.png") == 6
    with opened(tmp_path) as files:
        assert files.has("a.jpg", "sub/a.png")
        assert len(files.assigned()) == 1


@pytest.mark.parametrize("damaged", [b"resul", b"Result", b""])
def test_a_changed_file_does_not_count_as_the_result_and_can_be_replaced(
    damaged: bytes, tmp_path: Path
) -> None:
    with opened(tmp_path) as files:
        write(files, "a.jpg", "a.png")
    (tmp_path / "a.png").write_bytes(damaged)
    with opened(tmp_path) as files:
        assert not files.has("a.jpg", "a.png")
        write(files, "a.jpg", "a.png")
        assert files.has("a.jpg", "a.png")
    assert (tmp_path / "a.png").read_bytes() == b"result"


def test_a_file_that_is_not_a_result_of_the_job_is_replaced_only_with_overwrite(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.png").write_bytes(b"mine")
    with opened(tmp_path) as files, pytest.raises(FileExistsError):
        write(files, "a.jpg", "a.png")
    assert (tmp_path / "a.png").read_bytes() == b"mine"
    with opened(tmp_path, overwrite=True) as files:
        write(files, "a.jpg", "a.png")
    assert (tmp_path / "a.png").read_bytes() == b"result"


def test_an_error_while_receiving_leaves_no_file(tmp_path: Path) -> None:
    def interrupted(target: BinaryIO) -> None:
        target.write(b"half")
        raise ConnectionError

    with opened(tmp_path) as files:
        with pytest.raises(ConnectionError):
            files.write("a.jpg", "a.png", interrupted)
        assert not files.has("a.jpg", "a.png")
    assert [path.name for path in tmp_path.iterdir()] == [".bgblur-job_1.jsonl"]


def test_the_records_before_and_after_a_record_that_was_cut_off_are_read(tmp_path: Path) -> None:
    with opened(tmp_path) as files:
        write(files, "a.jpg", "a.png")
    record = tmp_path / ".bgblur-job_1.jsonl"
    record.write_text(record.read_text("utf-8") + '{"source": "b.j', "utf-8")
    with opened(tmp_path) as files:
        assert files.has("a.jpg", "a.png")
        write(files, "c.jpg", "c.png")
    with opened(tmp_path) as files:
        assert files.has("c.jpg", "c.png")


def test_a_run_does_not_remove_the_files_of_another_run_that_has_not_ended(tmp_path: Path) -> None:
    with opened(tmp_path) as first:

        def receive_during_two_other_runs(target: BinaryIO) -> None:
            target.write(b"half")
            for _ in range(2):
                with opened(tmp_path):
                    pass
            target.write(b"half")

        first.write("a.jpg", "a.png", receive_during_two_other_runs)
    assert (tmp_path / "a.png").read_bytes() == b"halfhalf"
