"""`bgblur blur` with wrong commands, wrong keys, unusual files and Ctrl-C."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from tests.integration.client.shell import PHOTO, RADIUS, Run, fill, is_picture
from tests.integration.client.unreliable import unreliable

if TYPE_CHECKING:
    from tests.integration.storage.conftest import Api

# If a shell runs the tests in the background, the processes of the tests ignore SIGINT by default.
INTERRUPTIBLE_SCRIPT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from bgblur.cli import main
main()
"""
INTERRUPTIBLE = (sys.executable, "-c", INTERRUPTIBLE_SCRIPT)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("missing.jpg",), "missing.jpg does not exist"),
        (("photo.jpg", "-o", "x.gif"), "Unknown output format .gif"),
        (("photo.jpg", "-r", "51"), "is not a radius. Use a whole number of pixels"),
        (("photo.jpg", "-o", "-", "--json"), "--json"),
        (("photo.jpg", "--api", "http://127.0.0.1:9"), "--key"),
        (("photo.jpg", "--api", "127.0.0.1:9", "--key", "k"), "must start with https://"),
        (("photo.jpg", "--api", "http://[::1", "--key", "k"), "must start with https://"),
        (("photo.jpg", "--api", "http://127.0.0.1:99999", "--key", "k"), "a valid host, not"),
        ((), "Missing argument"),
    ],
)
def test_a_wrong_command_prints_the_reason_and_exits_with_2(
    arguments: tuple[str, ...], message: str, run: Run, photo: Path
) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr.decode()
    assert list(photo.parent.iterdir()) == [photo]


def test_the_error_for_a_missing_model_names_make_model_and_the_option_api(
    run: Run, photo: Path
) -> None:
    done = run(photo.name, BLUR_MODEL_DIR="/nowhere")
    assert done.returncode == 2
    assert "`make model`" in done.stderr.decode()
    assert "--api" in done.stderr.decode()


def test_a_batch_with_a_wrong_key_stops_after_one_request(
    run: Run, api: Api, tmp_path: Path
) -> None:
    fill(tmp_path / "album", *(f"{number}.jpg" for number in range(5)))
    with unreliable(api.server.url) as relay:
        done = run("album", "--jobs", "1", BGBLUR_API=relay.url, BGBLUR_API_KEY="nonsense")
    assert done.returncode == 1
    assert len(relay.seen) == 1
    assert done.stderr.decode().splitlines()[-1].endswith("1 failed, 4 not started")


@pytest.mark.parametrize("way", ["local", "api"])
def test_ctrl_c_leaves_only_complete_files(
    way: str, environ: dict[str, str], api_settings: dict[str, str], tmp_path: Path
) -> None:
    fill(tmp_path / "album", *(f"{number}.jpg" for number in range(60)))
    new = tmp_path / "new"
    process = subprocess.Popen(
        [*INTERRUPTIBLE, "blur", *RADIUS, "album", "-o", "new", "--jobs", "2"],
        cwd=tmp_path,
        env={**environ, **(api_settings if way == "api" else {})},
        stderr=subprocess.PIPE,
    )
    with process:
        while not (new.exists() and list(new.glob("*.jpg"))):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"not started" in stderr
    assert b"Traceback" not in stderr
    results = list(new.iterdir())
    assert 0 < len(results) < 60
    assert all(path.suffix == ".jpg" and is_picture(path.read_bytes(), "JPEG") for path in results)


def test_ctrl_c_ends_the_wait_before_a_retry(
    environ: dict[str, str], photo: Path, tmp_path: Path, api: Api
) -> None:
    with unreliable(api.server.url, *[503] * 9) as relay:
        settings = {"BGBLUR_API": relay.url, "BGBLUR_API_KEY": api.key}
        process = subprocess.Popen(
            [*INTERRUPTIBLE, "blur", *RADIUS, photo.name],
            cwd=tmp_path,
            env={**environ, **settings},
            stderr=subprocess.PIPE,
        )
        with process:
            while not relay.seen:
                assert process.poll() is None
                time.sleep(0.02)
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"interrupted" in stderr
    assert list(tmp_path.iterdir()) == [photo]


