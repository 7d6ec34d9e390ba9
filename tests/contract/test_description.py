"""openapi.yaml, compared with the code and with docs/api.md."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from docs.describe import SERVED, described, served

from blur.api.accept import DEFAULT
from blur.api.job_request import PARAMETERS
from blur.api.jobs import FAILURES, JOB_PATH, MOST_FAILURES, MOST_LINES
from blur.api.removebg.body import FILES as FILE_FIELDS
from blur.api.removebg.body import TEXTS
from blur.api.removebg.errors import ROWS
from blur.api.removebg.parameters import TYPE_LEVELS
from blur.api.removebg.paths import is_removebg
from blur.api.removebg.removal_request import Limits
from blur.api.removebg.sources import MAX_FILE_BYTES
from blur.api.route_paths import RoutePaths
from blur.api.upload import CONTENT_TYPES
from blur.app import routes
from blur.errors import ApiError, NotFoundError, UploadNotFoundError
from blur.imaging.blurring.lens import KERNELS
from blur.imaging.decomposition import SUBJECTS
from blur.imaging.encode.encoder import OUTPUT_FORMATS, QUALITIES
from blur.imaging.modes import DEPTHS, MODES
from blur.imaging.options import DEFAULT_QUALITY, MAX_RADIUS_PX, RADIUS_PERCENT, parse_radius
from blur.imaging.removal.options import CHANNELS, OUTPUTS, SIZES
from blur.jobs.model import JobState
from blur.parameter_errors import (
    InvalidFormatError,
    InvalidRoiError,
    RoiExceedsBoundsError,
    RoiRegionEmptyError,
)
from blur.removal_errors import RemovalError
from blur.settings import Settings

from .conftest import EVENTS

if TYPE_CHECKING:
    from blur.jobs.service import JobService
    from blur.service import ImageService
    from blur.storage.owned_uploads import Uploads

    from .conftest import Call

API = described()
SCHEMAS = API["components"]["schemas"]
DOCUMENT = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")
OPERATIONS = [(path, method) for path, methods in API["paths"].items() for method in methods]
STATES = [str(state) for state in JobState]
FILES = sorted(EVENTS.glob("*.json"))


def resolved(node: Any) -> Any:  # noqa: ANN401 - any JSON
    while isinstance(node, dict) and "$ref" in node:
        at: Any = API
        for step in node["$ref"].removeprefix("#/").split("/"):
            at = at[step]
        node = at
    return node


def leaves(error: type[ApiError]) -> list[type[ApiError]]:
    children = [child for child in error.__subclasses__() if child is not RemovalError]
    return [leaf for child in children for leaf in leaves(child)] if children else [error]


def codes_of(response: dict[str, Any]) -> set[str]:
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    return {each["const"] for each in listed_codes(schema)}


def listed_codes(schema: dict[str, Any]) -> list[dict[str, str]]:
    """Return the codes in a schema of our errors; none for other schemas."""
    _, own = schema.get("allOf", [None, None])
    error = own["properties"].get("error") if own else None
    codes: list[dict[str, str]] = error["properties"]["code"]["oneOf"] if error else []
    return codes


def removebg_codes(response: dict[str, Any]) -> dict[str, str]:
    """Return the codes of an error on remove.bg's paths, with their descriptions."""
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    _, own = schema.get("allOf", [None, None])
    errors = own["properties"].get("errors") if own else None
    codes = errors["items"]["properties"]["code"]["oneOf"] if errors else []
    return {each["const"]: each["description"] for each in codes}


def code_texts() -> dict[str, list[str]]:
    """Return the descriptions of each code, by its name."""
    texts = defaultdict(list)
    for response in API["components"]["responses"].values():
        schema = response.get("content", {}).get("application/json", {}).get("schema", {})
        for each in listed_codes(schema):
            texts[each["const"]].append(each["description"])
    return texts


def field(name: str) -> dict[str, Any]:
    found: dict[str, Any] = SCHEMAS["BlurForm"]["properties"][name]
    return found


def test_the_function_serves_the_description_in_the_source() -> None:
    assert SERVED.read_text("utf-8") == served(), "run `make openapi`"


