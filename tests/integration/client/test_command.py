"""`bgblur blur` in a shell, with the model of this machine and with a real server."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from events import make
from tests.integration.client.shell import PHOTO, RADIUS, Done, Run, fill, is_picture
from tests.integration.client.unreliable import unreliable
from tests.integration.running import BGBLUR

from blur.imaging.blur_options import BlurOptions
from blur.imaging.matting.models import get_model_spec
from blur.imaging.matting.session import open_model, open_people_model
from blur.imaging.pipeline import blur_photo
from blur.settings import Settings

if TYPE_CHECKING:
    from tests.integration.storage.conftest import Api


def parse_json(done: Done) -> Any:  # noqa: ANN401 - any JSON value
    return json.loads(done.stdout)


def test_local_and_api_results_are_the_same(
    run: Run, api_settings: dict[str, str], photo: Path, tmp_path: Path
) -> None:
    local_run = run(photo.name)
    assert (local_run.returncode, local_run.stdout, local_run.stderr) == (0, b"", b"")
    by_api = run(photo.name, "-o", "api.jpg", **api_settings)
    assert (by_api.returncode, by_api.stdout, by_api.stderr) == (0, b"", b"")
    local_result = (tmp_path / "photo-blurred.jpg").read_bytes()
    assert is_picture(local_result, "JPEG")
    assert (tmp_path / "api.jpg").read_bytes() == local_result
    assert {path.name for path in tmp_path.iterdir()} == {
        "photo.jpg",
        "photo-blurred.jpg",
        "api.jpg",
    }


def test_the_result_of_a_photo_from_standard_input_is_written_to_standard_output(
    run: Run, api_settings: dict[str, str]
) -> None:
    local_run, by_api = run("-", stdin=PHOTO), run("-", "-o", "-", stdin=PHOTO, **api_settings)
    assert (local_run.returncode, by_api.returncode) == (0, 0)
    assert is_picture(local_run.stdout)
    assert local_run.stdout == by_api.stdout


@pytest.mark.usefixtures("photo")
def test_a_closed_standard_input_or_output_is_an_error(
    environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "small.jpg").write_bytes(make.jpeg(32))
    closed = "Bad file descriptor"
    for arguments, message in [
        ("photo.jpg -o - >&-", f"photo.jpg: standard output: {closed} [unwritable]"),
        ("small.jpg -o - >&-", f"small.jpg: standard output: {closed} [unwritable]"),
        ("small.jpg -o - | true", "small.jpg: standard output: Broken pipe [unwritable]"),
        ("photo.jpg -o x.jpg --json >&-", "standard input or output is closed"),
        ("- -o y.jpg <&-", f"standard input: {closed}"),
        ("- <&- >&-", f"standard input: {closed}"),
    ]:
        line = f"set -o pipefail; {shlex.join([*BGBLUR, 'blur', *RADIUS])} {arguments}"
        command = ["bash", "-c", line]
        done = subprocess.run(
            command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (1, f"Error: {message}\n")
    assert is_picture((tmp_path / "x.jpg").read_bytes(), "JPEG")
    assert not (tmp_path / "y.jpg").exists()


def test_a_photo_that_fails_leaves_standard_output_empty(run: Run) -> None:
    done = run("-", stdin=b"this is not an image")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"standard input: Unsupported image format" in done.stderr


def test_options_have_the_same_effect_locally_and_with_the_api(
    run: Run, api_settings: dict[str, str], model_dir: Path
) -> None:
    options = ("--blur", "bokeh", "--mode", "cutout", "--format", "webp", "--quality", "40")
    local_run, by_api = (
        run("-", *options, stdin=PHOTO, **way).stdout for way in ({}, api_settings)
    )
    model = open_model(get_model_spec(Settings().model), model_dir, threads=1)
    blur_options = BlurOptions(
        radius_px=9, kernel="bokeh", mode="cutout", output="webp", quality=40
    )
    people = open_people_model(model_dir, threads=1)
    assert people is not None
    result = blur_photo(PHOTO, blur_options, model=model, people=people, max_pixels=50_000_000)
    assert local_run == by_api == result.image.data


def test_results_of_a_folder_are_in_the_same_subfolders_as_its_photos(
    run: Run, api_settings: dict[str, str], tmp_path: Path
) -> None:
    fill(tmp_path / "album", "a.jpg", "b.jpg", "c.jpg")
    fill(tmp_path / "album" / "sub", "d.jpg")
    done = run("album", "-R", "-o", "new", "--jobs", "3", "--json", **api_settings)
    assert done.returncode == 0
    assert {str(path.relative_to(tmp_path)) for path in (tmp_path / "new").rglob("*.jpg")} == {
        *("new/a.jpg", "new/b.jpg", "new/c.jpg"),
        "new/sub/d.jpg",
    }
    document = parse_json(done)
    assert (document["blurred"], document["skipped"], document["failed"]) == (4, 0, 0)
    files = document["files"]
    assert [file["source"] for file in files] == [
        *("album/a.jpg", "album/b.jpg", "album/c.jpg"),
        "album/sub/d.jpg",
    ]
    assert all(file["credits_charged"] == 1 and file["request_id"] for file in files)
    assert all((tmp_path / file["target"]).stat().st_size == file["bytes"] for file in files)


def test_a_file_that_fails_does_not_stop_the_other_files_and_is_in_the_summary(
    run: Run, tmp_path: Path
) -> None:
    fill(tmp_path / "album", "a.jpg", "c.jpg")
    (tmp_path / "album" / "b.jpg").write_bytes(b"this is not an image")
    done = run("album", "--jobs", "2")
    assert done.returncode == 1
    stderr, summary = done.stderr.decode().splitlines()
    assert stderr.startswith("Error: album/b.jpg: ")
    assert stderr.endswith("[invalid_image]")
    assert summary.startswith("2 blurred in ")
    assert summary.endswith(", 1 failed")
    again = run("album", "--json")
    document = parse_json(again)
    assert (document["blurred"], document["skipped"], document["failed"]) == (0, 2, 1)


def test_a_repeated_batch_skips_existing_results(run: Run, api: Api, tmp_path: Path) -> None:
    fill(tmp_path / "album", "a.jpg", "b.jpg")
    assert run("album", "-o", "new").returncode == 0
    fill(tmp_path / "album", "c.jpg")
    with unreliable(api.server.url) as relay:
        done = run("album", "-o", "new", BGBLUR_API=relay.url, BGBLUR_API_KEY=api.key)
        assert len(relay.seen) == 1
    assert done.returncode == 0
    assert b"1 blurred in " in done.stderr
    assert b", 2 skipped" in done.stderr


def test_without_the_option_overwrite_no_result_is_replaced_or_charged(
    run: Run, api: Api, photo: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "photo-blurred.jpg"
    kept.write_bytes(b"mine")
    with unreliable(api.server.url) as relay:
        settings = {"BGBLUR_API": relay.url, "BGBLUR_API_KEY": api.key}
        skipped = run(photo.name, **settings)
        assert (skipped.returncode, relay.seen) == (0, [])
        assert b"photo-blurred.jpg exists (--overwrite replaces it)" in skipped.stderr
        assert kept.read_bytes() == b"mine"
        assert run(photo.name, "--overwrite", **settings).returncode == 0
    assert is_picture(kept.read_bytes(), "JPEG")


def test_photo_is_not_replaced_by_its_result_even_with_overwrite(run: Run, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(PHOTO)
    done = run("photo.png", "-o", "photo.png", "--overwrite")
    assert done.returncode == 2
    assert (tmp_path / "photo.png").read_bytes() == PHOTO


def test_large_photos_are_uploaded_and_linked_results_are_fetched_by_default(
    run: Run, api_settings: dict[str, str], by_link: Api, large_photo: Path
) -> None:
    arguments = (large_photo.name, "-o", "-", "--format", "png")
    uploaded = run(*arguments, **api_settings)
    linked = {"BGBLUR_API": by_link.server.url, "BGBLUR_API_KEY": by_link.key}
    fetched = run(*arguments, **linked)
    assert (uploaded.returncode, fetched.returncode) == (0, 0)
    assert is_picture(uploaded.stdout)
    assert uploaded.stdout == fetched.stdout


def test_blurring_with_the_api_needs_no_model_on_this_machine(
    run: Run, api_settings: dict[str, str], photo: Path
) -> None:
    assert run(photo.name, BLUR_MODEL_DIR="/nowhere", **api_settings).returncode == 0
