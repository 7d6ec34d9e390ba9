"""Our multipart parser agrees with a public conformance suite, except in documented cases."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import multipart_form_data_conformance
import pytest
from tests.attack.target import form_event, outcome_of
from tests.documents import read
from tests.trials import Part, record

from blur.api.multipart import parse_form
from blur.errors import InvalidRequestError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.attack.target import Target

PAGE = "docs/multipart.md"
REFUSED_BY_US = {
    "044-boundary-special-chars",
    "061-lf-only-lenient",
    "062-mixed-endings",
    "085-header-folding",
}
"""Cases that the suite accepts and we reject; docs/multipart.md has the reasons."""


@dataclass(frozen=True)
class Case:
    """A case of the conformance suite: a body, and the parts that the suite expects."""

    name: str
    content_type: str
    body: bytes
    expected: dict[str, Any]

    @classmethod
    def of(cls, folder: Path) -> Case:
        """Read a case from its folder."""
        headers = json.loads((folder / "headers.json").read_text("utf-8"))
        expectation = json.loads((folder / "test.json").read_text("utf-8"))
        body = (folder / "input.raw").read_bytes()
        return cls(folder.name, headers["content-type"], body, expectation["expected"])

    @property
    def digests(self) -> dict[str, list[str]] | None:
        """The SHA-256 of each part by its name; None if the body must be rejected."""
        if not self.expected["valid"]:
            return None
        parts: defaultdict[str, list[str]] = defaultdict(list)
        for part in self.expected["parts"]:
            parts[part["name"]].append(_digest_of(part))
        return dict(parts)

    def __str__(self) -> str:
        """Return the name, which is the id of the test."""
        return self.name


def _digest_of(part: dict[str, Any]) -> str:
    if "body_sha256" in part:
        digest: str = part["body_sha256"]
        return digest
    if "body_base64" in part:
        return _sha256(base64.b64decode(part["body_base64"]))
    return _sha256(part["body_text"].encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


CASES = [
    Case.of(expectation.parent)
    for expectation in sorted(multipart_form_data_conformance.get_tests_dir().glob("*/*/test.json"))
]


def ours(case: Case) -> dict[str, list[str]] | None:
    """Parse the body and return its parts in the format of `Case.digests`."""
    try:
        form = parse_form(case.content_type, case.body)
    except InvalidRequestError:
        return None
    return {name: [_sha256(value) for value in values] for name, values in form.parts.items()}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_parsing_agrees_with_the_conformance_suite_except_in_documented_cases(case: Case) -> None:
    if case.name in REFUSED_BY_US:
        assert case.digests is not None
        assert ours(case) is None
    else:
        assert ours(case) == case.digests


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_case_gets_400_invalid_request_or_400_invalid_radius(
    case: Case, target: Target
) -> None:
    answer = target(form_event(case.body, case.content_type))
    assert outcome_of(answer) in {"400 invalid_request", "400 invalid_radius"}


def test_multipart_md_lists_exactly_the_cases_that_only_our_parser_rejects() -> None:
    text = read(PAGE)
    named = {case.name for case in CASES if f"`{case.name}`" in text}
    assert named == REFUSED_BY_US


def test_the_number_of_cases_that_differ_from_the_suite_is_as_documented() -> None:
    agreeing = sum(ours(case) == case.digests for case in CASES)
    assert agreeing == len(CASES) - len(REFUSED_BY_US)
    record(
        Part.BAD_INPUT,
        "the suite multipart-form-data-conformance",
        f"all {len(CASES)} cases",
        f"{agreeing} are accepted or rejected as the suite expects; {len(CASES) - agreeing} are "
        "rejected although the suite accepts them ([reasons](multipart.md))",
        by="tests/attack/test_conformance.py",
    )
