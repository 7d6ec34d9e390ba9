"""HTTP: forms that are streamed, answers that are not followed anywhere by themselves."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakSet

import requests
from requests.auth import AuthBase

from blur_client.errors import ConnectionFailedError

if TYPE_CHECKING:
    from requests import PreparedRequest, Response
    from requests_toolbelt import MultipartEncoder, MultipartEncoderMonitor

    Form: TypeAlias = MultipartEncoder | MultipartEncoderMonitor


class Transport:
    """Sends requests, each thread on connections of its own."""

    def __init__(self, key: str, *, timeout_s: tuple[float, float], user_agent: str) -> None:
        """Keep the key, and the seconds to wait for a connection and for each answer."""
        self._key = key
        self._timeout_s = timeout_s
        self._user_agent = user_agent
        self._mine = threading.local()
        self._all: WeakSet[requests.Session] = WeakSet()

    def close(self) -> None:
        """Close every thread's idle connections."""
        for session in list(self._all):
            session.close()

    def to_api(
        self,
        method: str,
        url: str,
        *,
        form: Form | None = None,
        json: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a request that carries the key.

        Raises:
            ConnectionFailedError: no whole answer came.

        """
        own = {**(headers or {}), "ApiKey": self._key}
        return self._send(
            requests.Request(method, url, headers=_of(form, own), data=form, json=json)
        )

    def elsewhere(self, method: str, url: str, *, form: Form | None = None) -> Response:
        """Send a request to an address that the API named: without the key.

        Raises:
            ConnectionFailedError: no whole answer came.

        """
        anonymous = Anonymous()
        return self._send(
            requests.Request(method, url, headers=_of(form, {}), data=form, auth=anonymous)
        )

    def _send(self, request: requests.Request) -> Response:
        session = self._session()
        try:
            prepared = session.prepare_request(request)
            settings = session.merge_environment_settings(prepared.url, {}, None, None, None)
            return session.send(
                prepared, allow_redirects=False, timeout=self._timeout_s, **settings
            )
        except (requests.ConnectionError, requests.Timeout) as error:
            raise ConnectionFailedError(reason(error)) from error
        except requests.exceptions.ChunkedEncodingError as error:
            message = "the answer broke off"
            raise ConnectionFailedError(message) from error

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._mine, "session", None)
        if session is None:
            session = self._mine.session = requests.Session()
            session.headers["User-Agent"] = self._user_agent
            self._all.add(session)
        return session


def _of(form: Form | None, headers: Mapping[str, str]) -> dict[str, str]:
    typed = {} if form is None else {"Content-Type": form.content_type}
    return {**headers, **typed}


class Anonymous(AuthBase):
    """Adds nothing, and so keeps a `.netrc` from adding a password."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Return the request as it is."""
        return request


def reason(error: requests.RequestException) -> str:
    """Say in a few words why no answer came."""
    if isinstance(error, requests.ConnectTimeout):
        return "no connection within the time-out"
    if isinstance(error, requests.Timeout):
        return "no answer within the time-out"
    if isinstance(error, requests.exceptions.SSLError):
        return f"no secure connection: {_innermost(error)}"
    return f"no connection: {_innermost(error)}"


def _innermost(error: BaseException) -> BaseException | str:
    """Return what the operating system said, under the layers that each wrapped it."""
    seen = error
    while inner := seen.__cause__ or seen.__context__:
        seen = inner
    return getattr(seen, "strerror", None) or seen
