"""Each result has its own file, and each file is inside the folder of the results."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgblur.jobs.names import ResultNames, source_digest

UNSAFE = [
    "../a.jpg",
    "a/../../b.jpg",
    "/etc/passwd",
    "//server/share/a.jpg",
    "..",
    ".",
    "",
    "a//b.jpg",
    "a/./b.jpg",
    "..\\a.jpg",
    "C:\\a.jpg",
    "a\0.jpg",
    "a\n.jpg",
    "x" * 300 + ".jpg",
    "a/" + "é" * 200 + ".jpg",
]


def names(folder: Path, output: str = "png", **assigned: str) -> ResultNames:
    recorded = {source_digest(source): file for source, file in assigned.items()}
    return ResultNames(folder, output, recorded)


@pytest.mark.parametrize(
    ("source", "output", "file"),
    [
        ("a.jpg", "png", "a.png"),
        ("sub/ä b.heic", "jpeg", "sub/ä b.jpg"),
        ("A.JPG", "jpeg", "A.JPG"),
        ("a.jpeg", "jpeg", "a.jpeg"),
        ("archive.v2/photo", "webp", "archive.v2/photo.webp"),
    ],
)
def test_a_result_is_named_after_its_photo(
    source: str, output: str, file: str, tmp_path: Path
) -> None:
    assert names(tmp_path, output).name(source) == file


@pytest.mark.parametrize("source", UNSAFE)
def test_the_result_of_a_source_that_is_not_a_safe_path_is_named_by_a_digest(
    source: str, tmp_path: Path
) -> None:
    assert names(tmp_path).name(source) == f"{source_digest(source).hex()}.png"


@given(
    st.lists(
        st.text(max_size=12) | st.sampled_from([*UNSAFE, "a/..", "a.png", "a.png/b.png"]),
        unique=True,
    )
)
def test_every_source_has_its_own_file_inside_the_folder(sources: list[str]) -> None:
    given_names = names(Path("/results"))
    files = [given_names.name(source) for source in sources]
    assert len({file.casefold() for file in files}) == len(files)
    for file in map(PurePosixPath, files):
        assert not file.is_absolute()
        assert not {"..", "."} & set(file.parts)
        assert file.suffix == ".png"
    assert [given_names.name(source) for source in sources] == files


def test_if_sources_differ_only_by_extension_later_results_keep_the_extension_in_their_names(
    tmp_path: Path,
) -> None:
    given_names = names(tmp_path)
    files = [given_names.name(source) for source in ("a.jpg", "a.heic", "A.webp")]
    assert files == ["a.png", "a.heic.png", "A.webp.png"]


@pytest.mark.parametrize("sources", [("a.png", "a.png/b.jpg"), ("a.png/b.jpg", "A.png")])
def test_no_result_has_the_name_of_the_folder_of_another_result(
    sources: tuple[str, str], tmp_path: Path
) -> None:
    given_names = names(tmp_path)
    for source in sources:
        path = tmp_path / given_names.name(source)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(exist_ok=False)


def test_sources_that_differ_only_in_unicode_normalisation_get_different_files(
    tmp_path: Path,
) -> None:
    """On macOS, the one-character and the two-character `é` name the same file."""
    given_names = names(tmp_path)
    files = [given_names.name(source) for source in ("\u00e9.jpg", "e\u0301.jpg")]
    assert files == ["\u00e9.png", "e\u0301.jpg.png"]


def test_a_digest_that_is_already_the_name_of_another_result_gets_a_number(
    tmp_path: Path,
) -> None:
    given_names = names(tmp_path)
    digest = source_digest("../a.jpg").hex()
    assert given_names.name(f"{digest}.png") == f"{digest}.png"
    assert given_names.name("../a.jpg") == f"{digest}-2.png"


def test_a_photo_keeps_the_result_name_of_an_earlier_run(tmp_path: Path) -> None:
    assigned = {source_digest("a.heic"): "a.png"}
    given_names = ResultNames(tmp_path, "png", assigned)
    assert given_names.name("a.jpg") == "a.jpg.png"
    assert given_names.name("a.heic") == "a.png"


def test_no_result_follows_a_symbolic_link_out_of_the_folder(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "results", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (folder / "sub").symlink_to(elsewhere)
    (folder / "inner").mkdir()
    (folder / "alias").symlink_to(folder / "inner")
    given_names = names(folder)
    assert given_names.name("sub/a.jpg") == f"{source_digest('sub/a.jpg').hex()}.png"
    assert given_names.name("alias/a.jpg") == "alias/a.png"
