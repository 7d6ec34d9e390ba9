"""Route each event to the function for its path and method, and log one line for each response.

A process must handle only one event at a time, as on Lambda: powertools keeps the current event in
a class attribute, and powertools' logger and metrics also have state.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

import pybase64
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from blur.api import response
from blur.api.log_values import UNROUTED, logged_exception, logged_method
from blur.api.request import HttpRequest, always_connected, from_event
from blur.api.response_record import (
    Observe,
    ResponseRecord,
    measured_fields,
    transferred_fields,
)
from blur.api.route_paths import RouteMatch, RoutePaths
from blur.errors import (
    ApiError,
    InternalError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
)

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from blur.accounts.model import Instant


class Invocation(Protocol):
    """The members of Lambda's context object that the router uses.

    Callers other than Lambda pass an object with these members.
    """

    @property
    def aws_request_id(self) -> str:
        """Lambda's id of this invocation."""
        ...

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda stops the process."""
        ...


HttpResponse: TypeAlias = Response[Any]
Route: TypeAlias = Callable[[HttpRequest], HttpResponse]
Routes: TypeAlias = Mapping[str, Mapping[str, Route]]
"""The function for each path and HTTP method. Paths have no slash at the end; they can have
parameters (see `route_paths`).
"""
_WITHOUT_LENGTH = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


class Router:
    """A table of routes, callable as a Lambda handler."""

    def __init__(  # noqa: PLR0913 - it is called once, at the start
        self,
        routes: Routes,
        *,
        clock: Callable[[], Instant],
        logger: Logger,
        observe: Observe = lambda _: None,
        quiet: Collection[str] = (),
        base_path: str = "",
    ) -> None:
        """Register the routes with powertools' resolver; a slash at the end of a path is optional.

        Successful responses of the routes in `quiet` are logged at level DEBUG. `observe` receives
        the record of each response, before the record is logged; errors of `observe` are logged.
        The paths of requests can begin with `/<base_path>`.
        """
        self._routes = routes
        self._paths = RoutePaths(routes)
        self._quiet = frozenset(quiet)
        self._clock = clock
        self._logger = logger
        self._observe = observe
        self._base_path = base_path
        self._is_cold = True
        self._code: str | None = None
        # `debug=False` overrides the environment variable POWERTOOLS_DEV, with which powertools
        # would print each event, including its key and photo.
        self._resolver = APIGatewayRestResolver(debug=False)
        for path, methods in routes.items():
            for method, route in methods.items():
                self._register(path, method, route)
        self._resolver.not_found(self._no_route)
        self._resolver.exception_handler(ApiError)(self._error_response)
        self._resolver.exception_handler(Exception)(self._internal_error)

    @property
    def routes(self) -> Routes:
        """The table of routes."""
        return self._routes

    def __call__(self, event: Mapping[str, Any], context: Invocation) -> dict[str, Any]:
        """Return the proxy response to a proxy event of a REST API, in payload version 1.0."""
        started = time.monotonic()
        self._code = None
        request = from_event(
            event,
            left_ms=context.get_remaining_time_in_millis(),
            is_client_connected=getattr(context, "is_client_connected", always_connected),
            base_path=self._base_path,
        )
        found = self._paths.find(request.path) or RouteMatch(request.path, {})
        request = replace(request, path_parameters=found.parameters)
        self._logger.append_keys(request_id=request.request_id, invocation=context.aws_request_id)
        self._resolver.append_context(request=request)  # type: ignore[no-untyped-call]
        known = {**event, "httpMethod": self._routed_method(request), "path": found.route}
        reply = self._resolver.resolve(known, cast("LambdaContext", context))
        if request.method == "HEAD":
            reply = without_body(reply)
        # The response is complete, and its call can already be charged. So the client gets this
        # response even if recording the response fails.
        try:
            self._write(self._record(request, reply, started))
        except Exception as error:  # noqa: BLE001 - the response is more important than its record
            self._report("a response could not be recorded", error)
        finally:
            self._is_cold = False
            self._logger.clear_state()
        return reply

    def _record(
        self, request: HttpRequest, reply: Mapping[str, Any], started: float
    ) -> ResponseRecord:
        return ResponseRecord(
            request_id=request.request_id,
            method=logged_method(request.method),
            path=self._logged_path(request.path),
            status=reply["statusCode"],
            duration_ms=round((time.monotonic() - started) * 1000),
            code=self._code,
            is_cold=self._is_cold,
            **measured_fields(request.measured),
            **transferred_fields(request, reply),
        )

    def _write(self, record: ResponseRecord) -> None:
        try:
            self._observe(record)
        except Exception as error:  # noqa: BLE001 - metrics can fail in any way
            self._report("the metrics of a response could not be reported", error)
        is_quiet = record.status < HTTPStatus.BAD_REQUEST and record.path in self._quiet
        write = self._logger.debug if is_quiet else self._logger.info
        write("answered", extra=record.log_fields())

    def _report(self, message: str, error: Exception) -> None:
        self._logger.error(message, extra=logged_exception(error))

    def _routed_method(self, request: HttpRequest) -> str:
        """Return the request's method, or GET for HEAD if the route has GET (RFC 9110, 9.3.2)."""
        methods = self._methods(request.path) or ()
        return "GET" if request.method == "HEAD" and "GET" in methods else request.method

    def _logged_path(self, path: str) -> str:
        """Return the route for the log, not the path, which could contain a key by mistake."""
        return found.route if (found := self._paths.find(path)) else UNROUTED

    def _methods(self, path: str) -> Mapping[str, Route] | None:
        """Return the functions of a path's route by method, or None if the path has no route."""
        found = self._paths.find(path)
        return self._routes[found.route] if found else None

    def _request(self) -> HttpRequest:
        request: HttpRequest = self._resolver.context["request"]
        return request

    def _register(self, path: str, method: str, route: Route) -> None:
        # The resolver compiles each rule as a regular expression.
        @self._resolver.route(re.escape(path), method)
        def respond() -> HttpResponse:
            return response.encode_body(route(_without_repeated_headers(self._request())))

    def _no_route(self, _: Exception) -> HttpResponse:
        """Return 404 for an unknown path, the response to OPTIONS, or 405 (RFC 9110, 15.5.6)."""
        request = self._request()
        methods = self._methods(request.path)
        if methods is None:
            return self._error_response(NotFoundError("No route has this path. Check the URL."))
        accepted = with_head(methods)
        allowed = (*accepted, "OPTIONS")
        if request.method == "OPTIONS":
            return response.preflight_response(allowed, request.request_id, path=request.path)
        message = f"This route accepts {', '.join(accepted)}."
        return self._error_response(MethodNotAllowedError(message, allowed=allowed))

    def _error_response(self, error: ApiError) -> HttpResponse:
        self._code = error.code
        if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR and error.__cause__:
            # Log only the cause's class, because its message can quote the request or the response.
            self._logger.append_keys(cause=type(error.__cause__).__name__)
        request = self._request()
        request.measured.status = error.account_status or request.measured.status
        return response.error_response(
            error, request.request_id, path=request.path, now_us=self._clock()
        )

    def _internal_error(self, error: Exception) -> HttpResponse:
        self._logger.error("a request failed", extra=logged_exception(error))
        return self._error_response(InternalError())


def _without_repeated_headers(request: HttpRequest) -> HttpRequest:
    if request.repeated_headers:
        message = f"Send the header '{request.repeated_headers[0]}' only once."
        raise InvalidRequestError(message)
    return request


def with_head(methods: Collection[str]) -> Sequence[str]:
    """Return the methods of a route, and HEAD if GET is one of them."""
    return (*methods, "HEAD") if "GET" in methods else tuple(methods)


def without_body(reply: Mapping[str, Any]) -> dict[str, Any]:
    """Return the response to HEAD from the response to GET: with Content-Length, without a body."""
    headers = dict(reply["multiValueHeaders"])
    if reply["statusCode"] not in _WITHOUT_LENGTH:
        text = reply["body"] or ""
        size = len(pybase64.b64decode(text) if reply["isBase64Encoded"] else text.encode())
        headers["Content-Length"] = [str(size)]
    return {**reply, "multiValueHeaders": headers, "body": "", "isBase64Encoded": False}
