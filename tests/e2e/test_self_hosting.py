"""Tests docs/self-hosting.md: the container of compose.yaml, and the proxies in front of it."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import requests
from PIL import Image
from tests.documents import blocks
from tests.e2e import machine, programs
from tests.e2e.nginx import nginx as nginx_server
from tests.ports import free_port

DOCUMENT = "docs/self-hosting.md"
PHOTO = (machine.ROOT / "site" / "sample.jpg").read_bytes()
COMPOSE = "docker-compose"
START_S = 120


class Project:
    """A separate compose project for these tests, from our compose.yaml."""

    def __init__(self, name: str, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._command = [COMPOSE, "--project-name", name]
        self._environ = {
            **os.environ,
            "BASE_IMAGE": machine.BASE_IMAGE,
            "PORT": str(port),
            "DOCKER_BUILDKIT": "0",
        }

    def run(self, *arguments: str) -> str:
        """Run a subcommand of compose; return the output."""
        command = [*self._command, *arguments]
        printed: str = subprocess.check_output(
            command, cwd=machine.ROOT, env=self._environ, text=True
        )
        return printed

    def inspect(self, form: str) -> str:
        """Return the template `form`, filled in with the details of the running container."""
        container = self.run("ps", "--quiet", "api").strip()
        command = ["docker", "inspect", "--format", form, container]
        printed: str = subprocess.check_output(command, text=True)
        return printed.strip()

    def wait_until_healthy(self) -> None:
        """Wait until Docker's own health check has passed."""
        deadline = time.monotonic() + START_S
        while (health := self.inspect("{{.State.Health.Status}}")) != "healthy":
            assert time.monotonic() < deadline, f"{health}: {self.run('logs', '--no-color')}"
            time.sleep(0.5)

    def issue_key(self, credits_: int) -> str:
        """Issue a key with the documented command."""
        printed = self.run("exec", "-T", "api", *f"bgblur keys issue --credits {credits_}".split())
        keys: list[str] = re.findall(r"bb_live_\w+", printed)
        return max(keys, key=len)  # the command also prints the key's prefix


@pytest.fixture(scope="module")
def project(server_image: Callable[[], None]) -> Iterator[Project]:
    """Run the server as `docker compose up --build --detach` does."""
    server_image()
    project = Project(f"bgblur-test-{os.getpid()}", free_port())
    try:
        project.run("up", "--build", "--detach")
        project.wait_until_healthy()
        yield project
    finally:
        project.run("down", "--volumes", "--timeout", "10")


@pytest.fixture(scope="module")
def key(project: Project) -> str:
    return project.issue_key(100)


def blurred(url: str, key: str, *, verify: str | bool = True) -> requests.Response:
    return requests.post(
        f"{url}/v2/rembg/blur/",
        headers={"ApiKey": key},
        files={"image": PHOTO},
        data={"radius": "8"},
        timeout=120,
        verify=verify,
    )


def credits_left(url: str, key: str) -> int:
    answer = requests.get(f"{url}/v2/account", headers={"ApiKey": key}, timeout=30)
    return int(answer.json()["balance"])


def test_the_container_blurs_photos_and_serves_the_page(project: Project, key: str) -> None:
    answer = blurred(project.url, key)
    assert answer.status_code == 200
    assert Image.open(io.BytesIO(answer.content)).size == Image.open(io.BytesIO(PHOTO)).size
    page = requests.get(project.url, headers={"Accept": "text/html"}, timeout=30)
    assert "<html" in page.text


def test_the_container_is_unprivileged_and_writes_only_to_its_volume(project: Project) -> None:
    assert project.run("exec", "-T", "api", "id", "--user").strip() == "10001"
    assert project.inspect("{{.HostConfig.ReadonlyRootfs}}") == "true"
    assert project.inspect("{{.HostConfig.CapDrop}}") == "[ALL]"
    with pytest.raises(subprocess.CalledProcessError):
        project.run("exec", "-T", "api", "touch", "/app/file")
    modes = project.run("exec", "-T", "api", "stat", "--format", "%a", "/data", "accounts.db")
    assert modes.split() == ["700", "600"]


