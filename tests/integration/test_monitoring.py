"""`/health`, `/ready` and the metrics of a real server."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families
from tests.documents import ROOT
from tests.integration.running import BGBLUR, ServerProcess, environment, running
from tests.ports import free_port

WORKERS = 2
PHOTO = (ROOT / "site" / "sample.jpg").read_bytes()


@dataclass(frozen=True, slots=True)
class Monitored:
    """A running server, the URL of the server's metrics, and a key."""

    server: ServerProcess
    metrics_url: str
    key: str

    def status(self, path: str) -> tuple[int, str]:
        """Return the status of a GET, and the document's `status` or the error's code."""
        answer = requests.get(f"{self.server.url}{path}", timeout=30)
        document = answer.json()
        return answer.status_code, document.get("status") or document["error"]["code"]

    def value(self, name: str, **labels: str) -> float:
        """Return the value of a sample in the metrics, or 0 if the metrics do not contain it."""
        text = requests.get(self.metrics_url, timeout=30).text
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return float(sample.value)
        return 0.0


@pytest.fixture(scope="module")
def monitored(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Iterator[Monitored]:
    folder = tmp_path_factory.mktemp("monitored")
    environ = environment(folder, model_dir)
    command = [*BGBLUR, "keys", "issue", "--credits", "100", "--json"]
    key = json.loads(subprocess.check_output(command, env=environ))["key"]
    port = free_port()
    options = ("--metrics", str(port), "--workers", str(WORKERS))
    with running(folder, environ, *options) as server:
        yield Monitored(server, f"http://127.0.0.1:{port}/metrics", key)


def blur(monitored: Monitored, radius: str = "5", key: str | None = None) -> int:
    answer = requests.post(
        monitored.server.blur_url,
        headers={"ApiKey": key or monitored.key},
        files={"image": PHOTO},
        data={"radius": radius},
        timeout=60,
    )
    return answer.status_code


def test_the_metrics_count_responses_charged_credits_timed_steps_and_workers(
    monitored: Monitored,
) -> None:
    route = "/v2/rembg/blur"
    assert [blur(monitored), blur(monitored), blur(monitored, radius="99")] == [200, 200, 400]
    assert blur(monitored, key="nonsense") == 401
    assert monitored.value("bgblur_answers_total", route=route, status="200") == 2
    for status, code in (("400", "invalid_radius"), ("401", "invalid_api_key")):
        name = "bgblur_answers_total"
        assert monitored.value(name, route=route, status=status, code=code) == 1
    assert monitored.value("bgblur_credits_charged_total") == 2
    assert monitored.value("bgblur_step_seconds_count", step="matte") == 2
    assert monitored.value("bgblur_answer_seconds_count", route=route) == 4
    assert monitored.value("bgblur_workers") == WORKERS
    assert monitored.value("bgblur_workers_busy") == 0


def test_invalid_http_is_counted_in_the_metrics(monitored: Monitored) -> None:
    host, _, port = monitored.server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as client:
        client.sendall(b"this is not HTTP\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 400")
    assert monitored.value("bgblur_answers_total", status="400", code="invalid_request") == 1


def test_the_public_port_has_no_metrics(monitored: Monitored) -> None:
    assert monitored.status("/metrics") == (404, "not_found")


def test_a_server_that_listens_is_ready(monitored: Monitored) -> None:
    assert monitored.status("/ready") == (200, "ready")


def test_a_server_with_an_unreachable_store_is_healthy_but_not_ready(
    tmp_path: Path, model_dir: Path, refused_url: str
) -> None:
    aws = {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL_DYNAMODB": refused_url,
    }
    environ = environment(tmp_path, model_dir) | aws | {"BLUR_ACCOUNTS": "dynamodb:accounts"}
    with running(tmp_path, environ) as server:
        monitored = Monitored(server, "", "")
        assert monitored.status("/ready") == (503, "temporarily_unavailable")
        assert monitored.status("/health") == (200, "ok")


def test_head_request_to_ready_gets_200_without_a_body(monitored: Monitored) -> None:
    answer = requests.head(f"{monitored.server.url}/ready", timeout=30)
    assert (answer.status_code, answer.content) == (200, b"")
