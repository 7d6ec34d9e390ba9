"""Parse a lock file of `make lock`."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pin:
    """A pinned package, and the packages that require it."""

    name: str
    version: str
    sha256: tuple[str, ...]
    """One for each file of the release; the machine decides which file is installed."""
    required_by: tuple[str, ...]

    @property
    def purl(self) -> str:
        """The package's URL (https://github.com/package-url/purl-spec)."""
        return f"pkg:pypi/{self.name}@{self.version}"


def read_lock(text: str) -> list[Pin]:
    """Parse the text of a lock file."""
    return list(map(_pin, re.split(r"^(?=[a-z0-9-]+==)", text, flags=re.MULTILINE)[1:]))


def _pin(entry: str) -> Pin:
    name, version = entry.split(maxsplit=1)[0].split("==")
    hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})", entry)
    _, _, via = entry.partition("# via")
    required_by = re.findall(r"[a-z0-9.-]*[a-z0-9]$", via, re.MULTILINE)
    return Pin(name, version, tuple(hashes), tuple(required_by))
