"""The routes of bulk jobs: their requests are free, and each successful photo is charged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import Response

from blur.accounts.model import Instant
from blur.api.account import account_status
from blur.api.headers import response_headers
from blur.api.job_request import job_id_of, object_id_of, read_job, read_page
from blur.api.request_fields import absolute_url
from blur.api.request_key import request_key
from blur.api.response import json_object, json_response
from blur.api.route_paths import JOBS_PATH
from blur.errors import ApiError, InvalidApiKeyError
from blur.jobs import manifest
from blur.jobs.document import failure_document, job_document
from blur.jobs.model import JobState
from blur.timing import rfc3339

if TYPE_CHECKING:
    from blur.account_status import AccountStatus
    from blur.api.request import HttpRequest
    from blur.api.router import HttpResponse, Routes
    from blur.jobs.model import Job
    from blur.jobs.service import JobService
    from blur.service import ImageService

JOB_PATH = f"{JOBS_PATH}/{{job_id}}"
FAILURES, MAX_FAILURES = 100, 1_000
"""The number of failures on a page: the default, and the maximum that a client can ask for."""
MAX_LINES = 10_000
JSON_LINES = "application/jsonl"


def job_routes(service: ImageService, jobs: JobService) -> Routes:
    """Return the routes of bulk jobs."""
    routes = JobRoutes(service, jobs)
    return {
        JOBS_PATH: {"POST": routes.create},
        JOB_PATH: {"GET": routes.show, "DELETE": routes.cancel},
        f"{JOB_PATH}/close": {"POST": routes.close},
        f"{JOB_PATH}/manifest": {"GET": routes.manifest},
        f"{JOB_PATH}/results/{{object_id}}": {"GET": routes.result},
    }


class JobRoutes:
    """The functions that respond to requests to the routes of bulk jobs."""

    def __init__(self, service: ImageService, jobs: JobService) -> None:
        """`service` authenticates the requests, and `jobs` handles them."""
        self._service = service
        self._jobs = jobs

    def create(self, request: HttpRequest) -> HttpResponse:
        """Create a job. Only this response contains the secret that signs the notification."""
        key = request_key(request)
        with self._counted(request) as status:
            fields = read_job(request)
            job = self._jobs.create(key, fields.parameters, fields.notify)
            body = self._document(job, request)
        if job.notification:
            body["notify_secret"] = job.notification.secret
        return json_response(body, request.request_id, status, HTTPStatus.CREATED)

    def show(self, request: HttpRequest) -> HttpResponse:
        """Return a job with a page of its failures."""
        key = request_key(request)
        with self._counted_separately(request) as status:
            job = self._jobs.find(key, job_id_of(request))
            page = read_page(request, default=FAILURES, most=MAX_FAILURES)
            failures = self._jobs.failures(job, after=page.after, limit=page.limit)
            body = self._document(job, request)
        body["failures"] = [failure_document(row) for row in failures.objects]
        body["next"] = failures.after
        return json_response(body, request.request_id, status)

    def close(self, request: HttpRequest) -> HttpResponse:
        """Close a job, so that it accepts no more photos."""
        key = request_key(request)
        with self._counted(request) as status:
            body = self._document(self._jobs.close(key, job_id_of(request)), request)
        return json_response(body, request.request_id, status)

    def cancel(self, request: HttpRequest) -> HttpResponse:
        """Cancel a job: its waiting photos are not processed."""
        key = request_key(request)
        with self._counted(request) as status:
            body = self._document(self._jobs.cancel(key, job_id_of(request)), request)
        return json_response(body, request.request_id, status)

    def manifest(self, request: HttpRequest) -> HttpResponse:
        """Return a page of the manifest as JSON lines."""
        key = request_key(request)
        with self._counted_separately(request) as status:
            job = self._jobs.find(key, job_id_of(request))
            page = read_page(request, default=MAX_LINES, most=MAX_LINES)
            ended = self._jobs.ended_objects(job, after=page.after, limit=page.limit)
        base = self._url(request, job)
        lines, after = manifest.write_page(ended, results_url=f"{base}/results")
        headers = response_headers(request.request_id, status)
        if after:
            url = f"{base}/manifest?after={after}&limit={page.limit}"
            headers["Link"] = f'<{url}>; rel="next"'
        return Response(HTTPStatus.OK.value, JSON_LINES, lines, headers)

    def result(self, request: HttpRequest) -> HttpResponse:
        """Return the result of a photo, or a redirect to the result.

        This route has no rate limit, because a job has many results.
        """
        key = request_key(request)
        now_us = self._service.clock()
        if not self._service.store.has_valid_key(key.account_id, key.digest, now_us=now_us):
            raise InvalidApiKeyError
        result = self._jobs.result(self._jobs.find(key, job_id_of(request)), object_id_of(request))
        headers = response_headers(request.request_id, None)
        if result.link is None:
            return Response(HTTPStatus.OK.value, result.content_type, result.data, headers)
        body = {
            "url": result.link.url,
            "expires_at": rfc3339(Instant(result.link.expires_us)),
            "content_type": result.content_type,
        }
        return json_object(HTTPStatus.SEE_OTHER, body, headers | {"Location": result.link.url})

    def _document(self, job: Job, request: HttpRequest) -> dict[str, Any]:
        """Return the job as JSON values; an open job also has a form for uploading photos."""
        body = job_document(job, now_us=self._service.clock())
        if job.state is not JobState.OPEN:
            return body
        form = self._jobs.presign(job)
        body["upload"] = {
            "url": absolute_url(form.url, request),
            "fields": dict(form.fields),
            "prefix": form.prefix,
            "max_bytes": self._jobs.max_bytes,
            "expires_at": rfc3339(Instant(form.expires_us)),
        }
        if target := self._jobs.files.copy_target(job.job_id):
            body["copy_to"] = target
        return body

    def _url(self, request: HttpRequest, job: Job) -> str:
        """Return the URL of a job, or only the URL's path if the server's address is unknown."""
        path = f"{JOBS_PATH}/{job.job_id}"
        if self._jobs.public_url:
            return f"{self._jobs.public_url}{path}"
        stage = request.public_path.partition(JOBS_PATH)[0]
        return absolute_url(f"{stage}{path}", request)

    @contextmanager
    def _counted(self, request: HttpRequest) -> Iterator[AccountStatus]:
        """Authenticate a request, and count the request towards the rate limit.

        If the `with` block raises an `ApiError`, the account's status is added to the error.
        """
        with self._service.authorized(request_key(request)) as status:
            request.measured.status = status
            yield status

    @contextmanager
    def _counted_separately(self, request: HttpRequest) -> Iterator[AccountStatus]:
        """Authenticate a request, and count it towards the separate limit of `GET /v2/account`.

        If the `with` block raises an `ApiError`, the account's status is added to the error.
        """
        status = account_status(self._service.account(request_key(request)))
        request.measured.status = status
        try:
            yield status
        except ApiError as error:
            error.add_account_status(status)
            raise
