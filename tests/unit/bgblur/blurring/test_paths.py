from __future__ import annotations

import errno
import os
from pathlib import Path

import click
import pytest

from bgblur.blurring.paths import Naming, Task, plan


@pytest.fixture(autouse=True)
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Change to a folder with photos, other files and an earlier result."""
    monkeypatch.chdir(tmp_path)
    names = "a.jpg b.JPEG c.heic notes.txt .hidden.jpg a-blurred.png sub/d.webp sub/deep/e.png"
    for name in [*names.split(), ".git/f.jpg"]:
        path = Path("album", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    Path("one.jpg").touch()


def planned(
    *paths: str,
    output: str | None = None,
    naming: Naming = Naming(format="png"),  # noqa: B008 - the default is frozen
    recursive: bool = False,
) -> dict[str, str]:
    tasks = plan(paths, output, naming, recursive=recursive)
    return {str(task.source): str(task.target) for task in tasks}


def test_without_an_output_a_result_is_written_next_to_its_photo() -> None:
    assert planned("one.jpg", "album/c.heic") == {
        "one.jpg": "one-blurred.png",
        "album/c.heic": "album/c-blurred.png",
    }


def test_the_output_for_one_photo_is_a_file_if_the_output_path_ends_with_a_file_name() -> None:
    assert planned("one.jpg", output="new/result.png") == {"one.jpg": "new/result.png"}


@pytest.mark.parametrize("output", ["album", "new/", "new/.", "album/sub/.."])
def test_the_output_for_one_photo_is_a_folder_if_the_folder_exists_or_the_path_ends_with_a_slash(
    output: str,
) -> None:
    assert planned("one.jpg", output=output) == {"one.jpg": str(Path(output, "one.png"))}


def test_the_output_for_several_photos_is_a_folder() -> None:
    assert planned("one.jpg", "album/a.jpg", output="new") == {
        "one.jpg": "new/one.png",
        "album/a.jpg": "new/a.png",
    }


def test_only_the_photos_in_a_folder_that_are_neither_results_nor_hidden_are_used() -> None:
    assert list(planned("album")) == ["album/a.jpg", "album/b.JPEG", "album/c.heic"]


def test_a_recursive_search_keeps_the_folder_structure() -> None:
    deep = planned("album", output="new", recursive=True)
    assert deep["album/sub/d.webp"] == "new/sub/d.png"
    assert deep["album/sub/deep/e.png"] == "new/sub/deep/e.png"
    assert len(deep) == 5


def test_a_folder_that_cannot_be_read_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the error, the photos of the folder would be left out without a message."""
    scan = os.scandir

    def denied(path: str) -> object:
        if Path(path) == Path("album/sub"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", denied)
    assert "album/a.jpg" in planned("album")
    with pytest.raises(click.UsageError, match=r"^album/sub: Permission denied$"):
        planned("album", recursive=True)


def test_photos_in_the_output_folder_are_not_blurred() -> None:
    assert "album/sub/d.webp" not in planned("album", output="album/sub", recursive=True)


def test_a_photo_that_is_named_by_several_arguments_is_blurred_once() -> None:
    assert list(planned("album/a.jpg", "./album/a.jpg", "album")) == [
        "album/a.jpg",
        "album/b.JPEG",
        "album/c.heic",
    ]


def test_results_of_photos_that_differ_only_by_extension_keep_the_extension_in_the_name() -> None:
    Path("album/a.webp").touch()
    assert planned("album/a.jpg", "album/a.webp", "album/b.JPEG") == {
        "album/a.jpg": "album/a.jpg-blurred.png",
        "album/a.webp": "album/a.webp-blurred.png",
        "album/b.JPEG": "album/b-blurred.png",
    }


def test_a_photo_that_is_named_as_an_argument_can_have_any_extension() -> None:
    assert list(planned("album/notes.txt", "album/.hidden.jpg")) == [
        "album/notes.txt",
        "album/.hidden.jpg",
    ]


def test_a_hyphen_means_standard_input_or_standard_output() -> None:
    def one(source: str, output: str | None) -> list[Task]:
        return plan([source], output, Naming(format="png"), recursive=False)

    assert one("-", None) == one("-", "-") == [Task(None, None)]
    assert one("-", "x.png") == [Task(None, Path("x.png"))]
    assert one("one.jpg", "-") == [Task(Path("one.jpg"), None)]


@pytest.mark.parametrize(
    ("paths", "output", "message"),
    [
        (["missing.jpg", "one.jpg"], None, "missing.jpg does not exist"),
        (["missing.jpg", "gone.jpg"], None, "These paths do not exist: missing.jpg, gone.jpg"),
        (["album/.git", "album/sub/deep/none"], None, "does not exist"),
        (["-", "one.jpg"], None, "one photo"),
        (["album"], "-", "one photo"),
        (["one.jpg"], "one.jpg", "one of the photos"),
        (["album/sub/deep"], "album/sub/deep", "one of the photos"),
        (["one.jpg", "album/a.jpg"], "album/notes.txt", "is a file"),
        (["one.jpg"], "album/notes.txt/x.png", "is a file"),
    ],
)
def test_missing_photos_and_outputs_that_do_not_fit_the_photos_are_rejected(
    paths: list[str], output: str | None, message: str
) -> None:
    with pytest.raises(click.UsageError, match=message):
        plan(paths, output, Naming(), recursive=False)


def test_a_folder_without_photos_is_rejected() -> None:
    Path("empty").mkdir()
    with pytest.raises(click.UsageError, match="no photo in empty"):
        plan(["empty"], None, Naming(), recursive=True)


def test_two_photos_with_the_same_result_name_are_rejected() -> None:
    Path("album/sub/a.jpg").touch()
    with pytest.raises(click.UsageError, match=r"would both be written to new/a\.jpg\.png"):
        plan(["album/a.jpg", "album/sub/a.jpg"], "new", Naming(format="png"), recursive=False)


def test_a_result_has_the_format_and_extension_of_its_photo_but_a_heic_photo_gives_a_jpeg() -> None:
    assert planned("album", "one.jpg", naming=Naming()) == {
        "album/a.jpg": "album/a-blurred.jpg",
        "album/b.JPEG": "album/b-blurred.JPEG",
        "album/c.heic": "album/c-blurred.jpg",
        "one.jpg": "one-blurred.jpg",
    }


def formats(*paths: str, output: str, format: str | None = None) -> dict[str, str]:  # noqa: A002 - the option has this name
    tasks = plan(paths, output, Naming(format=format), recursive=False)
    return {str(task.target): task.format for task in tasks}


def test_the_extension_of_an_output_file_selects_the_format() -> None:
    assert formats("one.jpg", output="new.v1/x.webp") == {"new.v1/x.webp": "webp"}
    assert formats("-", output="x.webp") == {"x.webp": "webp"}
    with pytest.raises(click.UsageError, match=r"Unknown output format \.1"):
        formats("one.jpg", output="v1.1")


def test_a_dot_in_the_name_of_an_output_folder_does_not_select_the_format() -> None:
    Path("two.png").touch()
    both = ("one.jpg", "two.png")
    assert formats(*both, output="v1.1") == {"v1.1/one.jpg": "jpeg", "v1.1/two.png": "png"}
    assert formats(*both, output="r.jpg") == {"r.jpg/one.jpg": "jpeg", "r.jpg/two.png": "png"}
    assert formats("two.png", output="r.jpg/") == {"r.jpg/two.png": "png"}
    assert formats("one.jpg", output="new.v1/") == {"new.v1/one.jpg": "jpeg"}
    assert set(formats("album", output="b.png").values()) == {"jpeg"}
    Path("shoot.jpg").mkdir()
    assert formats("one.jpg", output="shoot.jpg") == {"shoot.jpg/one.jpg": "jpeg"}
    assert formats("one.jpg", output="shoot.jpg", format="png") == {"shoot.jpg/one.png": "png"}


@pytest.mark.parametrize("output", ["album", "new/", "new.png/"])
def test_a_photo_from_standard_input_cannot_be_written_to_a_folder(output: str) -> None:
    with pytest.raises(click.UsageError, match=r"Use a file name, or -\.$"):
        plan(["-"], output, Naming(), recursive=False)


def test_a_cutout_is_a_png_and_its_name_has_a_suffix_only_in_the_folder_of_the_photo() -> None:
    naming = Naming(mode="cutout")
    assert planned("one.jpg", naming=naming) == {"one.jpg": "one-cutout.png"}
    assert planned("one.jpg", output="new/", naming=naming) == {"one.jpg": "new/one.png"}


def test_a_given_suffix_is_added_in_any_folder_and_files_with_this_suffix_are_skipped() -> None:
    Path("album/a-soft.jpg").touch()
    naming = Naming(suffix="-soft")
    assert planned("one.jpg", output="new/", naming=naming) == {"one.jpg": "new/one-soft.jpg"}
    assert planned("album", naming=naming)["album/a.jpg"] == "album/a-soft.jpg"
    assert "album/a-soft.jpg" not in planned("album", naming=naming)
    assert "album/a-soft.jpg" in planned("album")


def test_an_empty_suffix_is_rejected_if_the_result_would_replace_the_photo() -> None:
    with pytest.raises(click.UsageError, match="one of the photos"):
        plan(["one.jpg"], None, Naming(suffix=""), recursive=False)
