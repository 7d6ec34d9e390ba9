from __future__ import annotations

from pathlib import Path

import click
import pytest

from bgblur.blurring.paths import Task, plan


@pytest.fixture(autouse=True)
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in a folder with photos, others' files and an earlier result."""
    monkeypatch.chdir(tmp_path)
    names = "a.jpg b.JPEG c.heic notes.txt .hidden.jpg a-blurred.png sub/d.webp sub/deep/e.png"
    for name in [*names.split(), ".git/f.jpg"]:
        path = Path("album", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    Path("one.jpg").touch()


def planned(
    *paths: str, output: str | None = None, extension: str = ".png", deep: bool = False
) -> dict[str, str]:
    tasks = plan(paths, output, extension, deep=deep)
    return {str(task.source): str(task.target) for task in tasks}


def test_a_result_goes_beside_its_photo() -> None:
    assert planned("one.jpg", "album/c.heic") == {
        "one.jpg": "one-blurred.png",
        "album/c.heic": "album/c-blurred.png",
    }


def test_one_photo_goes_into_one_file() -> None:
    assert planned("one.jpg", output="new/result.png") == {"one.jpg": "new/result.png"}


@pytest.mark.parametrize("output", ["album", "new/"])
def test_one_photo_goes_into_a_folder_that_is_there_or_has_a_slash(output: str) -> None:
    assert planned("one.jpg", output=output) == {"one.jpg": f"{output.rstrip('/')}/one.png"}


def test_many_photos_go_into_a_folder() -> None:
    assert planned("one.jpg", "album/a.jpg", output="new") == {
        "one.jpg": "new/one.png",
        "album/a.jpg": "new/a.png",
    }


def test_a_folder_gives_its_photos_but_no_results_hidden_or_other_files() -> None:
    assert list(planned("album")) == ["album/a.jpg", "album/b.JPEG", "album/c.heic"]


def test_a_folder_is_searched_deeply_when_asked_and_keeps_its_shape() -> None:
    deep = planned("album", output="new", deep=True)
    assert deep["album/sub/d.webp"] == "new/sub/d.png"
    assert deep["album/sub/deep/e.png"] == "new/sub/deep/e.png"
    assert len(deep) == 5


def test_the_folder_of_results_is_not_searched() -> None:
    assert "album/sub/d.webp" not in planned("album", output="album/sub", deep=True)


def test_a_photo_that_is_named_twice_is_blurred_once() -> None:
    assert list(planned("album/a.jpg", "./album/a.jpg", "album")) == [
        "album/a.jpg",
        "album/b.JPEG",
        "album/c.heic",
    ]


def test_photos_that_differ_by_their_ending_alone_keep_it() -> None:
    Path("album/a.webp").touch()
    assert planned("album/a.jpg", "album/a.webp", "album/b.JPEG") == {
        "album/a.jpg": "album/a.jpg-blurred.png",
        "album/a.webp": "album/a.webp-blurred.png",
        "album/b.JPEG": "album/b-blurred.png",
    }


def test_a_photo_may_be_called_anything_when_it_is_named_itself() -> None:
    assert list(planned("album/notes.txt", "album/.hidden.jpg")) == [
        "album/notes.txt",
        "album/.hidden.jpg",
    ]


def test_a_hyphen_is_standard_input_and_output() -> None:
    def one(source: str, output: str | None) -> list[Task]:
        return plan([source], output, ".png", deep=False)

    assert one("-", None) == one("-", "-") == [Task(None, None)]
    assert one("-", "x.png") == [Task(None, Path("x.png"))]
    assert one("one.jpg", "-") == [Task(Path("one.jpg"), None)]


@pytest.mark.parametrize(
    ("paths", "output", "says"),
    [
        (["nowhere.jpg", "one.jpg"], None, "there is no nowhere.jpg"),
        (["album/.git", "album/sub/deep/none"], None, "there is no"),
        (["-", "one.jpg"], None, "one photo"),
        (["album"], "-", "one photo"),
        (["one.jpg"], "one.jpg", "one of the photos"),
        (["album/sub/deep"], "album/sub/deep", "one of the photos"),
        (["one.jpg", "album/a.jpg"], "album/notes.txt", "is a file"),
        (["one.jpg"], "album/notes.txt/x.png", "is a file"),
    ],
)
def test_what_could_only_go_wrong_is_refused_at_once(
    paths: list[str], output: str | None, says: str
) -> None:
    with pytest.raises(click.UsageError, match=says):
        plan(paths, output, ".png", deep=False)


def test_a_folder_without_photos_is_told() -> None:
    Path("empty").mkdir()
    with pytest.raises(click.UsageError, match="no photo in empty"):
        plan(["empty"], None, ".png", deep=True)


def test_photos_of_one_name_do_not_end_in_one_file() -> None:
    Path("album/sub/a.jpg").touch()
    with pytest.raises(click.UsageError, match=r"would both become new/a\.jpg\.png"):
        plan(["album/a.jpg", "album/sub/a.jpg"], "new", ".png", deep=False)
