"""Write a file completely or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(content: bytes, target: Path) -> None:
    """Write the content to the target file in one step; all users can read the file."""
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        part.chmod(0o644)  # as in fetch.py: Lambda's user must be able to read the file
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
