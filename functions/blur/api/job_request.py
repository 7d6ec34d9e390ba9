"""Parse requests for jobs: the fields of a new job, and the query parameters of a page."""

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
"""The parameters of a job: the fields of a blur request, except the photo."""

_JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_OBJECT_ID = re.compile(r"[0-9a-f]{32}")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")


class NewJob(NamedTuple):
    """The checked fields of `POST /v2/jobs`."""

    parameters: Mapping[str, str]
    notify: str | None


class Page(NamedTuple):
    """The part of the list of a job's photos that a client asks for.

    The page has at most `limit` photos. It starts after the photo with the object id `after`, or at
    the first photo if `after` is None.
    """

    after: str | None
    limit: int


def read_job(request: HttpRequest) -> NewJob:
    """Return the checked fields of a new job.

    Raises:
        ImageTooLargeError: the request's body is too large.
        InvalidRequestError: the body is neither a JSON object nor a form.
        InvalidParameterError: a field is missing or not valid, as in a blur request.
        InvalidNotifyError: `notify` is not a string.

    """
    fields = read_fields(request)
    parameters = {name: _text(fields[name]).strip() for name in PARAMETERS if name in fields}
    parse_parameters(parameters)
    if "notify" not in fields:
        return NewJob(parameters, None)
    if not isinstance(fields["notify"], str):
        message = "The field 'notify' is not valid. Send a URL as a string."
        raise InvalidNotifyError(message)
    return NewJob(parameters, fields["notify"])


def parse_parameters(parameters: Mapping[str, str]) -> BlurOptions:
    """Return the blur options; a job's parameters are parsed like the fields of a blur request.

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
    """Return the object id in the path, which identifies a photo of a job.

    Raises:
        ResultNotFoundError: the text in the path cannot be an object id.

    """
    object_id = request.path_parameters["object_id"]
    if not _OBJECT_ID.fullmatch(object_id):
        raise ResultNotFoundError
    return object_id


def read_page(request: HttpRequest, *, default: int, most: int) -> Page:
    """Return the page that a client asks for.

    A client can ask for a `limit` from 1 to `most`; if it sends no limit, `default` is used.

    Raises:
        InvalidRequestError: the parameter `after` or `limit` of the URL is not valid.

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
    """Return a JSON value as the text of a form field.

    For values that are neither strings nor numbers, this is JSON, which the parser rejects.
    """
    return value if isinstance(value, str) else json.dumps(value)
