"""Send HTTP requests with streamed bodies, without following redirects."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, TypeAlias
from urllib.parse import urlsplit
from weakref import WeakSet

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from blur_client.errors import ConnectionFailedError

if TYPE_CHECKING:
    from requests import PreparedRequest, Response
    from requests_toolbelt import MultipartEncoder, MultipartEncoderMonitor

    Form: TypeAlias = MultipartEncoder | MultipartEncoderMonitor

CUT_SHORT = "the connection closed during the response"
CHUNK_BYTES = 65_536


class Transport:
    """Sends requests; each thread has its own connections."""

    def __init__(self, key: str, *, timeout_s: tuple[float, float], user_agent: str) -> None:
        """Keep the key, and the time limits for a connection and for each wait for data."""
        self._key = key
        self._timeout_s = timeout_s
        self._user_agent = user_agent
        self._thread_local = threading.local()
        self._sessions: WeakSet[requests.Session] = WeakSet()

    def close(self) -> None:
        """Close every thread's idle connections."""
        for session in list(self._sessions):
            session.close()

    def send_to_api(
        self,
        method: str,
        url: str,
        *,
        form: Form | None = None,
        json: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a request with the API key.

        Raises:
            ConnectionFailedError: no complete response was received.

        """
        with_key = {**(headers or {}), "ApiKey": self._key}
        headers = _add_content_type(with_key, form)
        return self._send(requests.Request(method, url, headers=headers, data=form, json=json))

    def send_without_key(self, method: str, url: str, *, form: Form | None = None) -> Response:
        """Send a request to the storage, at a URL from the API's response, without the API key.

        Raises:
            ConnectionFailedError: no complete response was received.

        """
        headers = _add_content_type({}, form)
        return self._send(requests.Request(method, url, headers=headers, data=form, auth=NoAuth()))

    def download(self, url: str, *, with_key: bool) -> Response:
        """Return a response whose body is not read yet; read it with `save`, or call `close`.

        Raises:
            ConnectionFailedError: no response was received.

        """
        headers, auth = ({"ApiKey": self._key}, None) if with_key else ({}, NoAuth())
        return self._send(requests.Request("GET", url, headers=headers, auth=auth), stream=True)

    def _send(self, request: requests.Request, *, stream: bool = False) -> Response:
        session = self._session()
        try:
            with connection_errors():
                prepared = session.prepare_request(request)
                settings = session.merge_environment_settings(prepared.url, {}, stream, None, None)
                return session.send(
                    prepared, allow_redirects=False, timeout=self._timeout_s, **settings
                )
        except OSError as error:  # the file in REQUESTS_CA_BUNDLE does not exist
            message = f"no secure connection to {_server_of(request.url)}: {error}"
            raise ConnectionFailedError(message) from error

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._thread_local, "session", None)
        if session is None:
            session = self._thread_local.session = _Session()
            session.headers["User-Agent"] = self._user_agent
            self._sessions.add(session)
        return session


class _Session(requests.Session):
    """A session that ignores redirects.

    With `allow_redirects=False`, `requests` still parses the address of a redirect, and raises
    ValueError if it is not valid.
    """

    def get_redirect_target(self, resp: Response) -> None:
        """Return None, so that `requests` does not parse the address."""


@contextmanager
def connection_errors() -> Iterator[None]:
    """Raise ConnectionFailedError for errors of the connection and of the proxy."""
    try:
        yield
    except (requests.RequestException, HTTPError, UnicodeError) as error:
        raise ConnectionFailedError(describe(error)) from error


def save(response: Response, file: BinaryIO) -> int:
    """Write the body of a streamed response to the file; return its number of bytes.

    Raises:
        ConnectionFailedError: the body is incomplete or cannot be decoded.

    """
    size = 0
    with connection_errors():
        for chunk in response.iter_content(CHUNK_BYTES):
            size += file.write(chunk)
    declared = response.headers.get("Content-Length", str(size))
    if "Content-Encoding" not in response.headers and declared != str(size):
        raise ConnectionFailedError(CUT_SHORT)
    return size


def _add_content_type(headers: Mapping[str, str], form: Form | None) -> dict[str, str]:
    return {**headers} if form is None else {**headers, "Content-Type": form.content_type}


class NoAuth(AuthBase):
    """Adds no credentials. Without this class, `requests` would add credentials from `.netrc`."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Return the request unchanged."""
        return request


DESCRIPTIONS: tuple[tuple[type[Exception], str], ...] = (
    (requests.ConnectTimeout, "no connection to {server} within the time limit"),
    (requests.Timeout, "no response from {server} within the time limit"),
    (requests.exceptions.ChunkedEncodingError, CUT_SHORT),
    (
        requests.exceptions.ContentDecodingError,
        "the body of the response cannot be decoded: {cause}",
    ),
    (requests.exceptions.InvalidURL, "the address of the proxy is not valid: {cause}"),
    (requests.exceptions.ProxyError, "no connection to {server} through the proxy: {cause}"),
    (requests.exceptions.SSLError, "no secure connection to {server}: {cause}"),
    (requests.RequestException, "no connection to {server}: {cause}"),
    # `requests` does not catch these errors of urllib3 for the address of a proxy.
    (Exception, "the address of the proxy is not valid: {cause}"),
)
"""The description for each class of error. The first class that fits is used."""


def describe(error: Exception) -> str:
    """Describe in a few words why no complete response was received."""
    text = next(text for kind, text in DESCRIPTIONS if isinstance(error, kind))
    request: PreparedRequest | None = getattr(error, "request", None)
    server = _server_of(request.url if request else None)
    return text.format(server=server, cause=_root_cause(error))


def _server_of(address: str | None) -> str:
    """Return the part of the URL before the path, without a name and a password."""
    if address is None:
        return "the server"
    url = urlsplit(address)
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}"


def _root_cause(error: BaseException) -> BaseException | str:
    """Return the operating system's error from inside the exceptions that wrap it."""
    cause = error
    while inner := cause.__cause__ or cause.__context__:
        cause = inner
    return getattr(cause, "strerror", None) or cause
