"""Fixtures: template.yaml, and the resources in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
import yaml
from tests.documents import ROOT

if TYPE_CHECKING:
    from blur.errors import ApiError


class _Loader(yaml.SafeLoader):
    """Loads YAML, and replaces each CloudFormation function by the function's argument."""


def _function(loader: yaml.Loader, _: str, node: yaml.Node) -> object:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(cast("yaml.MappingNode", node), deep=True)


_Loader.add_multi_constructor("!", _function)


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    text = (ROOT / "template.yaml").read_text("utf-8")
    read: dict[str, Any] = yaml.load(text, _Loader)  # noqa: S506 - `Loader` is a SafeLoader
    return read


@pytest.fixture(scope="module")
def resources(template: dict[str, Any]) -> dict[str, Any]:
    """Return the properties of each resource."""
    return {name: each["Properties"] for name, each in template["Resources"].items()}


def statements(resources: dict[str, Any], role: str = "BlurRole") -> list[dict[str, Any]]:
    (policy,) = resources[role]["Policies"]
    found: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    assert found
    return found


def codes(error: type[ApiError]) -> set[str]:
    below = {code for child in error.__subclasses__() for code in codes(child)}
    return below | ({error.code} if "code" in vars(error) else set())
