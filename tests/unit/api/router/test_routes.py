"""The router finds the handler for a path and a method."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from aws_lambda_powertools import Logger
from events import make
from tests.unit.api.router.conftest import CONTEXT, NOW, RecordingRoutes, call, lines

from bgblur.serving.proxy_events import InvocationContext
from blur.api.router import Router

if TYPE_CHECKING:
    import io


@pytest.mark.parametrize("path", ["/things/a!b~'/parts", "/things/a!b~'/parts/"])
def test_a_route_gets_the_parameters_in_the_path_and_the_log_has_only_the_routes_pattern(
    router: Router, handlers: RecordingRoutes, log: io.StringIO, path: str
) -> None:
    assert call(router, "GET", path)["statusCode"] == 200
    assert call(router, "HEAD", path)["statusCode"] == 200
    assert [request.path_parameters for request in handlers.seen] == [{"name": "a!b~'"}] * 2
    assert [line["path"] for line in lines(log)] == ["/things/{name}/parts"] * 2


def test_a_method_that_a_route_with_parameters_does_not_have_gets_405(router: Router) -> None:
    result = call(router, "POST", "/things/a/parts")
    assert result["statusCode"] == 405
    assert result["multiValueHeaders"]["Allow"] == ["GET, HEAD, OPTIONS"]
    assert call(router, "OPTIONS", "/things/a/parts")["statusCode"] == 204
    assert call(router, "GET", "/things//parts")["statusCode"] == 404


@pytest.mark.parametrize("path", ["/route", "/route/", "/"])
@pytest.mark.parametrize("method", ["GET", "get"])
def test_a_route_is_found_with_or_without_a_slash_at_the_end(
    router: Router, handlers: RecordingRoutes, path: str, method: str
) -> None:
    result = call(router, method, path)
    assert result["statusCode"] == 200
    assert json.loads(result["body"]) == {"path": path}
    assert [(request.method, request.path) for request in handlers.seen] == [("GET", path)]
    assert handlers.seen[0].left_ms == 7


@pytest.mark.parametrize("path", ["/nowhere", "/route/more", "//route/x", "/Room", "/roomX"])
def test_an_unknown_path_is_not_found(router: Router, path: str) -> None:
    result = call(router, "GET", path)
    assert result["statusCode"] == 404
    error = json.loads(result["body"])["error"]
    assert (error["code"], error["request_id"]) == ("not_found", "req_id")
    assert error["message"] == "No route has this path. Check the URL."


def test_an_event_without_method_or_path_gets_a_response(router: Router) -> None:
    assert router({}, CONTEXT)["statusCode"] == 405
    assert router({"httpMethod": "GET", "path": None}, CONTEXT)["statusCode"] == 200


def test_a_route_can_check_whether_the_client_is_still_connected(
    router: Router, handlers: RecordingRoutes
) -> None:
    router(make.event("GET", "/route"), CONTEXT)
    router(
        make.event("GET", "/route"),
        InvocationContext(is_client_connected=lambda: False),
    )
    assert [request.is_client_connected() for request in handlers.seen] == [True, False]


@pytest.mark.parametrize("path", ["/route", "/route/"])
def test_a_method_that_a_route_does_not_have_gets_405_with_the_methods_of_the_route(
    router: Router, path: str
) -> None:
    result = call(router, "PUT", path)
    assert result["statusCode"] == 405
    assert result["multiValueHeaders"]["Allow"] == ["GET, POST, HEAD, OPTIONS"]
    assert json.loads(result["body"])["error"]["message"] == "This route accepts GET, POST, HEAD."
    assert call(router, "POST", "/")["multiValueHeaders"]["Allow"] == ["GET, HEAD, OPTIONS"]


def test_a_preflight_request_gets_the_methods_of_the_route(router: Router) -> None:
    result = call(router, "OPTIONS", "/route")
    assert (result["statusCode"], result["body"]) == (204, "")
    headers = result["multiValueHeaders"]
    assert headers["Access-Control-Allow-Methods"] == ["GET, POST, HEAD, OPTIONS"]
    assert headers["X-Request-Id"] == ["req_id"]
    assert call(router, "OPTIONS", "/nowhere")["statusCode"] == 404


@pytest.mark.parametrize("path", ["/route", "/image", "/quiet"])
def test_head_has_the_headers_of_get_and_no_body(router: Router, path: str) -> None:
    got, asked = call(router, "GET", path), call(router, "HEAD", path)
    size = len(base64.b64decode(got["body"]) if got["isBase64Encoded"] else got["body"])
    assert asked["statusCode"] == 200
    assert (asked["body"], asked["isBase64Encoded"]) == ("", False)
    expected = {**got["multiValueHeaders"], "Content-Length": [str(size)]}
    assert asked["multiValueHeaders"] == expected


@pytest.mark.parametrize(("path", "status"), [("/posted", 405), ("/nowhere", 404)])
def test_a_head_request_for_a_path_without_a_get_handler_gets_an_error_without_a_body(
    router: Router, path: str, status: int
) -> None:
    result = call(router, "HEAD", path)
    assert (result["statusCode"], result["body"]) == (status, "")


@pytest.mark.parametrize("path", ["/base/route", "/base/route/", "/route"])
def test_the_base_path_of_a_domain_is_not_part_of_the_route(
    handlers: RecordingRoutes, log: io.StringIO, path: str
) -> None:
    router = Router(
        {"/route": {"GET": handlers.open}, "/": {"GET": handlers.open}},
        clock=lambda: NOW,
        logger=Logger(service=f"base-{id(log)}", stream=log),
        base_path="base",
    )
    assert call(router, "GET", path)["statusCode"] == 200
    assert lines(log)[-1]["path"] == "/route"
    assert [call(router, "GET", root)["statusCode"] for root in ("/base", "/base/")] == [200, 200]
    assert [call(router, "GET", other)["statusCode"] for other in ("/basement", "/x/base")] == [
        404,
        404,
    ]
