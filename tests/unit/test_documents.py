"""The make targets, stacks, AWS commands and files that documents name exist."""

from __future__ import annotations

import re
import shlex
import tomllib
from typing import Any

import pytest
from botocore import xform_name
from botocore.session import get_session
from tests.documents import ROOT, blocks, documents, read

MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
SAMCONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))
COMMANDS = [
    command
    for document in documents()
    for block in blocks(document, "sh")
    for command in block.commands
]
MAPPED = ["functions/blur", "tools"]
"""The map in CONTRIBUTING.md lists all modules and subfolders of these folders."""


def links() -> list[tuple[str, str]]:
    """Return every link from a document to a file in the project."""
    return [
        (document, target)
        for document in documents()
        for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", read(document))
    ]


def anchors(document: str) -> set[str]:
    """Return the anchors of the document's headings."""
    headings = re.findall(r"^#+ (.+)$", read(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def code_map() -> list[str]:
    """Return the paths that CONTRIBUTING.md lists under "Where the code is"."""
    [drawing] = blocks("CONTRIBUTING.md", "")
    paths: list[str] = []
    above = ""
    for indent, names in re.findall(r"^( *)(\S+(?:, \S+)*)", drawing.text, re.MULTILINE):
        above = above if indent else names
        paths += [(above if indent else "") + name for name in names.split(", ")]
    return paths


@pytest.mark.parametrize("document", documents())
def test_documented_make_targets_exist(document: str) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", MAKEFILE, re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make ([a-z0-9-]+)", read(document), re.MULTILINE)) <= targets


def test_stacks_in_documented_commands_are_defined_in_samconfig() -> None:
    named = re.findall(r"--config-env (\S+)", "\n".join(COMMANDS))
    stacks = re.findall(r"--stack-name (\S+)", "\n".join(COMMANDS))
    assert named
    assert stacks
    for section in named:
        assert "deploy" in SAMCONFIG[section]
    sections = [section for section in SAMCONFIG.values() if isinstance(section, dict)]
    deployed = [section["deploy"]["parameters"] for section in sections if "deploy" in section]
    assert set(stacks) <= {parameters["stack_name"] for parameters in deployed}


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("aws dynamodb ")])
def test_documented_dynamodb_commands_and_their_options_exist(command: str) -> None:
    called, *options = shlex.split(command)[2:]
    calls: Any = get_session().get_service_model("dynamodb")
    [operation] = [name for name in calls.operation_names if xform_name(name, "-") == called]
    members = {
        xform_name(name, "-") for name in calls.operation_model(operation).input_shape.members
    }
    given = {option.removeprefix("--") for option in options if option.startswith("--")}
    assert {option.removeprefix("no-") for option in given} <= members


def test_the_documented_defaults_of_parameters_equal_the_defaults_in_the_template() -> None:
    text, template = read("docs/operations.md"), (ROOT / "template.yaml").read_text("utf-8")
    rows = re.findall(r"^\| `([A-Z][a-z]\w+)` \| (\S+) \| ", text, re.MULTILINE)
    assert ("BulkConcurrency", "10") in rows
    for name, default in rows:
        found = re.search(rf"^  {name}:\n(?:    .*\n)*?    Default: (.*)$", template, re.MULTILINE)
        assert found, name
        assert found[1].strip('"') == default.strip("`"), name


@pytest.mark.parametrize(("document", "target"), links())
def test_the_file_and_the_heading_to_which_a_link_points_exist(document: str, target: str) -> None:
    path, _, anchor = target.partition("#")
    there = (ROOT / document).parent / path if path else ROOT / document
    assert there.exists()
    if anchor:
        assert anchor in anchors(str(there.resolve().relative_to(ROOT)))


def test_the_map_of_the_code_is_complete_and_all_its_paths_exist() -> None:
    listed = code_map()
    assert [path for path in listed if not (ROOT / path).exists()] == []
    modules = {
        f"{folder}/{path.name}{'/' if path.is_dir() else ''}"
        for folder in MAPPED
        for path in (ROOT / folder).iterdir()
        if path.suffix == ("" if path.is_dir() else ".py") and path.name[0] not in "_."
    }
    assert modules - set(listed) == set()
