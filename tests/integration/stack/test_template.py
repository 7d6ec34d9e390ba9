"""The template, compared with the code that it deploys."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from importlib import import_module
from typing import Any

import pytest
from tests.documents import ROOT
from tests.integration.stack.template_file import resources, statements, template

from blur.accounts.dynamo import schema
from blur.imaging.matting.models import MODELS
from blur.pre_traffic_handler import ACCOUNT_ID, NEW_VERSION
from blur.settings import Settings, variable_of
from blur.skew import CLOCK_SKEW_S
from blur.storage.cors import CORS

__all__ = ["resources", "template"]  # the tests use these fixtures

LEFT_TO_THEIR_DEFAULTS = {
    "BLUR_CONNECTIONS_PER_ADDRESS": "only for the embedded server",
    "BLUR_QUEUE_WAIT_S": "only for the embedded server",
    "BLUR_STOP_S": "only for the embedded server",
    "BLUR_JOB_FREE_BYTES": "only for the embedded server",
    "BLUR_JOB_WORKERS": "only for the embedded server",
    "BLUR_INFERENCE_THREADS": "0 uses the CPUs that come with the memory",
    "BLUR_MAX_BODY_BYTES": "Lambda's limit for requests is lower than the default",
    "BLUR_MAX_PIXELS": "tests check which photos fit into the smallest function's memory",
    "BLUR_MAX_RESPONSE_BYTES": "the default is Lambda's limit",
    "BLUR_MAX_UPLOAD_BYTES": "tests check which photos fit into the smallest function's memory",
    "BLUR_MODEL": "the container image contains one model, and sets its name",
    "BLUR_MODEL_DIR": "the container image has the models in the default folder",
    "BLUR_PUBLIC_URL": "uploads go to the bucket, whose URL is absolute",
    "BLUR_RATE_BURST": "only for commands that issue keys",
    "BLUR_RATE_PER_MINUTE": "only for commands that issue keys",
    "BLUR_REMOVEBG_MAX_BODY_BYTES": "Lambda's limit for requests is lower than the default",
    "BLUR_SITE_DIR": "the container image has the page in the default folder",
}


def test_every_setting_that_the_function_does_not_set_has_a_reason_to_keep_its_default(
    resources: dict[str, Any],
) -> None:
    variables = resources["BlurFunction"]["Environment"]["Variables"]
    ours = {name for name in variables if name.startswith("BLUR_")}
    assert ours | set(LEFT_TO_THEIR_DEFAULTS) == {variable_of(f.name) for f in fields(Settings)}
    assert not ours & set(LEFT_TO_THEIR_DEFAULTS)


def test_the_smallest_hold_ttl_is_at_least_the_longest_timeout_plus_the_clock_skew(
    template: dict[str, Any],
) -> None:
    longest_s = template["Parameters"]["TimeoutS"]["MaxValue"]
    assert template["Parameters"]["HoldTtlS"]["MinValue"] >= longest_s + CLOCK_SKEW_S


def test_parameters_that_set_an_environment_variable_have_the_same_defaults_as_the_code(
    template: dict[str, Any], resources: dict[str, Any]
) -> None:
    variables = resources["BlurFunction"]["Environment"]["Variables"]
    named = {name: text for name, text in variables.items() if text in template["Parameters"]}
    assert len(named) == 11
    for name, parameter in named.items():
        text = str(template["Parameters"][parameter]["Default"])
        assert Settings.from_environ({name: text}) == Settings(), name


def test_the_version_description_contains_each_parameter_that_configures_the_function(
    template: dict[str, Any], resources: dict[str, Any]
) -> None:
    function = resources["BlurFunction"]
    shaping = {
        *function["Environment"]["Variables"].values(),
        function["MemorySize"],
        function["Timeout"],
    } & set(template["Parameters"])
    assert len(shaping) == 12
    for name in shaping:
        assert f"${{{name}}}" in function["VersionDescription"]


def test_the_table_has_the_schema_in_the_code_and_is_protected_and_backed_up(
    resources: dict[str, Any],
) -> None:
    table = resources["AccountsTable"]
    assert {name: table[name] for name in schema.SCHEMA} == schema.SCHEMA
    assert table["TimeToLiveSpecification"] == {
        "AttributeName": schema.TTL_ATTRIBUTE,
        "Enabled": True,
    }
    assert table["ContributorInsightsSpecification"] == {"Enabled": True}
    assert table["DeletionProtectionEnabled"] is True
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True


def test_the_template_has_the_same_models_and_default_model_as_the_code(
    template: dict[str, Any],
) -> None:
    parameter = template["Parameters"]["Model"]
    assert set(parameter["AllowedValues"]) == set(MODELS)
    assert parameter["Default"] == Settings().model
    text = (ROOT / "functions" / "blur" / "Dockerfile").read_text("utf-8")
    assert text.count("ARG MODEL=") == text.count(f"ARG MODEL={Settings().model}\n") == 2


def test_the_model_layer_is_published_only_if_its_parameter_is_set(
    template: dict[str, Any],
) -> None:
    assert template["Resources"]["ModelLayer"]["Condition"] == "PublishesModelLayer"
    assert template["Conditions"]["PublishesModelLayer"] == ["ModelLayerVersion", "yes"]
    assert template["Parameters"]["ModelLayerVersion"]["Default"] == "no"
    assert "Layers" not in template["Resources"]["BlurFunction"]["Properties"]


def test_by_default_a_hold_lasts_longer_than_the_longest_call(template: dict[str, Any]) -> None:
    parameters = template["Parameters"]
    assert parameters["HoldTtlS"]["Default"] > parameters["TimeoutS"]["MaxValue"]
    assert parameters["DeadlineMarginS"]["Default"] < parameters["TimeoutS"]["Default"]


def test_no_statement_of_the_five_roles_has_a_wildcard_as_action_or_resource(
    resources: dict[str, Any],
) -> None:
    for role in ("BlurRole", "AuditRole", "PreTrafficRole", "JobWorkerRole", "JobKeeperRole"):
        for statement in statements(resources, role):
            assert statement["Action"]
            assert "*" not in "".join(statement["Action"]), statement["Sid"]
            assert statement["Resource"] != "*"


def test_the_role_can_write_traces_only_if_tracing_is_on(template: dict[str, Any]) -> None:
    policy = template["Resources"]["TracePolicy"]
    assert policy["Condition"] == "Traces"
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    assert template["Parameters"]["Tracing"]["Default"] == "no"
    assert template["Conditions"]["Traces"] == ["Tracing", "yes"]
    assert template["Resources"]["BlurFunction"]["Properties"]["Tracing"] == [
        "Traces",
        "Active",
        "PassThrough",
    ]


def test_the_stages_staging_and_production_each_have_a_tag_with_their_name() -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))
    for stage in ("staging", "production"):
        assert f"stage={stage}" in config[stage]["deploy"]["parameters"]["tags"]


def test_the_log_format_of_the_function_is_json(resources: dict[str, Any]) -> None:
    assert resources["BlurFunction"]["LoggingConfig"]["LogFormat"] == "JSON"


def test_the_policy_for_media_allows_only_reading_and_writing_results_and_uploads(
    resources: dict[str, Any],
) -> None:
    (media,) = (each for each in statements(resources) if each["Sid"] == "Media")
    assert set(media["Action"]) == {"s3:GetObject", "s3:PutObject"}
    assert [name.rpartition(".Arn}")[2] for name in media["Resource"]] == [
        "/results/*",
        "/uploads/*",
    ]


def test_pages_of_any_origin_can_get_results_from_the_bucket_and_post_forms(
    resources: dict[str, Any],
) -> None:
    (rule,) = resources["MediaBucket"]["CorsConfiguration"]["CorsRules"]
    assert (rule["AllowedOrigins"], rule["AllowedMethods"]) == (["*"], ["GET", "POST"])
    (ours,) = CORS["CORSRules"]
    assert rule == {name.replace("MaxAgeSeconds", "MaxAge"): value for name, value in ours.items()}


@pytest.mark.parametrize(
    "name", ["AuditFunction", "PreTrafficFunction", "JobWorkerFunction", "JobKeeperFunction"]
)
def test_all_other_functions_run_their_own_handlers_in_the_container_image_of_the_api(
    name: str, template: dict[str, Any]
) -> None:
    function = template["Resources"][name]
    (command,) = function["Properties"]["ImageConfig"]["Command"]
    module, _, attribute = command.rpartition(".")
    assert callable(getattr(import_module(module), attribute))
    assert function["Metadata"] == template["Resources"]["BlurFunction"]["Metadata"]


def test_a_new_version_gets_traffic_only_after_its_check(resources: dict[str, Any]) -> None:
    preference = resources["BlurFunction"]["DeploymentPreference"]
    assert preference["Hooks"] == {"PreTraffic": "PreTrafficFunction"}
    hook = resources["PreTrafficFunction"]
    assert hook["FunctionName"].startswith("CodeDeployHook_")
    assert hook["Environment"]["Variables"][NEW_VERSION] == "BlurFunction.Version"
    (account,) = (
        each for each in statements(resources, "PreTrafficRole") if each["Sid"] == "Account"
    )
    keys = {"dynamodb:LeadingKeys": [schema.partition(ACCOUNT_ID)]}
    assert account["Condition"] == {"ForAllValues:StringEquals": keys}
    longest_s = resources["PreTrafficFunction"]["Timeout"]
    assert longest_s > 2 * 28  # 28 s for a cold start, and 28 s for the longest call
