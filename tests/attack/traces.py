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
"""The number of samples from each photo, at equal distances from its start to its end."""

BOTH_QUOTES = b"'\""
"""`repr` escapes single quotes only in bytes that contain both single and double quotes. A whole
photo contains both, so both are added to a sample before its `repr` is computed."""

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
    """Return samples of each photo's bytes: raw, in hexadecimal and base64, as `repr` and JSON."""
    forms: dict[str, bytes] = {}
    for number, photo in enumerate(photos):
        for place in range(PLACES):
            start = (len(photo) - WINDOW) * place // (PLACES - 1)
            forms |= _window(f"photo {number} at {start}", photo[start : start + WINDOW])
    return forms


def found(forms: Forms, written: Iterable[tuple[str, bytes]]) -> set[tuple[str, str]]:
    """Return (name of the value, name of the output) for each value that an output contains."""
    return {
        (form, where)
        for where, content in written
        for form, sought in forms.items()
        if sought in content
    }


def files(folder: Path, *, leaving_out: Iterable[str] = ()) -> list[tuple[str, bytes]]:
    """Return the path and content of each file below a folder, except files in `leaving_out`."""
    left_out = set(leaving_out)
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [(str(path), path.read_bytes()) for path in paths if path.name not in left_out]


def _window(name: str, window: bytes) -> dict[str, bytes]:
    shown = repr(window + BOTH_QUOTES)[2 : -1 - len(repr(BOTH_QUOTES)[2:-1])]
    return {
        name: window,
        f"{name}, in hexadecimal": window.hex().encode(),
        f"{name}, as Python's repr": shown.encode(),
        f"{name}, as Python's repr in a JSON string": json.dumps(shown)[1:-1].encode(),
        **_base64(name, window),
    }


def _base64(name: str, window: bytes) -> dict[str, bytes]:
    """Return `window` in base64, for each offset modulo 3 at which it starts in a longer text."""
    return {
        f"{name}, in base64 at offset {offset}": base64.b64encode(bytes(offset) + window)[4:-4]
        for offset in range(3)
    }
