"""Files of a run of `bgblur jobs fetch` that was killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from bgblur.jobs.fetched_files import FetchedFiles

if TYPE_CHECKING:
    from pathlib import Path

KILLED = """
import os, signal, sys
from pathlib import Path
from bgblur.jobs.fetched_files import FetchedFiles

def receive(file):
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)

with FetchedFiles(Path(sys.argv[1]), "job_1", overwrite=False) as files:
    files.write("a.jpg", "sub/a.png", receive)
"""


def test_the_next_run_of_the_same_job_removes_the_incomplete_file_of_a_killed_run(
    tmp_path: Path,
) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "sub").iterdir())) == 1
    with FetchedFiles(tmp_path, "job_2", overwrite=False):
        assert len(list((tmp_path / "sub").iterdir())) == 1, "a run of another job removed the file"
    with FetchedFiles(tmp_path, "job_1", overwrite=False):
        assert list((tmp_path / "sub").iterdir()) == []
