"""A customer who sends a folder with `bgblur jobs`; tests kill and restart the commands."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.integration.jobs.job_client import JobClient
from tests.integration.running import BGBLUR

from bgblur.jobs.submit import journal_path

if TYPE_CHECKING:
    from tests.integration.jobs.served_api import Buyer, ServedApi

WAIT_S = 120
STARTS = 5
RESULTS = "results"
OPTIONS = ("-R", "-r", "2", "--format", "jpeg")
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shop:
    """A customer's working folder, which contains `album`, and the commands that run there."""

    folder: Path
    api: ServedApi
    buyer: Buyer

    def client(self) -> JobClient:
        """Return a client that reads jobs."""
        return JobClient(self.api.url, self.buyer.key, repeats=True)

    def job(self, job_id: str) -> Document:
        """Return the current document of the job."""
        return self.client().show({"job_id": job_id})

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `bgblur jobs` with these arguments."""
        environ = {name: value for name, value in os.environ.items() if name[:7] != "BGBLUR_"}
        environ |= {
            "BGBLUR_API": self.api.url,
            "BGBLUR_API_KEY": self.buyer.key,
        }
        return subprocess.Popen(
            [*BGBLUR, "jobs", *arguments],
            cwd=self.folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def complete(self, *arguments: str, during: Callable[[], object] = int) -> Document:
        """Start a command and call `during`; repeat the command while the API cannot be reached.

        Return the JSON that the command prints.
        """
        process = self.start(*arguments, "--json")
        during()
        for _ in range(STARTS):
            output, errors = process.communicate(timeout=WAIT_S)
            if process.returncode == 0:
                document: Document = json.loads(output)
                return document
            assert "Traceback" not in errors, errors
            assert f"({self.api.url})" in errors, errors
            process = self.start(*arguments, "--json")
        raise AssertionError(errors)

    def create_and_kill(self, sent: int) -> str:
        """Start `submit`, kill it when `sent` photos are uploaded, and return the job's id."""
        process = self.start("submit", "album", *OPTIONS, "--parallel", "2")
        assert process.stderr
        job_id = process.stderr.readline().split()[1]
        self.kill_when(process, lambda: uploaded(job_id) >= sent)
        return job_id

    def kill_when(self, process: subprocess.Popen[str], holds: Callable[[], bool]) -> None:
        """Kill a command when the condition becomes true; the command must still be running."""
        wait_for(holds)
        process.kill()
        _, errors = process.communicate()
        assert process.returncode == -9, f"the command ended before the kill: {errors}"

    def results(self) -> dict[str, Path]:
        """Return the results in the folder by their paths, without hidden files."""
        folder = self.folder / RESULTS
        found = [path for path in folder.rglob("[!.]*") if path.suffix == ".jpg"]
        return {path.relative_to(folder).as_posix(): path for path in found}

    def leftovers(self) -> list[Path]:
        """Return the files of incomplete downloads."""
        return list((self.folder / RESULTS).rglob(".*.part"))

    def manifest(self) -> list[Document]:
        """Return the rows of the manifest in the folder."""
        lines = (self.folder / RESULTS / "manifest.jsonl").read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines]


def uploaded(job_id: str) -> int:
    """Return the number of photos that the commands have recorded as sent."""
    path = journal_path(job_id)
    lines = path.read_bytes().splitlines() if path.exists() else []
    return len([line for line in lines if line])


def wait_for(holds: Callable[[], object], *, pause_s: float = 0.02) -> None:
    """Wait until the condition is true."""
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(pause_s)
