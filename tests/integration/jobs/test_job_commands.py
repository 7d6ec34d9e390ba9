"""`bgblur jobs` with a real server, from a folder of photos to results and a manifest."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path

import pytest
from click.testing import Result
from tests.integration.accounts.operators import operate, run_here
from tests.integration.jobs.photo_folder import PHOTO, fill, manifest
from tests.integration.running import BGBLUR
from tests.integration.storage.conftest import Api, issue, serve

from blur_client import Client
from blur_client.jobs import Jobs

OPTIONS = ("-r", "2%", "--format", "jpeg")
Run = Callable[..., Result]


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory, counting_models: Path) -> Iterator[Api]:
    yield from serve(tmp_path_factory.mktemp("jobs"), counting_models)


@pytest.fixture
def key(api: Api) -> str:
    """Return a key of a new account with 100 credits."""
    return issue(api.env)


@pytest.fixture
def environ(api: Api, key: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BGBLUR_")}
    return {**kept, "BGBLUR_API": api.server.url, "BGBLUR_API_KEY": key}


@pytest.fixture
def run(tmp_path: Path, environ: dict[str, str], key: str) -> Run:
    """Return a function that runs `bgblur jobs` and requires that the key is not in the output."""

    def jobs(*arguments: str, **settings: str) -> Result:
        with chdir(tmp_path):
            ended = run_here({**environ, **settings}, "jobs", *arguments)
        assert key not in ended.output
        return ended

    return jobs


def test_a_folder_is_blurred_and_its_manifest_agrees_with_balance_and_usage(
    run: Run, api: Api, key: str, tmp_path: Path
) -> None:
    photos = ["a.jpg", "sub/a.jpg", "sub/deeper/ä b.jpg"]
    fill(tmp_path / "album", photos)
    fill(tmp_path / "album", ["broken.jpg"], b"this is not an image")
    fill(tmp_path / "album", [".hidden.jpg", "a-blurred.jpg", "notes.txt"])
    sent = run("submit", "album", "-R", *OPTIONS, "--wait", "--json")
    remembered = {each["job"]: each for each in json.loads(run("list", "--json").stdout)}
    here = remembered[json.loads(sent.stdout)["job_id"]]
    assert (here["folder"], here["api"]) == (str(tmp_path / "album"), api.server.url)
    assert (sent.exit_code, sent.stdout > "") == (1, True), sent.stderr
    document = json.loads(sent.stdout)
    counts = ("state", "uploaded", "received", "done", "failed", "charged")
    assert [document[name] for name in counts] == ["done", 4, 4, 3, 1, 3]

    job_id = document["job_id"]
    fetched = run("fetch", job_id, "-o", "results")
    assert fetched.exit_code == 1, fetched.stderr
    assert "3 results saved in results. 3 of 4 photos done, 1 failed" in fetched.stderr
    rows = manifest(tmp_path / "results")
    assert {source: row["file"] for source, row in rows.items()} == {
        **{photo: photo for photo in photos},
        "broken.jpg": None,
    }
    assert rows["broken.jpg"]["code"] == "invalid_image"
    with Client(api.server.url, key) as client:
        single = client.blur(PHOTO, radius="2%", format="jpeg", depth="ground").data
        account = client.account()
    for photo in photos:
        assert (tmp_path / "results" / photo).read_bytes() == single
    (usage,) = account.usage.values()
    assert usage["credits"] == sum(row["credits"] for row in rows.values()) + 1 == 4
    assert (account.balance, account.held) == (96, 0)
    assert operate(api.env, "accounts", "audit")["differences"] == []

    shown = run("status", job_id)
    assert shown.exit_code == 0
    assert "broken.jpg: " in shown.stdout
    assert "[invalid_image]" in shown.stdout
    listed = json.loads(run("status", job_id, "--json").stdout)
    assert [each["source"] for each in listed["failures"]] == ["broken.jpg"]


def test_a_second_fetch_checks_and_skips_complete_results(run: Run, tmp_path: Path) -> None:
    names = [f"{number}.jpg" for number in range(4)]
    fill(tmp_path / "album", names)
    job_id = json.loads(run("submit", "album", *OPTIONS, "--json").stdout)["job_id"]
    first = json.loads(run("fetch", job_id, "-o", "results", "--wait", "--json").stdout)
    assert (first["fetched"], first["skipped"]) == (4, 0)
    results = tmp_path / "results"
    complete = (results / "0.jpg").read_bytes()
    (results / "0.jpg").write_bytes(complete[:-1])
    (results / "1.jpg").unlink()
    second = run("fetch", job_id, "-o", "results", "--json")
    assert second.exit_code == 0, second.stderr
    assert [json.loads(second.stdout)[name] for name in ("fetched", "skipped")] == [2, 2]
    assert [(results / name).read_bytes() for name in names] == [complete] * 4
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "0.jpg").write_bytes(b"mine")
    third = run("fetch", job_id, "-o", "mine")
    assert third.exit_code == 1
    assert "0.jpg exists (--overwrite replaces it)" in third.stderr
    assert (tmp_path / "mine" / "0.jpg").read_bytes() == b"mine"
    assert run("fetch", job_id, "-o", "mine", "--overwrite").exit_code == 0
    assert (tmp_path / "mine" / "0.jpg").read_bytes() == complete


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_upload_is_continued_and_each_photo_is_charged_once(
    way: signal.Signals, run: Run, environ: dict[str, str], tmp_path: Path
) -> None:
    names = [f"{number:02}.jpg" for number in range(80)]
    fill(tmp_path / "album", names[:3])
    fill(tmp_path / "album", names[3:], b"this is not an image")  # not images: they fail quickly
    interruptible = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = [BGBLUR[0], "-c", f"{interruptible}; from bgblur.cli import main; main()"]
    process = subprocess.Popen(
        [*program, "jobs", "submit", "album", *OPTIONS, "--parallel", "1"],
        cwd=tmp_path,
        env=environ,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process, Client(environ["BGBLUR_API"], environ["BGBLUR_API_KEY"]) as client:
        assert process.stderr
        job_id = process.stderr.readline().split()[1]
        while client.jobs.status(job_id).received < 3:
            time.sleep(0.05)
        process.send_signal(way)
        rest = process.stderr.read()
        assert process.wait(60) == (130 if way == signal.SIGINT else -way)
        assert ("Continue with: bgblur jobs submit album --job" in rest) == (way == signal.SIGINT)
        sent = client.jobs.status(job_id)
    assert 3 <= sent.received < 80
    assert sent.state == "open"
    again = run("submit", "album", "--job", job_id, "--wait", "--json")
    assert again.exit_code == 1, again.stderr
    document = json.loads(again.stdout)
    assert document["uploaded"] + document["skipped"] == document["received"] == 80
    assert document["skipped"] >= sent.received - 2, "more than two photos were sent twice"
    assert [document[name] for name in ("state", "done", "failed")] == ["done", 3, 77]
    with Client(environ["BGBLUR_API"], environ["BGBLUR_API_KEY"]) as client:
        assert client.account().balance == 97
    closed = run("submit", "album", "--job", job_id)
    assert closed.exit_code == 1
    assert "The job is done, so no photo can be added. [job_closed]" in closed.stderr
    assert f"Progress: bgblur jobs status {job_id} --wait" in closed.stderr


def test_a_job_that_is_closed_during_the_upload_is_not_called_open(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "album", ["a.jpg"])
    uploads = Jobs.uploads
    monkeypatch.setattr(Jobs, "uploads", lambda jobs, job: (uploads(jobs, job), jobs.close(job))[0])
    closed = run("submit", "album", *OPTIONS)
    assert closed.exit_code == 1
    assert "[job_closed, " in closed.stderr
    assert "open" not in closed.stderr


def test_the_printed_commands_reach_the_same_api_if_an_option_has_set_the_api(
    run: Run, api: Api, tmp_path: Path
) -> None:
    fill(tmp_path / "album", ["0.jpg"])
    url = api.server.url
    sent = run("submit", "album", *OPTIONS, "--wait", "--api", url, BGBLUR_API="")
    [printed] = re.findall(r"^Results:  bgblur jobs (.* -o FOLDER .*)$", sent.stderr, re.MULTILINE)
    fetched = run(*shlex.split(printed), BGBLUR_API="")
    assert fetched.exit_code == 0, fetched.stderr
    assert [file.stem for file in (tmp_path / "FOLDER").glob("*.jpg")] == ["0"]
    job_id = sent.stdout.strip()
    closed = run("submit", "album", "--job", job_id, "--api", url, BGBLUR_API="")
    assert f"Progress: bgblur jobs status {job_id} --wait --api {url}" in closed.stderr


def test_a_job_without_credits_pauses_and_resumes_after_a_top_up(
    run: Run, api: Api, tmp_path: Path
) -> None:
    poor = issue(api.env, funds=2)
    fill(tmp_path / "album", [f"{number}.jpg" for number in range(4)])
    sent = run("submit", "album", *OPTIONS, "--json", BGBLUR_API_KEY=poor)
    job_id = json.loads(sent.stdout)["job_id"]
    with Client(api.server.url, poor) as client:
        while client.jobs.status(job_id).state != "paused":
            time.sleep(0.2)
        assert client.jobs.status(job_id).done == 2
        operate(api.env, "accounts", "top-up", client.account().account_id, "10")
    ended = run("status", job_id, "--wait", "--json", BGBLUR_API_KEY=poor)
    document = json.loads(ended.stdout)
    assert [document[name] for name in ("state", "done", "charged")] == ["done", 4, 4]


def test_after_a_job_is_cancelled_only_its_results_are_charged(
    run: Run, api: Api, key: str, tmp_path: Path
) -> None:
    fill(tmp_path / "album", [f"{number:02}.jpg" for number in range(30)])
    job_id = json.loads(run("submit", "album", *OPTIONS, "--json").stdout)["job_id"]
    assert json.loads(run("cancel", job_id, "--json").stdout)["state"] == "cancelled"
    with Client(api.server.url, key) as client:
        while client.account().held:  # a worker is still processing a photo
            time.sleep(0.1)
        balance, job = client.account().balance, client.jobs.status(job_id)
    assert job.state == "cancelled"
    assert job.charged == job.done == 100 - balance < 30
    assert run("fetch", job_id, "-o", "results").exit_code == 0
    rows = manifest(tmp_path / "results")
    assert sum(row["file"] is not None for row in rows.values()) == job.done


def test_each_command_with_the_key_of_another_account_reports_job_not_found(
    run: Run, api: Api, tmp_path: Path
) -> None:
    fill(tmp_path / "album", ["a.jpg"])
    job_id = json.loads(run("submit", "album", *OPTIONS, "--json").stdout)["job_id"]
    for command in (("status",), ("cancel",), ("close",), ("fetch", "-o", "results")):
        other = run(command[0], job_id, *command[1:], BGBLUR_API_KEY=api.other_key)
        assert other.exit_code == 1
        assert "[job_not_found" in other.stderr
    assert not list((tmp_path / "results").glob("*.jpg"))


def test_jobs_close_closes_an_open_job(run: Run, api: Api, key: str, tmp_path: Path) -> None:
    with Client(api.server.url, key) as client:
        job = client.jobs.create(radius=9, format="jpeg")
        client.jobs.uploads(job.job_id).upload("a.jpg", PHOTO)
    assert "closed" in run("close", job.job_id).stdout
    ended = run("fetch", job.job_id, "-o", "results", "--wait")
    assert ended.exit_code == 0, ended.stderr
    assert (tmp_path / "results" / "a.jpg").is_file()