def test_a_second_ctrl_c_ends_a_call_that_gets_no_response(
    environ: dict[str, str], photo: Path, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        process = subprocess.Popen(
            [*INTERRUPTIBLE, "blur", *RADIUS, photo.name],
            cwd=tmp_path,
            env={**environ, "BGBLUR_API": url, "BGBLUR_API_KEY": "key"},
        )
        with process, silent.accept()[0] as connection:
            received = b""
            while not received.endswith(b"--\r\n"):
                received += connection.recv(100_000)
            process.send_signal(signal.SIGINT)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1)
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 130
    assert list(tmp_path.iterdir()) == [photo]


def test_pipes_devices_circular_links_and_long_names_in_a_folder_each_get_an_error(
    run: Run, tmp_path: Path
) -> None:
    fill(tmp_path / "album", "a.jpg")
    os.mkfifo(tmp_path / "album" / "pipe.jpg")
    os.mkfifo(tmp_path / "album" / "a-blurred.jpg")
    (tmp_path / "album" / "zero.jpg").symlink_to("/dev/zero")
    (tmp_path / "album" / "circle.jpg").symlink_to("circle.jpg")
    (tmp_path / "album" / ("x" * 250 + ".jpg")).write_bytes(PHOTO)
    done = run("album", "--json")
    assert done.returncode == 1
    files = json.loads(done.stdout)["files"]
    codes = {Path(file["source"]).name[:8]: file["error"]["code"] for file in files}
    assert codes == {
        "a.jpg": "unwritable",
        "circle.j": "unreadable",
        "pipe.jpg": "unreadable",
        "xxxxxxxx": "unwritable",
        "zero.jpg": "unreadable",
    }


def test_a_command_with_a_file_name_that_is_too_long_exits_with_2(run: Run, photo: Path) -> None:
    for arguments in (("y" * 300,), (photo.name, "-o", "y" * 300)):
        done = run(*arguments)
        assert done.returncode == 2
        assert done.stderr.decode().endswith(": File name too long\n")


def test_a_result_has_no_more_permissions_than_its_photo(run: Run, photo: Path) -> None:
    photo.chmod(0o600)
    assert run(photo.name).returncode == 0
    assert photo.with_name("photo-blurred.jpg").stat().st_mode & 0o777 == 0o600


UNIX_ONLY = """
import os, signal, sys
for module in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[module] = None
for name in ("fork", "forkpty", "getuid", "geteuid", "killpg", "mkfifo", "nice", "O_NONBLOCK",
             "posix_spawn", "register_at_fork", "sched_getaffinity", "set_blocking", "setsid",
             "sysconf", "waitid"):
    delattr(os, name)
for name in ("SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGUSR1", "setitimer"):
    delattr(signal, name)
open("without/loaded", "w").close()
"""


def test_photos_are_blurred_on_a_system_without_unix_functions(
    run_program: Run, api_settings: dict[str, str], photo: Path, tmp_path: Path
) -> None:
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "sitecustomize.py").write_text(UNIX_ONLY)
    with Image.open(io.BytesIO(PHOTO)) as image:
        image.save(tmp_path / "photo.avif")
    without = {"PYTHONPATH": str(tmp_path / "without")}
    for way in ({}, api_settings):
        done = run_program(
            photo.name,
            "photo.avif",
            "-o",
            "new",
            "--format",
            "png",
            "--overwrite",
            **without,
            **way,
        )
        assert (done.returncode, done.stderr.count(b"\n")) == (0, 1), done.stderr
        assert is_picture((tmp_path / "new" / "photo.jpg.png").read_bytes())
        assert is_picture((tmp_path / "new" / "photo.avif.png").read_bytes())
    assert (tmp_path / "without" / "loaded").exists()