def names(node: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    """Yield the names of the empty members of a document."""
    for name, part in node.items() if isinstance(node, dict) else enumerate(node):
        if part is None:
            yield str(name)
        elif isinstance(part, dict | list):
            yield from names(part)


def test_no_description_ends_early_at_a_comma_in_yaml() -> None:
    assert [name for name in names(API) if " " in name] == []


def test_exactly_the_existing_routes_and_methods_are_described() -> None:
    uploads, jobs = cast("Uploads", object()), cast("JobService", object())
    table = routes(cast("ImageService", None), uploads, 1, Limits(max_body_bytes=1), jobs)
    expected = {(path, method.lower()) for path, methods in table.items() for method in methods}
    expected |= {(path, "options") for path in table}
    assert {(path.rstrip("/"), method) for path, method in OPERATIONS} == expected


def test_fields_bounds_and_choices_are_the_same_as_in_the_code() -> None:
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


def test_the_media_types_for_uploads_are_the_same_as_in_the_code() -> None:
    form = SCHEMAS["UploadForm"]["properties"]
    assert set(form["content_type"]["enum"]) == set(CONTENT_TYPES)
    assert form["bytes"]["maximum"] == Settings().max_upload_bytes


def test_a_picture_has_the_media_type_of_one_of_the_formats() -> None:
    content = API["paths"]["/v2/rembg/blur/"]["post"]["responses"]["200"]["content"]
    assert list(content) == [each.content_type for each in OUTPUT_FORMATS.values()]


def test_the_limits_in_the_text_are_the_same_as_in_the_settings() -> None:
    body = API["paths"]["/v2/rembg/blur/"]["post"]["requestBody"]["description"]
    assert f"At most {Settings().max_body_bytes // 1_000_000} MB" in body
    assert (
        f"At most {Settings().max_pixels // 1_000_000} megapixels" in field("image")["description"]
    )


def test_exactly_the_existing_codes_are_described_under_their_status() -> None:
    described = {
        (status, code)
        for path, method in OPERATIONS
        for status, response in API["paths"][path][method]["responses"].items()
        for code in codes_of(resolved(response))
    }
    everywhere = {("404", "not_found"), ("405", "method_not_allowed")}
    everywhere |= {("409", "job_closed")}  # the response to the form of a job
    named = {
        code for response in API["components"]["responses"].values() for code in codes_of(response)
    }
    assert described | everywhere == {(str(e.status.value), e.code) for e in leaves(ApiError)}
    assert named == {e.code for e in leaves(ApiError)}


def test_the_document_has_the_description_of_each_code() -> None:
    rows = dict(re.findall(r"^\| \d{3} \| `(\w+)` \| (.+) \|$", DOCUMENT, re.MULTILINE))
    texts = code_texts()
    assert set(rows) == set(texts)
    for code, text in rows.items():
        assert text in texts[code], code


def test_every_code_of_remove_bgs_routes_is_described_and_documented() -> None:
    responses = API["components"]["responses"].values()
    texts = {item for response in responses for item in removebg_codes(response).items()}
    described = {code for code, _ in texts}
    rows = re.findall(r"^\| `(\w+)` \| (\d{3}) \| (.+) \|$", DOCUMENT, re.MULTILINE)
    assert {code for code, _, _ in rows} == described
    assert {(code, text) for code, _, text in rows} <= texts
    elsewhere = {"blur.parameter_errors", "blur.job_errors"}
    only_elsewhere = {kind for kind in ROWS if kind.__module__ in elsewhere}
    only_elsewhere |= {NotFoundError, UploadNotFoundError}
    sent = {row.code for kind, row in ROWS.items() if kind not in only_elsewhere}
    sent |= {
        ROWS[kind].code
        for kind in (
            InvalidRoiError,
            RoiExceedsBoundsError,
            RoiRegionEmptyError,
            InvalidFormatError,
        )
    }
    assert described == sent
    statuses = {row.code: str(row.status.value) for row in ROWS.values()}
    assert all(statuses[code] == status for code, status, _ in rows)


def test_the_described_fields_of_remove_bgs_route_are_exactly_those_that_are_read() -> None:
    fields = SCHEMAS["RemovalFields"]["properties"]
    assert set(fields) == set(TEXTS)
    assert set(fields["size"]["enum"]) == set(SIZES)
    assert set(fields["format"]["enum"]) == set(OUTPUTS)
    assert set(fields["channels"]["enum"]) == set(CHANNELS)
    assert set(fields["type_level"]["enum"]) == set(TYPE_LEVELS)
    body = API["paths"]["/v1.0/removebg"]["post"]["requestBody"]
    assert set(SCHEMAS["RemovalForm"]["properties"]) == {*TEXTS, *FILE_FIELDS}
    assert f"At most {Settings().removebg_max_body_bytes // 1_000_000} MB" in body["description"]
    assert f"and {MAX_FILE_BYTES // 1_000_000} MB for a file" in body["description"]


def test_the_document_has_every_field_and_header() -> None:
    names = ("BlurForm", "UploadForm", "NewJob", "RemovalFields")
    fields = {field for name in names for field in SCHEMAS[name]["properties"]}
    parameters = {each["name"] for each in API["paths"]["/v2/rembg/blur/"]["post"]["parameters"]}
    for name in fields | parameters | set(API["components"]["headers"]):
        assert f"`{name}`" in DOCUMENT, name
    for path in API["paths"]:
        assert f"`GET {path}`" in DOCUMENT or f"`POST {path}`" in DOCUMENT, path


def test_the_parameters_of_jobs_are_the_fields_of_a_single_call() -> None:
    single, job = SCHEMAS["BlurForm"]["properties"], SCHEMAS["NewJob"]["properties"]
    assert set(single) - {"image", "upload_id"} == set(job) - {"notify"} == set(PARAMETERS)
    assert all(job[name] == single[name] for name in PARAMETERS if name != "format")
    assert job["format"]["enum"] == single["format"]["enum"]
    assert (job["format"]["default"], DEFAULT) == ("png", "png")


def test_the_limits_of_jobs_are_those_of_the_code() -> None:
    limits = {
        path: each["schema"]
        for path in (JOB_PATH, f"{JOB_PATH}/manifest")
        for each in API["paths"][path]["get"]["parameters"]
        if each["name"] == "limit"
    }
    failures, lines = limits[JOB_PATH], limits[f"{JOB_PATH}/manifest"]
    assert (failures["default"], failures["maximum"]) == (FAILURES, MOST_FAILURES)
    assert (lines["default"], lines["maximum"]) == (MOST_LINES, MOST_LINES)
    assert SCHEMAS["Job"]["properties"]["state"]["enum"] == [*STATES[:2], "paused", *STATES[2:]]
    upload = SCHEMAS["Job"]["example"]["upload"]
    assert upload["max_bytes"] == Settings().max_upload_bytes


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_responses_have_exactly_the_described_headers(file: Path, call: Call) -> None:
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
