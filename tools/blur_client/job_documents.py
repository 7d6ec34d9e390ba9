"""The JSON of bulk jobs: a job with its counts, its failures, and the rows of its manifest."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from blur_client.responses import unexpected
from blur_client.urls import absolute_url

if TYPE_CHECKING:
    import requests

_RESULT_PATH = re.compile(r"/v2/jobs/[^/]+/results/([^/]+)")


@dataclass(frozen=True, slots=True)
class UploadForm:
    """The presigned form with which the photos of an open job are uploaded."""

    url: str
    fields: Mapping[str, str] = field(repr=False)
    """The form's fields; they contain a signature."""
    prefix: str
    """The start of `key`, before the name of the photo."""
    max_bytes: int
    """The size of the largest photo that the form accepts."""
    expires_at: str
    """The time when the form expires (RFC 3339). Each request for an open job gets a new form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as the API returned it."""

    job_id: str
    state: str
    """`open`, `closed`, `paused`, `done` or `cancelled`."""
    parameters: Mapping[str, str]
    received: int
    done: int
    failed: int
    cancelled: int
    charged: float
    """The credits charged for all results so far."""
    seconds_left: float | None
    """The estimated time until the end, computed from the progress so far, or None."""
    upload: UploadForm | None
    """None if the job accepts no more photos."""
    copy_to: str | None
    """The address to which an operator can copy photos, such as `s3://…/`."""
    notify_secret: str | None = field(repr=False)
    """The secret of the notification's signature; only the response to `create` has it."""
    created_at: str
    closed_at: str | None
    ended_at: str | None

    @property
    def ended(self) -> int:
        """The number of photos that are done, failed or cancelled."""
        return self.done + self.failed + self.cancelled

    @property
    def has_ended(self) -> bool:
        """Whether the job has ended: all its photos are done, failed or cancelled."""
        return self.ended_at is not None


@dataclass(frozen=True, slots=True)
class JobFailure:
    """A failed photo of a job; the photo was not charged."""

    source: str
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestRow:
    """The outcome for one photo of a job."""

    source: str
    """The name that the photo was uploaded with. Do not use it as a path without a check."""
    state: str
    """`done`, `failed` or `cancelled`."""
    result: str | None = field(repr=False)
    """The link of the result; it can contain a signature."""
    code: str | None
    """The code of the error, if the photo failed."""
    message: str | None
    credits: float
    milliseconds: int

    @property
    def object_id(self) -> str | None:
        """The id of the result in the API's paths; None for a link to a bucket."""
        match = _RESULT_PATH.search(urlsplit(self.result or "").path)
        return match[1] if match else None


def parse_job(document: Mapping[str, Any], response_url: str) -> Job:
    """Parse the JSON of a job; URLs in it can be relative to `response_url`."""
    counts = document["counts"]
    return Job(
        job_id=document["job_id"],
        state=document["state"],
        parameters=document["parameters"],
        received=counts["received"],
        done=counts["done"],
        failed=counts["failed"],
        cancelled=counts["cancelled"],
        charged=counts["charged"],
        seconds_left=document.get("seconds_left"),
        upload=_parse_form(document.get("upload"), response_url),
        copy_to=document.get("copy_to"),
        notify_secret=document.get("notify_secret"),
        created_at=document["created_at"],
        closed_at=document.get("closed_at"),
        ended_at=document.get("ended_at"),
    )


def _parse_form(form: Mapping[str, Any] | None, response_url: str) -> UploadForm | None:
    if form is None:
        return None
    return UploadForm(
        url=absolute_url(response_url, form["url"]),
        fields=form["fields"],
        prefix=form["prefix"],
        max_bytes=form["max_bytes"],
        expires_at=form["expires_at"],
    )


def parse_failures(document: Mapping[str, Any]) -> list[JobFailure]:
    """Parse the failures in the JSON of a job."""
    return [
        JobFailure(each["source"], each["code"], each["message"] or "")
        for each in document.get("failures", [])
    ]


def parse_rows(response: requests.Response) -> list[ManifestRow]:
    """Parse a page of a manifest: JSON lines.

    Raises:
        UnexpectedResponseError: a line is not a valid row of a manifest.

    """
    try:
        return [_parse_row(json.loads(line), response.url) for line in response.iter_lines()]
    except (ValueError, KeyError, TypeError) as error:
        message = f"the manifest has a line that cannot be read: {type(error).__name__}"
        raise unexpected(response, message) from error


def _parse_row(document: Mapping[str, Any], response_url: str) -> ManifestRow:
    if document["result"] is not None:
        absolute_url(response_url, document["result"])  # fails if the link is not valid
    return ManifestRow(
        source=str(document["source"]),
        state=document["state"],
        result=document["result"],
        code=document["code"],
        message=document["message"],
        credits=document["credits"],
        milliseconds=document["milliseconds"],
    )


def next_cursor(response: requests.Response) -> str | None:
    """Return the cursor in the link to the next page (RFC 8288), or None for the last page.

    The link's address is not used: the next request has the API key, and the address could be on
    another host.
    """
    url = response.links.get("next", {}).get("url", "")
    return parse_qs(url.partition("?")[2]).get("after", [None])[0]
