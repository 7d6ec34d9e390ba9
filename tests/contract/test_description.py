"""The routes, fields, limits and headers in openapi.yaml, compared with code and docs/api.md."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast

import pytest
from docs.describe import SERVED, served
from tests.contract.description import API, DOCUMENT, OPERATIONS, SCHEMAS, resolved

from blur.api.accept import DEFAULT
from blur.api.job_request import PARAMETERS
from blur.api.jobs import FAILURES, JOB_PATH, MAX_FAILURES, MAX_LINES
from blur.api.removebg.body import FILE_FIELDS, TEXT_FIELDS
from blur.api.removebg.parameters import TYPE_LEVELS
from blur.api.removebg.paths import is_removebg
from blur.api.removebg.removal_request import Limits
from blur.api.removebg.sources import MAX_FILE_BYTES
from blur.api.route_paths import RoutePaths
from blur.api.upload import CONTENT_TYPES
from blur.app import routes
from blur.imaging.blur_options import (
    DEFAULT_QUALITY,
    DEPTHS,
    MAX_RADIUS_PX,
    RADIUS_PERCENT,
    parse_radius,
)
from blur.imaging.blurring.lens import KERNELS
from blur.imaging.decomposition import SUBJECTS
from blur.imaging.encode.formats import OUTPUT_FORMATS, QUALITIES
from blur.imaging.modes import MODES
from blur.imaging.removal.options import CHANNELS, OUTPUTS, SIZES
from blur.jobs.model import JobState
from blur.settings import Settings

from .conftest import EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from blur.jobs.service import JobService
    from blur.service import ImageService
    from blur.storage.owned_uploads import Uploads

    from .conftest import Call

STATES = [str(state) for state in JobState]
FILES = sorted(EVENTS.glob("*.json"))


def field(name: str) -> dict[str, Any]:
    found: dict[str, Any] = SCHEMAS["BlurForm"]["properties"][name]
    return found


def test_the_served_openapi_document_is_up_to_date_with_openapi_yaml() -> None:
    assert SERVED.read_text("utf-8") == served(), "run `make openapi`"


def names(node: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    """Yield the name or the index of each null member in a document, at any depth."""
    for name, part in node.items() if isinstance(node, dict) else enumerate(node):
        if part is None:
            yield str(name)
        elif isinstance(part, dict | list):
            yield from names(part)


def test_no_unquoted_comma_cuts_off_a_description_in_openapi_yaml() -> None:
    """In a YAML mapping in braces, the text after an unquoted comma becomes a null member."""
    assert [name for name in names(API) if " " in name] == []


def test_the_openapi_document_describes_exactly_the_existing_routes_and_methods() -> None:
    uploads, jobs = cast("Uploads", object()), cast("JobService", object())
    table = routes(cast("ImageService", None), uploads, 1, Limits(max_body_bytes=1), jobs)
    expected = {(path, method.lower()) for path, methods in table.items() for method in methods}
    expected |= {(path, "options") for path in table}
    assert {(path.rstrip("/"), method) for path, method in OPERATIONS} == expected


def test_the_bounds_and_choices_of_the_described_fields_are_the_same_as_in_the_code() -> None:
    pixels, percentage = field("radius")["oneOf"]
    assert (pixels["minimum"], pixels["maximum"]) == (0, MAX_RADIUS_PX)
    smallest, largest = RADIUS_PERCENT
    for text in (f"{smallest}%", f"{largest}%", "1.25%", "0.05%", "5.01%", "10%", "2 %", "%"):
        is_described = bool(re.search(percentage["pattern"], text))
        assert is_described is (parse_radius(text) is not None), text
    assert field("subject")["enum"] == list(SUBJECTS)
    assert field("depth")["enum"] == list(DEPTHS)
    assert range(field("quality")["minimum"], field("quality")["maximum"] + 1) == QUALITIES
    assert field("quality")["default"] == DEFAULT_QUALITY
    assert field("blur")["enum"] == list(KERNELS)
    assert field("mode")["enum"] == list(MODES)
    assert field("format")["enum"] == list(OUTPUT_FORMATS)


def test_the_media_types_and_the_largest_size_of_uploads_are_the_same_as_in_the_code() -> None:
    form = SCHEMAS["UploadForm"]["properties"]
    assert set(form["content_type"]["enum"]) == set(CONTENT_TYPES)
    assert form["bytes"]["maximum"] == Settings().max_upload_bytes


def test_the_media_types_of_results_are_those_of_the_output_formats() -> None:
    content = API["paths"]["/v2/rembg/blur/"]["post"]["responses"]["200"]["content"]
    assert list(content) == [each.content_type for each in OUTPUT_FORMATS.values()]


def test_the_limits_in_the_descriptions_are_the_same_as_in_the_settings() -> None:
    body = API["paths"]["/v2/rembg/blur/"]["post"]["requestBody"]["description"]
    assert f"At most {Settings().max_body_bytes // 1_000_000} MB" in body
    assert (
        f"At most {Settings().max_pixels // 1_000_000} megapixels" in field("image")["description"]
    )


def test_openapi_yaml_has_exactly_the_fields_that_the_remove_bg_route_reads() -> None:
    fields = SCHEMAS["RemovalFields"]["properties"]
    assert set(fields) == set(TEXT_FIELDS)
    assert set(fields["size"]["enum"]) == set(SIZES)
    assert set(fields["format"]["enum"]) == set(OUTPUTS)
    assert set(fields["channels"]["enum"]) == set(CHANNELS)
    assert set(fields["type_level"]["enum"]) == set(TYPE_LEVELS)
    body = API["paths"]["/v1.0/removebg"]["post"]["requestBody"]
    assert set(SCHEMAS["RemovalForm"]["properties"]) == {*TEXT_FIELDS, *FILE_FIELDS}
    assert f"At most {Settings().removebg_max_body_bytes // 1_000_000} MB" in body["description"]
    assert f"and {MAX_FILE_BYTES // 1_000_000} MB for a file" in body["description"]


def test_api_md_has_every_field_and_header_and_path() -> None:
    names = ("BlurForm", "UploadForm", "NewJob", "RemovalFields")
    fields = {field for name in names for field in SCHEMAS[name]["properties"]}
    parameters = {each["name"] for each in API["paths"]["/v2/rembg/blur/"]["post"]["parameters"]}
    for name in fields | parameters | set(API["components"]["headers"]):
        assert f"`{name}`" in DOCUMENT, name
    for path in API["paths"]:
        assert f"`GET {path}`" in DOCUMENT or f"`POST {path}`" in DOCUMENT, path


def test_the_parameters_of_jobs_are_the_blur_options_of_a_single_call() -> None:
    single, job = SCHEMAS["BlurForm"]["properties"], SCHEMAS["NewJob"]["properties"]
    assert set(single) - {"image", "upload_id"} == set(job) - {"notify"} == set(PARAMETERS)
    assert all(job[name] == single[name] for name in PARAMETERS if name != "format")
    assert job["format"]["enum"] == single["format"]["enum"]
    assert (job["format"]["default"], DEFAULT) == ("png", "png")


def test_the_description_has_the_same_limits_and_states_of_jobs_as_the_code() -> None:
    limits = {
        path: each["schema"]
        for path in (JOB_PATH, f"{JOB_PATH}/manifest")
        for each in API["paths"][path]["get"]["parameters"]
        if each["name"] == "limit"
    }
    failures, lines = limits[JOB_PATH], limits[f"{JOB_PATH}/manifest"]
    assert (failures["default"], failures["maximum"]) == (FAILURES, MAX_FAILURES)
    assert (lines["default"], lines["maximum"]) == (MAX_LINES, MAX_LINES)
    assert SCHEMAS["Job"]["properties"]["state"]["enum"] == [*STATES[:2], "paused", *STATES[2:]]
    upload = SCHEMAS["Job"]["example"]["upload"]
    assert upload["max_bytes"] == Settings().max_upload_bytes


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_responses_have_all_required_headers_and_no_undescribed_header(
    file: Path, call: Call
) -> None:
    event = json.loads(file.read_text("utf-8"))
    actual = call(event)
    described = described_response(event, actual.status)
    named = {name.lower(): resolved(header) for name, header in described["headers"].items()}
    needed = {name for name, header in named.items() if header.get("required")}
    assert needed <= set(actual.headers) - {"content-type"} <= set(named)


def described_response(event: dict[str, Any], status: int) -> dict[str, Any]:
    shared = API["components"]["responses"]
    by_path = {path.rstrip("/"): methods for path, methods in API["paths"].items()}
    found = RoutePaths(by_path).find(event["path"])
    if found is None:
        return cast("dict[str, Any]", shared["NoRoute"])
    operations = by_path[found.route]
    operation = operations.get(event["httpMethod"].lower())
    if operation is None:
        name = "RemovebgNoMethod" if is_removebg(event["path"]) else "NoMethod"
        return cast("dict[str, Any]", shared[name])
    return cast("dict[str, Any]", resolved(operation["responses"][str(status)]))
