"""Runs the commands and programs of the documentation, in a folder with photos."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.integration.client.shell import PHOTO
from tests.integration.running import BGBLUR

PHOTOS = {"photo.jpg", "album/a.jpg", "album/sub/b.jpg"}
PRINTED = re.compile(r"^(account|prefix) +(\S+)$", re.MULTILINE)
JOB_ID = re.compile(r"^job_[0-9a-f]+$", re.MULTILINE)
TIMEOUT_S = 60


def furnish(folder: Path) -> Path:
    """Create the photos and programs that the commands use; return the folder of the programs."""
    programs = folder / ".venv" / "bin"
    for path in (*(folder / name for name in PHOTOS), programs / "python"):
        path.parent.mkdir(parents=True, exist_ok=True)
    for name in PHOTOS:
        (folder / name).write_bytes(PHOTO)
    for program, words in (("bgblur", BGBLUR), ("python", [sys.executable])):
        (programs / program).write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        (programs / program).chmod(0o755)
    return programs


class Reader:
    """Runs commands unchanged, except for words that each user has to replace."""

    def __init__(self, folder: Path, env: Mapping[str, str], words: Mapping[str, str]) -> None:
        """Store the placeholders that users have to replace, such as KEY, and their values."""
        self._folder, self._env, self._words = folder, dict(env), dict(words)

    def types(self, command: str) -> str:
        """Run a command, answer its questions with yes, and return the output.

        If the command prints an account, a key prefix or a job id, later commands use this value.
        """
        if command.startswith("export "):
            for variable in shlex.split(command)[1:]:
                name = variable.partition("=")[0]
                script = f'{self.filled_in(command)}; printf %s "${name}"'
                self._env[name] = self.runs(["sh", "-euc", script])
            return ""
        printed = self.runs(["sh", "-euc", self.filled_in(command)])
        named = [*PRINTED.findall(printed), *(("job", each) for each in JOB_ID.findall(printed))]
        self._words = {name.upper(): value for name, value in named} | self._words
        return printed

    def runs(self, command: list[str]) -> str:
        """Run a program, require that it succeeds, and return its output."""
        done = subprocess.run(
            command,
            cwd=self._folder,
            env=self._env,
            input="y\n",
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        assert done.returncode == 0, f"{command[-1]}\n{done.stdout}{done.stderr}"
        return done.stdout

    def filled_in(self, text: str) -> str:
        """Replace each placeholder, such as KEY, with its value, and return the new text."""
        for word, value in self._words.items():
            text = re.sub(rf"\b{re.escape(word)}\b", value, text)
        return text
