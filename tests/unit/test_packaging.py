"""The lock files of packages, the project's metadata and the Makefile agree."""

from __future__ import annotations

import pkgutil
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "requirements"
MODEL = "../layers/model/requirements.txt"  # to build the layer, SAM copies only this folder
LOCKS = ["function.txt", "runtime.txt", "serve.txt", "test.txt"]
APART = [
    "audit.txt",
    "base.txt",
    "clients.txt",
    "ministack.txt",
    "mutants.txt",
    "peers.txt",
    "research.txt",
    "sam.txt",
    "uv.txt",
    MODEL,
]
PIN = re.compile(r"^([a-z0-9-]+)==(\S+?)(?: ; (.+?))? \\$", re.MULTILINE)


def pins(lock: str) -> set[tuple[str, ...]]:
    """Return (name, version, marker) for every package in a lock file."""
    return set(PIN.findall((REQUIREMENTS / lock).read_text("utf-8")))


def wanted(lists: list[str]) -> set[str]:
    """Return the names of the packages that `.in` files require."""
    lines = "\n".join((REQUIREMENTS / name).read_text("utf-8") for name in lists)
    return set(re.findall(r"^[a-z][a-z0-9-]*", lines, re.MULTILINE))


def test_each_lock_file_includes_all_packages_of_the_next_smaller_lock_file() -> None:
    function, runtime, serve, test = map(pins, LOCKS)
    assert function
    assert function < runtime < serve < test


@pytest.mark.parametrize(
    ("lock", "lists"),
    [
        ("function.txt", ["function.in"]),
        ("runtime.txt", ["function.in", "serve.in"]),
        ("serve.txt", ["function.in", "serve.in", "build.in", "model.in"]),
        ("test.txt", ["function.in", "serve.in", "build.in", "model.in", "test.in"]),
        (MODEL, ["model.in"]),
        ("base.txt", ["base.in"]),
        ("sam.txt", ["sam.in"]),
        ("audit.txt", ["audit.in"]),
        ("ministack.txt", ["ministack.in"]),
        ("mutants.txt", ["mutants.in"]),
        ("research.txt", ["research.in"]),
        ("peers.txt", ["peers.in"]),
        ("clients.txt", ["clients.in"]),
        ("uv.txt", ["uv.in"]),
    ],
)
def test_a_lock_file_has_every_required_package(lock: str, lists: list[str]) -> None:
    assert wanted(lists) <= {name for name, *_ in pins(lock)}


@pytest.mark.parametrize("lock", [*LOCKS, *APART])
def test_every_package_in_a_lock_file_has_a_hash(lock: str) -> None:
    entries = re.split(r"\n(?=\S)", (REQUIREMENTS / lock).read_text("utf-8"))
    pinned = [entry for entry in entries if not entry.startswith("#")]
    assert pinned
    assert all("--hash=sha256:" in entry for entry in pinned)


def test_the_audit_checks_every_package_in_every_lock_file() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    [audited] = re.findall(r"^AUDITED := (.+)$", makefile, re.MULTILINE)
    named = {pin[:2] for lock in audited.split() for pin in pins(f"{lock}.txt")}
    assert {pin[:2] for lock in (*LOCKS, *APART) for pin in pins(lock)} == named
    assert "pip-audit --strict " in makefile


INSTALLERS = ["Makefile", "functions/blur/Dockerfile", "layers/model/Makefile"]
INSTALLERS += ["tools/base_image.Dockerfile", "tools/bgblur/Dockerfile"]


@pytest.mark.parametrize("path", INSTALLERS)
def test_packages_are_installed_only_from_wheels_with_checked_hashes(path: str) -> None:
    text = (ROOT / path).read_text("utf-8").replace("\\\n", " ")
    installs = [
        line for line in text.splitlines() if re.search(r"\binstall\b.*--requirement", line)
    ]
    assert installs
    for line in installs:
        assert "--require-hashes" in line
        assert "--only-binary :all:" in line


@pytest.mark.parametrize("path", sorted(REQUIREMENTS.iterdir()), ids=lambda path: path.name)
def test_requirements_name_no_package_index(path: Path) -> None:
    text = path.read_text("utf-8")
    assert "://" not in text
    assert "--index" not in text
    assert "--extra-index" not in text


@pytest.mark.parametrize("folder", ["functions/blur", "tools/bgblur"])
def test_all_files_that_a_dockerfile_copies_are_in_its_build_context(folder: str) -> None:
    dockerfile = (ROOT / folder / "Dockerfile").read_text("utf-8")
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE)
    copied = {name for names in copies for name in names.split()}
    assert {"functions/blur", "site"} <= copied
    ignored = (ROOT / ".dockerignore").read_text("utf-8")
    included = tuple(re.findall(r"^!(.+)$", ignored, re.MULTILINE))
    assert all(f"{name}/".startswith(tuple(f"{i}/" for i in included)) for name in copied)
    assert all((ROOT / name).exists() for name in copied)


def test_the_console_script_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert callable(pkgutil.resolve_name(project["scripts"]["bgblur"]))
