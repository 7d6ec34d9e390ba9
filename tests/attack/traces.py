"""Searches the output of a run for keys and photos, in every form in which they could appear."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from blur.accounts.keys import CHECK_LENGTH, SECRET_LENGTH

WINDOW = 48
"""The number of bytes in a sample of a photo. Other data does not contain this sample by chance."""
PLACES = 5
"""The number of samples per photo, from the first bytes of the photo to the last bytes."""

BOTH_QUOTES = b"'\""
"""The `repr` of bytes depends on the quotes in the bytes; a whole photo has both kinds."""

Forms = Mapping[str, bytes]
"""The values to search for, by names that do not contain the values."""


def key_forms(texts: Iterable[str]) -> Forms:
    """Return each key's text, its secret, and its secret in base64 at each offset."""
    forms: dict[str, bytes] = {}
    for number, text in enumerate(texts):
        secret = text[-SECRET_LENGTH - CHECK_LENGTH :]
        forms[f"key {number}"] = text.encode()
        forms[f"secret of key {number}"] = secret.encode()
        forms |= _base64(f"key {number}", secret.encode())
    return forms


def photo_forms(photos: Iterable[bytes]) -> Forms:
    """Return samples of each photo: raw, in hexadecimal, in base64, as `repr` and as JSON."""
    forms: dict[str, bytes] = {}
    for number, photo in enumerate(photos):
        for place in range(PLACES):
            start = (len(photo) - WINDOW) * place // (PLACES - 1)
            forms |= _window(f"photo {number} at {start}", photo[start : start + WINDOW])
    return forms


def found(forms: Forms, written: Iterable[tuple[str, bytes]]) -> set[tuple[str, str]]:
    """Return the name of each value that was found, with the name of the output that has it."""
    return {
        (form, where)
        for where, content in written
        for form, sought in forms.items()
        if sought in content
    }


def files(folder: Path, *, leaving_out: Iterable[str] = ()) -> list[tuple[str, bytes]]:
    """Return path and content of each file below a folder, except files named in `leaving_out`."""
    left_out = set(leaving_out)
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [(str(path), path.read_bytes()) for path in paths if path.name not in left_out]


def _window(name: str, window: bytes) -> dict[str, bytes]:
    shown = repr(window + BOTH_QUOTES)[2 : -1 - len(repr(BOTH_QUOTES)[2:-1])]
    return {
        name: window,
        f"{name}, in hexadecimal": window.hex().encode(),
        f"{name}, as repr": shown.encode(),
        f"{name}, as repr in JSON": json.dumps(shown)[1:-1].encode(),
        **_base64(name, window),
    }


def _base64(name: str, window: bytes) -> dict[str, bytes]:
    """Encode the value for each of the three offsets within a longer text."""
    return {
        f"{name}, in base64 at offset {offset}": base64.b64encode(bytes(offset) + window)[4:-4]
        for offset in range(3)
    }
