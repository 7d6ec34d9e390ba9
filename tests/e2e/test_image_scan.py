"""The function's image, scanned file by file: permissions, owners, caches and secrets."""

from __future__ import annotations

import re
import subprocess
from pathlib import PurePosixPath

import pytest
from tests.documents import read
from tests.e2e import machine
from tests.e2e.test_image import added_to_base, paths_in
from tests.trials import Part, record

pytestmark = pytest.mark.usefixtures("stack")

TASK = PurePosixPath("/var/task")
OWN = ["/var/task/blur", "/opt/models", "/opt/site"]
FOR_EVERYONE = set(map(PurePosixPath, ("/tmp", "/var/tmp", "/run/lock")))  # noqa: S108 - the test does not write to these folders
"""The folders in the base image that all users can write, each with the sticky bit."""
LEFT_OVERS = ["*.whl", "*.sh", "*.key", "*.env", ".git", ".netrc", ".pypirc", "pip.conf"]
KEY = r"bb_(live|test)_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}"
SECRET = rf"{KEY}|PRIVATE KEY|A[KS]IA[0-9A-Z]{{16}}"
VARIABLES = {"PATH", "LANG", "LAMBDA_TASK_ROOT", "PYTHONPATH", "BLUR_MODEL"}
VARIABLES |= {"PYTHONDONTWRITEBYTECODE"}


def test_only_files_of_the_base_image_are_setuid() -> None:
    setuid = paths_in(machine.IMAGE, "-perm", "/6000")
    assert setuid == paths_in(machine.BASE_IMAGE, "-perm", "/6000")
    files = paths_in(machine.IMAGE, "-type", "f")
    own = {path for path in files if path.is_relative_to(TASK) or path.is_relative_to("/opt")}
    programs = paths_in(machine.IMAGE, "-type", "f", "-perm", "/6000")
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


def test_files_added_to_the_base_image_belong_to_root_and_only_root_can_write_them() -> None:
    assert added_to_base("-perm", "/022", "-not", "-type", "l") == set()
    assert added_to_base("-not", "(", "-user", "0", "-group", "0", ")") == set()


def test_world_writable_folders_of_the_base_image_have_the_sticky_bit() -> None:
    writable = paths_in(machine.IMAGE, "-perm", "-0002", "-not", "-type", "l")
    assert writable <= FOR_EVERYONE
    assert writable == paths_in(machine.IMAGE, "-type", "d", "-perm", "-1002")


@pytest.mark.parametrize("pattern", LEFT_OVERS)
def test_the_container_image_adds_no_file_that_only_a_build_needs(pattern: str) -> None:
    assert added_to_base("-name", pattern) == set()


def test_the_only_certificates_that_the_container_image_adds_are_those_of_botocore() -> None:
    assert added_to_base("-name", "*.pem") == {TASK / "botocore" / "cacert.pem"}


def test_the_container_image_adds_no_build_folder_no_cache_and_no_file_in_a_home_folder() -> None:
    paths = added_to_base("-path", "/build*", "-o", "-path", "/root/*", "-o", "-path", "/home/*")
    assert paths == set()
    assert added_to_base("-path", "*/.cache*") == set()


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
