"""Parses requests for jobs: the fields of a new job, and the query parameters of a page."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from blur.api.blur_request import parse_blur_options
from blur.api.multipart import Form
from blur.api.request_fields import read_fields
from blur.errors import InvalidRequestError
from blur.job_errors import InvalidNotifyError, JobNotFoundError, ResultNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blur.api.request import HttpRequest
    from blur.imaging.blur_options import BlurOptions

PARAMETERS = ("radius", "blur", "depth", "roi", "subject", "mode", "format", "quality")
"""The parameters of a job: the fields of a single call, except the photo."""

_JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_OBJECT_ID = re.compile(r"[0-9a-f]{32}")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")


class NewJob(NamedTuple):
    """The fields of `POST /v2/jobs`."""

    parameters: Mapping[str, str]
    notify: str | None


class Page(NamedTuple):
    """The part of the list of a job's photos that a client asks for."""

    after: str | None
    limit: int


def read_job(request: HttpRequest) -> NewJob:
    """Return the checked fields of a new job.

    Raises:
        ImageTooLargeError: the request's body is too large.
        InvalidRequestError: the body is neither a JSON object nor a form.
        InvalidParameterError: a field is missing or not valid, as in a single call.

    """
    fields = read_fields(request)
    parameters = {name: _text(fields[name]).strip() for name in PARAMETERS if name in fields}
    parse_parameters(parameters)
    if "notify" not in fields:
        return NewJob(parameters, None)
    if not isinstance(fields["notify"], str):
        message = "The field 'notify' is not a URL."
        raise InvalidNotifyError(message)
    return NewJob(parameters, fields["notify"])


def parse_parameters(parameters: Mapping[str, str]) -> BlurOptions:
    """Parse a job's parameters like the form of a single call, and return the blur options.

    Raises:
        InvalidParameterError: a parameter is missing or not valid.

    """
    # The parser turns lone surrogates, which JSON can contain, into replacement characters.
    return parse_blur_options(
        Form({name: [text.encode(errors="surrogatepass")] for name, text in parameters.items()})
    )


def job_id_of(request: HttpRequest) -> str:
    """Return the job's id in the path.

    Raises:
        JobNotFoundError: the text in the path cannot be the id of a job.

    """
    job_id = request.path_parameters["job_id"]
    if not _JOB_ID.fullmatch(job_id):
        raise JobNotFoundError
    return job_id


def object_id_of(request: HttpRequest) -> str:
    """Return the object id in the path; it names a photo of a job.

    Raises:
        ResultNotFoundError: the text in the path cannot be an object id.

    """
    object_id = request.path_parameters["object_id"]
    if not _OBJECT_ID.fullmatch(object_id):
        raise ResultNotFoundError
    return object_id


def read_page(request: HttpRequest, *, default: int, most: int) -> Page:
    """Return the page that a client asks for, with `limit` from 1 to `most`.

    Raises:
        InvalidRequestError: a parameter of the URL is not valid.

    """
    after, limit = request.query.get("after"), request.query.get("limit", str(default))
    if after is not None and not _OBJECT_ID.fullmatch(after):
        message = "The parameter 'after' is not valid. Send the value of 'next'."
        raise InvalidRequestError(message)
    if not _WHOLE_NUMBER.fullmatch(limit) or not 1 <= int(limit) <= most:
        message = f"The parameter 'limit' is not valid. Send a whole number from 1 to {most}."
        raise InvalidRequestError(message)
    return Page(after, int(limit))


def _text(value: Any) -> str:  # noqa: ANN401 - a JSON value can have many types
    """Return a value as the text of a form field; only strings and numbers are valid."""
    return value if isinstance(value, str) else json.dumps(value)
