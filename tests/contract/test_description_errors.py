"""The error codes in openapi.yaml, compared with the code and with docs/api.md."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from tests.contract.description import API, DOCUMENT, OPERATIONS, resolved

from blur.api.removebg.errors import ROWS
from blur.errors import ApiError, NotFoundError, UploadNotFoundError
from blur.parameter_errors import (
    InvalidFormatError,
    InvalidRoiError,
    RoiExceedsBoundsError,
    RoiRegionEmptyError,
)
from blur.removal_errors import RemovalError


def leaves(error: type[ApiError]) -> list[type[ApiError]]:
    children = [child for child in error.__subclasses__() if child is not RemovalError]
    return [leaf for child in children for leaf in leaves(child)] if children else [error]


def codes_of(response: dict[str, Any]) -> set[str]:
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    return {each["const"] for each in listed_codes(schema)}


def listed_codes(schema: dict[str, Any]) -> list[dict[str, str]]:
    """Return the entry of each error code, or an empty list for a schema of another format."""
    _, own = schema.get("allOf", [None, None])
    error = own["properties"].get("error") if own else None
    codes: list[dict[str, str]] = error["properties"]["code"]["oneOf"] if error else []
    return codes


def removebg_codes(response: dict[str, Any]) -> dict[str, str]:
    """Return the description of each error code in a response of remove.bg's paths."""
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    _, own = schema.get("allOf", [None, None])
    errors = own["properties"].get("errors") if own else None
    codes = errors["items"]["properties"]["code"]["oneOf"] if errors else []
    return {each["const"]: each["description"] for each in codes}


def code_texts() -> dict[str, list[str]]:
    """Return a dictionary from each error code to all descriptions of this code."""
    texts = defaultdict(list)
    for response in API["components"]["responses"].values():
        schema = response.get("content", {}).get("application/json", {}).get("schema", {})
        for each in listed_codes(schema):
            texts[each["const"]].append(each["description"])
    return texts


def test_openapi_yaml_has_exactly_the_existing_error_codes_with_their_statuses() -> None:
    described = {
        (status, code)
        for path, method in OPERATIONS
        for status, response in API["paths"][path][method]["responses"].items()
        for code in codes_of(resolved(response))
    }
    everywhere = {("404", "not_found"), ("405", "method_not_allowed")}
    everywhere |= {("409", "job_closed")}  # the response to an upload to a closed job
    named = {
        code for response in API["components"]["responses"].values() for code in codes_of(response)
    }
    assert described | everywhere == {(str(e.status.value), e.code) for e in leaves(ApiError)}
    assert named == {e.code for e in leaves(ApiError)}


def test_api_md_has_the_description_of_each_error_code() -> None:
    rows = dict(re.findall(r"^\| \d{3} \| `(\w+)` \| (.+) \|$", DOCUMENT, re.MULTILINE))
    texts = code_texts()
    assert set(rows) == set(texts)
    for code, text in rows.items():
        assert text in texts[code], code


def test_every_error_code_of_remove_bgs_routes_is_described_and_documented() -> None:
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
