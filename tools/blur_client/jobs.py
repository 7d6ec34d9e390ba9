"""Bulk jobs: create a job, upload its photos, watch the job, and fetch the results.

Each call except `create` can be repeated safely. Photos of a job with the same name count as one
photo, which is charged once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote, urlencode, urljoin

from blur_client.form import set_fields
from blur_client.job_documents import (
    Job,
    JobFailure,
    ManifestRow,
    next_cursor,
    parse_failures,
    parse_job,
    parse_rows,
)
from blur_client.job_uploads import JobUploads
from blur_client.responses import (
    is_image,
    json_object,
    parse_document,
    parse_error,
    redirect_target,
)
from blur_client.transport import connection_errors, save

if TYPE_CHECKING:
    from requests import Response

    from blur_client.attempts import Attempts
    from blur_client.transport import Transport

JOBS_PATH = "v2/jobs"
PAGE_ROWS = 1000
"""The number of rows on a page of a manifest; such a page has a few hundred kilobytes."""


class Jobs:
    """The bulk jobs of the key's account. Threads can share one instance."""

    def __init__(self, transport: Transport, url: str, attempts: Attempts) -> None:
        """Call the API at `url` through `transport`; `attempts` repeats failed calls."""
        self._transport = transport
        self._url = url
        self._attempts = attempts

    def create(  # noqa: PLR0913 - has one argument for each field of the contract
        self,
        *,
        radius: int | str,
        blur: str | None = None,
        depth: str | None = None,
        roi: str | None = None,
        subject: str | None = None,
        mode: str | None = None,
        format: str | None = None,  # noqa: A002 - the field has this name in the contract
        quality: int | None = None,
        notify: str | None = None,
    ) -> Job:
        """Create a job; its parameters are those of `Client.blur`.

        When the job has ended, the service sends a signed notification to the URL `notify`.

        Raises:
            ApiError: the API responded with an error; `errors` has a class for each code.
            ConnectionFailedError: no response was received, after all retries.

        """
        fields = set_fields(
            radius=radius,
            blur=blur,
            depth=depth,
            roi=roi,
            subject=subject,
            mode=mode,
            format=format,
            quality=quality,
            notify=notify,
        )
        return self._job("POST", "", json=fields)

    def status(self, job_id: str) -> Job:
        """Return the job with its counts; an open job has a new upload form."""
        return self._job("GET", _path(job_id))

    def close(self, job_id: str) -> Job:
        """Close the job: no photo can be added after that. Closing it again has no effect."""
        return self._job("POST", f"{_path(job_id)}/close")

    def cancel(self, job_id: str) -> Job:
        """Cancel the job; photos that are already being processed are finished and charged."""
        return self._job("DELETE", _path(job_id))

    def uploads(self, job_id: str) -> JobUploads:
        """Return an object that uploads photos of an open job, in any number of threads.

        Raises:
            JobClosedError: the job is closed or cancelled.
            ApiError, ConnectionFailedError: the upload form could not be requested.

        """

        def new_form() -> Job:
            return self.status(job_id)

        return JobUploads(self._transport, self._attempts, new_form)

    def failures(self, job_id: str) -> Iterator[JobFailure]:
        """Yield the photos that have failed so far."""
        query: dict[str, str] = {}
        while True:
            response = self._document("GET", _path(job_id), query)
            yield from parse_document(response, parse_failures)
            after = json_object(response).get("next")
            if not after:
                return
            query = {"after": str(after)}

    def manifest(self, job_id: str) -> Iterator[ManifestRow]:
        """Yield a manifest row for each photo that is done, failed or cancelled.

        The manifest is requested page by page.
        """
        query = {"limit": str(PAGE_ROWS)}
        while True:
            response = self._send("GET", f"{_path(job_id)}/manifest", query)
            yield from parse_rows(response)
            cursor = next_cursor(response)
            if cursor is None:
                return
            query["after"] = cursor

    def fetch(self, job_id: str, row: ManifestRow, file: BinaryIO) -> str:
        """Write one photo's result to a file that is open for writing; return its media type.

        The file is never completely in memory. A retry empties the file first.

        Raises:
            ResultNotFoundError: the result has expired; the API keeps it for 7 days.
            ApiError, ConnectionFailedError: as for `create`.
            OSError: the file cannot be written.

        """

        def attempt() -> str:
            file.seek(0)
            file.truncate()
            response = self._result(job_id, row)
            with response:
                if not is_image(response):
                    with connection_errors():
                        raise parse_error(response)
                save(response, file)
                return response.headers["Content-Type"]

        return self._attempts.run(attempt)

    def _result(self, job_id: str, row: ManifestRow) -> Response:
        """Request the result. The key is sent only to the API's own address."""
        if row.object_id is None:
            result_url = urljoin(self._url, row.result or "")
            return self._transport.download(result_url, with_key=False)
        path = f"{_path(job_id)}/results/{quote(row.object_id, safe='')}"
        response = self._transport.download(self._endpoint(path), with_key=True)
        link = redirect_target(response)
        if link is None:
            return response
        with connection_errors():
            _ = response.content  # so the connection can be used for the next result
        return self._transport.download(link, with_key=False)

    def _job(self, method: str, path: str, *, json: Mapping[str, str] | None = None) -> Job:
        response = self._document(method, path, json=json)
        return parse_document(response, lambda document: parse_job(document, response.url))

    def _document(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        json: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a request about jobs; return the response, whose body is a job as JSON."""

        def attempt() -> Response:
            response = self._transport.send_to_api(method, self._endpoint(path, query), json=json)
            if not response.ok or "job_id" not in json_object(response):
                raise parse_error(response)
            return response

        return self._attempts.run(attempt)

    def _send(self, method: str, path: str, query: Mapping[str, str]) -> Response:
        def attempt() -> Response:
            response = self._transport.send_to_api(method, self._endpoint(path, query))
            if response.status_code != HTTPStatus.OK:
                raise parse_error(response)
            return response

        return self._attempts.run(attempt)

    def _endpoint(self, path: str, query: Mapping[str, str] | None = None) -> str:
        url = urljoin(self._url, JOBS_PATH + path)
        return f"{url}?{urlencode(query)}" if query else url


def _path(job_id: str) -> str:
    return f"/{quote(job_id, safe='')}"
