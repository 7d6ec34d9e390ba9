"""The function's image, scanned file by file: permissions, owners, caches and secrets."""

from __future__ import annotations

import re
import subprocess
from pathlib import PurePosixPath

import pytest
from tests.documents import read
from tests.e2e import machine
from tests.e2e.image_files import added_to_base, files_in
from tests.trials import Part, record

pytestmark = pytest.mark.usefixtures("stack")

TASK = PurePosixPath("/var/task")
SETUID, STICKY, FOR_OTHERS, FOR_ALL = 0o6000, 0o1000, 0o022, 0o002
OWN = ["/var/task/blur", "/opt/models", "/opt/site"]
FOR_EVERYONE = set(map(PurePosixPath, ("/tmp", "/var/tmp", "/run/lock")))  # noqa: S108 - the test does not write to these folders
"""The folders in the base image that all users can write, each with the sticky bit."""
LEFT_OVERS = ["*.whl", "*.sh", "*.key", "*.env", ".git", ".netrc", ".pypirc", "pip.conf"]
KEY = r"bb_(live|test)_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}"
SECRET = rf"{KEY}|PRIVATE KEY|A[KS]IA[0-9A-Z]{{16}}"
VARIABLES = {"PATH", "LANG", "LAMBDA_TASK_ROOT", "PYTHONPATH", "BLUR_MODEL"}
VARIABLES |= {"PYTHONDONTWRITEBYTECODE"}


def test_only_files_of_the_base_image_are_setuid() -> None:
    files = {each for each in files_in(machine.IMAGE) if each.kind == "f"}
    setuid = setuid_in(machine.IMAGE)
    assert setuid == setuid_in(machine.BASE_IMAGE)
    own = {each.path for each in files if is_ours(each.path)}
    programs = {each for each in files if each.mode & SETUID}
    assert len(own) > 1_000
    record(
        Part.SECURITY,
        "Scan of the function's image for setuid files and files that other users can write",
        f"{len(files):,} files, {len(own):,} of them in /var/task and /opt",
        "none of the files in these two folders is one of these; the stand-in for the base image "
        f"has {len(programs)} setuid programs and {len(FOR_EVERYONE)} folders with the sticky bit; "
        "photos are blurred even if no program can change its user",
        by="tests/e2e/test_image_scan.py",
    )


def setuid_in(image: str) -> set[PurePosixPath]:
    """Return the paths of an image's files and folders that are setuid or setgid."""
    return {each.path for each in files_in(image) if each.mode & SETUID}


def is_ours(path: PurePosixPath) -> bool:
    return path.is_relative_to(TASK) or path.is_relative_to("/opt")


def test_files_added_to_the_base_image_belong_to_root_and_only_root_can_write_them() -> None:
    added = added_to_base()
    assert {each for each in added if each.mode & FOR_OTHERS and each.kind != "l"} == set()
    assert {each for each in added if (each.user, each.group) != (0, 0)} == set()


def test_world_writable_folders_of_the_base_image_have_the_sticky_bit() -> None:
    files = files_in(machine.IMAGE)
    writable = {each for each in files if each.mode & FOR_ALL and each.kind != "l"}
    sticky = {each for each in files if each.kind == "d" and each.mode & STICKY}
    assert {each.path for each in writable} <= FOR_EVERYONE
    assert writable <= sticky


@pytest.mark.parametrize("pattern", LEFT_OVERS)
def test_the_container_image_adds_no_file_that_only_a_build_needs(pattern: str) -> None:
    assert {each.path for each in added_to_base() if each.path.match(pattern)} == set()


def test_the_only_certificates_that_the_container_image_adds_are_those_of_botocore() -> None:
    certificates = {each.path for each in added_to_base() if each.path.suffix == ".pem"}
    assert certificates == {TASK / "botocore" / "cacert.pem"}


def test_the_container_image_adds_no_build_folder_no_cache_and_no_file_in_a_home_folder() -> None:
    added = {each.path for each in added_to_base()}
    assert {path for path in added if path.parts[1] in {"build", "root", "home"}} == set()
    assert {path for path in added if any(part[:6] == ".cache" for part in path.parts)} == set()


def test_our_files_are_not_executable() -> None:
    command = ["find", machine.IMAGE, *OWN, "-type", "f"]
    assert in_image(*command) != ""
    assert in_image(*command, "-perm", "/111") == ""


def test_the_container_image_contains_no_secret() -> None:
    assert in_image("grep", machine.IMAGE, "-rlE", "def handler|SECRET_LENGTH", *OWN) != ""
    assert in_image("grep", machine.IMAGE, "-rlE", SECRET, *OWN) == ""
    assert in_image("grep", machine.IMAGE, "-rlE", KEY, str(TASK)) == ""


def test_variables_and_history_of_the_container_image_contain_no_secret() -> None:
    form = "{{range .Config.Env}}{{println .}}{{end}}"
    inspection = inspected("image", "inspect", "--format", form, machine.IMAGE)
    assert {line.partition("=")[0] for line in inspection.split()} == VARIABLES
    history = inspected("history", "--no-trunc", "--format", "{{.CreatedBy}}", machine.IMAGE)
    assert "ARG MODEL" in history
    assert not re.search(f"{SECRET}|://[^/ ]*@", history)


def test_the_container_image_has_exactly_the_packages_of_the_lock_file() -> None:
    pins = re.findall(r"^([a-z0-9-]+)==(\S+)", read("requirements/function.txt"), re.MULTILINE)
    folders = in_image("find", machine.IMAGE, str(TASK), "-maxdepth", "1", "-name", "*.dist-info")
    names = {PurePosixPath(line).stem.lower().replace("_", "-") for line in folders.split()}
    assert names == {f"{name}-{version}" for name, version in pins}


def in_image(program: str, image: str, *arguments: str) -> str:
    """Run a program in a container without a network; return its output, which can be empty."""
    command = ["docker", "run", "--rm", "--network", "none", "--entrypoint", program, image]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout


def inspected(*arguments: str) -> str:
    return subprocess.check_output(["docker", *arguments], text=True)
