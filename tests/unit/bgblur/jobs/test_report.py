"""The commands that `bgblur jobs` prints can be run unchanged."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from bgblur.jobs.commands import submit
from bgblur.jobs.connection import Server
from bgblur.jobs.folder import Folder
from bgblur.jobs.report import how_to_continue


@pytest.mark.parametrize("name", ["album", "-dash", "--job", "it's a folder"])
def test_the_printed_command_continues_the_upload_of_a_folder_with_any_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).mkdir()
    server = Server("http://localhost", "key", ("--api", "http://localhost"))
    hint = how_to_continue(Folder(Path(name), recursive=True), "job_1", server)
    command = shlex.split(hint.removeprefix("Continue with: "))
    assert command[:3] == ["bgblur", "jobs", "submit"]
    given = submit.make_context("submit", command[3:]).params
    assert given["folder"].resolve() == tmp_path / name
    assert (given["job_id"], given["recursive"], given["api"]) == ("job_1", True, server.url)