def test_accounts_are_kept_if_the_container_is_replaced(project: Project, key: str) -> None:
    before = credits_left(project.url, key)
    project.run("up", "--detach", "--force-recreate")
    project.wait_until_healthy()
    assert credits_left(project.url, key) == before
    assert blurred(project.url, key).status_code == 200
    assert credits_left(project.url, key) == before - 1


def test_a_stopping_container_finishes_accepted_requests(project: Project, key: str) -> None:
    answers: list[int] = []
    before = credits_left(project.url, key)
    calls = [
        threading.Thread(target=lambda: answers.append(blurred(project.url, key).status_code))
        for _ in range(3)
    ]
    for call in calls:
        call.start()
    time.sleep(0.3)
    project.run("stop")
    for call in calls:
        call.join()
    assert project.inspect("{{.State.ExitCode}}") in {"0", str(128 + signal.SIGTERM)}
    project.run("up", "--detach")
    project.wait_until_healthy()
    assert answers == [200] * 3
    assert credits_left(project.url, key) == before - 3


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 that only these tests trust."""
    folder = tmp_path_factory.mktemp("tls")
    chain, private = folder / "fullchain.pem", folder / "privkey.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(private), "-out", str(chain)]
    subprocess.run(command, check=True, capture_output=True)
    return chain, private


@pytest.fixture
def nginx(
    project: Project, certificate: tuple[Path, Path], tmp_path: Path
) -> Iterator[tuple[str, str]]:
    """Run nginx with the document's server block; only host, ports and paths are replaced."""
    [block] = blocks(DOCUMENT, "nginx")
    port, (chain, private) = free_port(), certificate
    server = block.text.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    server = server.replace("blur.example.com;", "127.0.0.1;")
    server = re.sub(r"/etc/letsencrypt/\S+/fullchain.pem", str(chain), server)
    server = re.sub(r"/etc/letsencrypt/\S+/privkey.pem", str(private), server)
    server = server.replace("http://127.0.0.1:8080", project.url)
    with nginx_server(server, port, tmp_path):
        yield f"https://127.0.0.1:{port}", str(chain)


@pytest.fixture
def caddy(project: Project, tmp_path: Path) -> Iterator[str]:
    """Run Caddy with the document's Caddyfile, without a public certificate."""
    [text] = [block.text for block in blocks(DOCUMENT, "") if "reverse_proxy" in block.text]
    port = free_port()
    text = text.replace("blur.example.com", f"http://127.0.0.1:{port}")
    text = text.replace("127.0.0.1:8080", project.url.removeprefix("http://"))
    (tmp_path / "Caddyfile").write_text("{\n\tadmin off\n}\n" + text)
    command = ["caddy", "run", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile"]
    ready = partial(machine.listens, "127.0.0.1", port)
    environ = {"HOME": str(tmp_path)}
    with programs.started(
        command, folder=tmp_path, log=tmp_path / "log", until=ready, environ=environ
    ):
        yield f"http://127.0.0.1:{port}"


def test_a_photo_is_blurred_through_nginx_as_documented(nginx: tuple[str, str], key: str) -> None:
    url, certificate = nginx
    assert blurred(url, key, verify=certificate).status_code == 200


def test_a_body_of_15_mb_reaches_the_server_through_nginx_as_documented(
    nginx: tuple[str, str], key: str
) -> None:
    url, certificate = nginx
    answer = requests.post(
        f"{url}/v2/rembg/blur/",
        headers={"ApiKey": key},
        # A JPEG followed by more bytes than nginx accepts by default.
        files={"image": PHOTO + bytes(15_000_000)},
        data={"radius": "8"},
        timeout=120,
        verify=certificate,
    )
    assert answer.status_code in {200, 400}
    assert "request-id" in str(answer.headers).lower(), "nginx rejected the request"


def test_a_photo_is_blurred_through_caddy_as_documented(caddy: str, key: str) -> None:
    assert blurred(caddy, key).status_code == 200


@pytest.mark.usefixtures("debian_packages")
def test_systemd_accepts_the_documented_unit(tmp_path: Path) -> None:
    [block] = blocks(DOCUMENT, "ini")
    unit = tmp_path / "bgblur.service"
    unit.write_text(block.text.replace("/opt/bgblur/bin/bgblur", str(shutil.which("true"))))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    with contextlib.suppress(StopIteration):
        problem = next(line for line in done.stderr.splitlines() if "bgblur.service" in line)
        pytest.fail(problem)
