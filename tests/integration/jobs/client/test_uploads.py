"""The client uploads photos to servers that send errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.integration.jobs.client.conftest import ACCEPTED
from tests.integration.jobs.scripted_api import (
    JOB_ID,
    ROUTE,
    Reply,
    ScriptedApi,
    error,
    job,
    json_reply,
)

from blur_client.errors import (
    ImageTooLargeError,
    InvalidApiKeyError,
    InvalidImageError,
    JobClosedError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from blur_client import Client
    from blur_client.source import PhotoInput

EXPIRED_IN_FOLDER = error(404, "upload_not_found")
EXPIRED_IN_BUCKET = Reply(403, b"<Error><Code>AccessDenied</Code></Error>")


@pytest.mark.parametrize("expired", [EXPIRED_IN_FOLDER, EXPIRED_IN_BUCKET])
def test_an_expired_form_is_renewed_once_and_the_photo_is_sent_again(
    expired: Reply, api: ScriptedApi, client: Client
) -> None:
    api.on("GET", ROUTE, json_reply(job("/old")), json_reply(job("/new")))
    api.on("POST", "/old", ACCEPTED, expired)
    api.on("POST", "/new", ACCEPTED)
    uploads = client.jobs.uploads(JOB_ID)
    for source in ("a.jpg", "sub/ä.jpg", "c.jpg"):
        uploads.upload(source, b"photo")
    assert [len(api.requests("POST", path)) for path in ("/old", "/new")] == [2, 2]
    assert len(api.requests("GET", ROUTE)) == 2
    forms = api.requests("POST", "/new")
    assert "jobs/job_1/sub/ä.jpg".encode() in forms[0].body
    assert all("apikey" not in form.headers for form in forms)


def test_a_closed_job_accepts_no_photo(api: ScriptedApi, client: Client) -> None:
    api.on("GET", ROUTE, json_reply(job("/form")), json_reply(job()))
    api.on("POST", "/form", EXPIRED_IN_FOLDER)
    uploads = client.jobs.uploads(JOB_ID)
    with pytest.raises(JobClosedError, match="done"):
        uploads.upload("a.jpg", b"photo")


def test_a_photo_that_is_too_large_is_not_sent(api: ScriptedApi, client: Client) -> None:
    api.on("GET", ROUTE, json_reply(job("/form")))
    with pytest.raises(ImageTooLargeError, match="1000 bytes"):
        client.jobs.uploads(JOB_ID).upload("a.jpg", b"x" * 1001)
    assert api.requests("POST", "/form") == []


def test_an_empty_file_is_not_sent(api: ScriptedApi, client: Client) -> None:
    api.on("GET", ROUTE, json_reply(job("/form")))
    with pytest.raises(InvalidImageError, match="file is empty"):
        client.jobs.uploads(JOB_ID).upload("a.jpg", b"")
    assert api.requests("POST", "/form") == []


def test_an_error_that_concerns_one_photo_does_not_stop_the_other_photos(
    api: ScriptedApi, client: Client, tmp_path: Path
) -> None:
    api.on("GET", ROUTE, json_reply(job("/form")))
    api.on("POST", "/form", error(400, "invalid_request"), ACCEPTED)
    photos: list[tuple[str, PhotoInput]] = [
        ("bad", b"photo"),
        ("gone.jpg", tmp_path / "gone.jpg"),
        ("a.jpg", b"photo"),
    ]
    ended = list(client.jobs.uploads(JOB_ID).upload_all(photos, threads=1))
    assert {each.source: each.error is None for each in ended} == {
        "bad": False,
        "gone.jpg": False,
        "a.jpg": True,
    }


def test_an_error_that_concerns_all_photos_stops_the_upload(
    api: ScriptedApi, client: Client
) -> None:
    api.on("GET", ROUTE, json_reply(job("/form")))
    api.on("POST", "/form", error(401, "invalid_api_key"))
    photos = ((f"{number}.jpg", b"photo") for number in range(100))
    with pytest.raises(InvalidApiKeyError):
        list(client.jobs.uploads(JOB_ID).upload_all(photos, threads=2))
    assert len(api.requests("POST", "/form")) <= 8


def test_with_two_threads_at_most_four_photos_are_read_ahead_of_the_finished_uploads(
    api: ScriptedApi, client: Client
) -> None:
    api.on("GET", ROUTE, json_reply(job("/form")))
    api.on("POST", "/form", ACCEPTED)
    taken = []

    def photos() -> Iterator[tuple[str, bytes]]:
        for number in range(200):
            taken.append(number)
            yield f"{number}.jpg", b"photo"

    ahead = [
        len(taken) - ended
        for ended, _ in enumerate(client.jobs.uploads(JOB_ID).upload_all(photos(), threads=2), 1)
    ]
    assert len(ahead) == 200
    assert max(ahead) <= 4
