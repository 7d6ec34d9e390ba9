"""API Gateway in the template: the routes, the domain, and the gateway's own error responses."""

from __future__ import annotations

import json
from typing import Any

import yaml
from tests.integration.stack.template_file import codes, resources, template

from blur.errors import ApiError, ResponseLostError

__all__ = ["resources", "template"]  # the tests use these fixtures

WITH_RETRY = {"THROTTLED", "QUOTA_EXCEEDED"}
AFTER_THE_FUNCTION_STARTED = {"DEFAULT_5XX", "INTEGRATION_FAILURE", "INTEGRATION_TIMEOUT"}
"""The responses after which a call can be charged, because the function was already running."""
CODES_OF_THE_GATEWAY = {"forbidden"}


def test_the_domain_is_mapped_to_the_stage_only_if_a_domain_is_set(
    template: dict[str, Any],
) -> None:
    resources = template["Resources"]
    for name, condition in (
        ("Domain", "HasDomain"),
        ("DomainMapping", "HasDomain"),
        ("DomainRecord", "HasHostedZone"),
    ):
        assert resources[name]["Condition"] == condition
    mapping = resources["DomainMapping"]["Properties"]
    assert mapping["BasePath"] == ["HasBasePath", "BasePath", "AWS::NoValue"]
    assert mapping["Stage"] == "Api.Stage"


def test_every_path_and_the_key_header_of_remove_bg_clients_reach_the_function(
    template: dict[str, Any], resources: dict[str, Any]
) -> None:
    routes = [event["Properties"] for event in resources["BlurFunction"]["Events"].values()]
    assert {(route["Path"], route["Method"]) for route in routes} == {
        ("/", "ANY"),
        ("/{proxy+}", "ANY"),
    }
    text = yaml.dump(template)
    assert "ApiKeyRequired" not in text
    assert "ApiKeySourceType" not in text


def test_error_responses_of_the_gateway_have_both_error_formats_and_security_headers(
    resources: dict[str, Any],
) -> None:
    answers = resources["Api"]["GatewayResponses"]
    assert {"DEFAULT_4XX", "DEFAULT_5XX", "REQUEST_TOO_LARGE", "THROTTLED"} <= set(answers)
    for name, answer in answers.items():
        body = json.loads(answer["ResponseTemplates"]["application/json"])
        retry = {"retry_after"} if name in WITH_RETRY else set()
        assert set(body) == {"error", "errors"}, name
        assert set(body["error"]) == {"code", "message", "request_id"} | retry, name
        assert body["error"]["request_id"] == "req_$context.requestId"
        assert body["error"]["code"] in codes(ApiError) | CODES_OF_THE_GATEWAY, name
        (removebg,) = body["errors"]
        assert set(removebg) == {"title", "code", "detail"}, name
        assert all(type(text) is str and text for text in removebg.values()), name
        headers = answer["ResponseParameters"]["Headers"]
        assert headers["Access-Control-Allow-Origin"] == "'*'"
        if name not in AFTER_THE_FUNCTION_STARTED:
            assert headers["X-Credits-Charged"] == "'0'"
        assert headers["X-Content-Type-Options"] == "'nosniff'"
        assert headers["Cache-Control"] == "'no-store'"
        assert ("Retry-After" in headers) == (name in WITH_RETRY), name
        assert headers.get("Retry-After", "'1'").strip("'").isdecimal(), name
    too_large = answers["REQUEST_TOO_LARGE"]
    assert too_large["StatusCode"] == 413
    assert "/v2/uploads" in too_large["ResponseTemplates"]["application/json"]


def test_the_gateway_does_not_call_a_request_free_if_the_function_can_have_charged_it(
    resources: dict[str, Any],
) -> None:
    lost = ResponseLostError()
    answers = resources["Api"]["GatewayResponses"]
    for name in AFTER_THE_FUNCTION_STARTED & set(answers):
        answer = answers[name]
        assert answer["StatusCode"] == lost.status, name
        assert "X-Credits-Charged" not in answer["ResponseParameters"]["Headers"], name
        body = json.loads(answer["ResponseTemplates"]["application/json"])
        assert (body["error"]["code"], body["error"]["message"]) == (lost.code, lost.message), name
        assert body["errors"][0]["detail"] == lost.message, name
