"""The output of `bgblur jobs`: details of a job, the reasons for long waits, and errors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.integration.jobs.client.conftest import ACCEPTED, run
from tests.integration.jobs.scripted_api import JOB_ID, KEY, ROUTE, ScriptedApi, job, json_reply

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("json_option", [(), ("--json",)])
def test_the_command_prints_the_secret_of_the_notification(
    json_option: tuple[str, ...], api: ScriptedApi, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"photo")
    secret = "whsec_" + "a" * 32
    api.on("POST", "/v2/jobs", json_reply({**job("/form"), "notify_secret": secret}, 201))
    api.on("GET", ROUTE, json_reply(job("/form")))
    api.on("POST", "/form", ACCEPTED)
    api.on("POST", f"{ROUTE}/close", json_reply(job()))
    options = ("-r", "9", "--notify", "https://example.com/hook", *json_option)
    ended = run(api, tmp_path, "submit", ".", *options)
    assert ended.exit_code == 0, ended.stderr
    assert f"Secret for the notification, shown once: {secret}" in ended.stderr
    if json_option:
        assert json.loads(ended.stdout)["notify_secret"] == secret


def test_the_reason_for_a_long_wait_is_printed(api: ScriptedApi, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"photo")
    message = "The storage for uploads is almost full."
    full = {"error": {"code": "temporarily_unavailable", "message": message, "request_id": "r"}}
    api.on("POST", "/v2/jobs", json_reply(job("/form"), 201))
    api.on("GET", ROUTE, json_reply(job("/form")))
    api.on("POST", "/form", json_reply(full, 503, **{"Retry-After": "5"}), ACCEPTED)
    api.on("POST", f"{ROUTE}/close", json_reply(job()))
    ended = run(api, tmp_path, "submit", ".", "-r", "9")
    assert ended.exit_code == 0, ended.stderr
    assert f"Waiting 5 s before each new attempt: {message}" in ended.stderr


@pytest.mark.parametrize(
    ("options", "differing"),
    [
        (("-r", "40", "--format", "png"), "--radius and --format"),
        (("--radius", "2%", "--notify", "https://example.com/hook"), "--notify"),
    ],
)
def test_options_that_differ_from_the_parameters_of_the_job_are_rejected_before_an_upload(
    options: tuple[str, ...], differing: str, api: ScriptedApi, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"photo")
    parameters = {"radius": "2%", "format": "jpeg", "depth": "ground"}
    api.on("GET", ROUTE, json_reply({**job("/form"), "parameters": parameters}))
    ended = run(api, tmp_path, "submit", ".", "--job", JOB_ID, *options)
    assert ended.exit_code == 2
    assert "--radius '2%' --format 'jpeg' --depth 'ground'" in ended.stderr
    assert f"Leave out {differing}, or create a new job." in " ".join(ended.stderr.split())
    api.on("POST", "/form", ACCEPTED)
    api.on("POST", f"{ROUTE}/close", json_reply(job()))
    same = run(api, tmp_path, "submit", ".", "--job", JOB_ID, "-r", "2%", "--format", "jpeg")
    assert same.exit_code == 0, same.stderr


def test_status_and_cancel_show_why_a_job_has_not_ended_yet(
    api: ScriptedApi, tmp_path: Path
) -> None:
    api.on("GET", ROUTE, json_reply(job(state="paused", ended_at=None)))
    api.on("DELETE", ROUTE, json_reply(job(state="cancelled", ended_at=None)))
    assert "goes on after a top-up" in run(api, tmp_path, "status", JOB_ID).stdout
    cancelled = run(api, tmp_path, "cancel", JOB_ID)
    assert "Photos that are being processed are finished first, so the job ends" in cancelled.stdout
    api.on("GET", ROUTE, json_reply(job(state="paused", ended_at=None)), json_reply(job()))
    waited = run(api, tmp_path, "status", JOB_ID, "--wait")
    assert "goes on after a top-up" in waited.stderr
    assert "top-up" not in waited.stdout


def test_the_bucket_address_for_copying_photos_is_shown_only_if_the_job_has_an_address(
    api: ScriptedApi, tmp_path: Path
) -> None:
    target = "s3://bucket/job-sources/job_1/"
    api.on("GET", ROUTE, json_reply(job()), json_reply(job(copy_to=target)))
    assert "copy to" not in run(api, tmp_path, "status", JOB_ID).stdout
    assert target in run(api, tmp_path, "status", JOB_ID).stdout


def test_a_job_id_from_the_api_that_is_not_a_safe_file_name_is_rejected(
    api: ScriptedApi, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"photo")
    api.on("POST", "/v2/jobs", json_reply({**job("/form"), "job_id": "../../outside"}, 201))
    ended = run(api, tmp_path, "submit", ".", "-r", "9")
    assert ended.exit_code == 1
    assert ended.stderr == "Error: The API sent '../../outside', which is not a valid job id.\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("status", "../secret"), 2, "is not a valid job id"),
        (("status", "unknown"), 1, "[not_found, request req_1]"),
        (("submit", "."), 2, "There is no photo in .. Use -R to search its subfolders, too."),
        (("submit", "empty", "-R"), 2, "There is no photo in empty.\n"),
        (("submit", "album"), 2, "Missing option '-r'"),
        (("submit", "", "-r", "9"), 2, "Directory '' does not exist."),
        (("fetch", "j", "-o", ""), 2, "The path is empty."),
        (("submit", "album", "-r", "9", "--key", ""), 2, "BGBLUR_API_KEY"),
        (("status", "j", "--api", "example.com"), 2, "must start with https://"),
        (("status", "j", "--api", "http://[::1"), 2, "must start with https://"),
        (("close", "j", "--api", "http://127.0.0.1:99999"), 2, "must start with https://"),
        (("cancel", "j", "--api", "http://a..b"), 2, "must start with https://"),
        (("fetch", "j", "-o", "x", "--api", "http://"), 2, "must start with https://"),
        (("submit", "album", "-r", "9", "--api", "http://x:y"), 2, "must start with https://"),
        (("status", "j", "--url", "http://127.0.0.1:9", "--key", KEY), 1, "127.0.0.1:9"),
    ],
)
def test_a_wrong_command_fails_and_prints_the_reason(
    arguments: tuple[str, ...], code: int, message: str, api: ScriptedApi, tmp_path: Path
) -> None:
    (tmp_path / "album").mkdir()
    (tmp_path / "album" / "a.jpg").write_bytes(b"photo")
    (tmp_path / "empty").mkdir()
    ended = run(api, tmp_path, *arguments)
    assert ended.exit_code == code
    assert message in ended.stderr
