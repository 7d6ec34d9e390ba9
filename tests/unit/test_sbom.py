"""The bill of materials: the locked packages, native libraries in wheels, and the model."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests.documents import ROOT, read

import sbom
from sbom import read_lock

LOCK = read("requirements/function.txt")
MODEL = "u2netp-light"
FOLDER = ROOT / "build" / "models"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return sbom.bill(MODEL, FOLDER)


def of_type(document: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [each for each in document["components"] if each["type"] == kind]


def test_every_package_of_the_function_is_listed_with_all_its_hashes(
    document: dict[str, Any],
) -> None:
    libraries = of_type(document, "library")
    listed = {f"{each['name']}=={each['version']}" for each in libraries}
    assert listed == set(re.findall(r"^[a-z0-9-]+==[^ ]+", LOCK, re.MULTILINE))
    hashes = [
        digest["content"]
        for each in libraries
        for reference in each["externalReferences"]
        for digest in reference["hashes"]
    ]
    assert sorted(hashes) == sorted(re.findall(r"--hash=sha256:(\S+)", LOCK))


def test_every_package_and_model_has_a_licence(document: dict[str, Any]) -> None:
    for each in (*of_type(document, "library"), *of_type(document, "machine-learning-model")):
        assert each["licenses"], each["name"]
        assert all({"license", "expression"} & set(licence) for licence in each["licenses"])


def test_the_model_is_listed_with_its_hash_and_its_source(
    document: dict[str, Any],
) -> None:
    original, light, *_ = of_type(document, "machine-learning-model")
    pin = tomllib.loads(read("layers/model/models.toml"))["u2netp"]
    assert original["hashes"] == [{"alg": "SHA-256", "content": pin["sha256"]}]
    content = (FOLDER / f"{MODEL}.onnx").read_bytes()
    assert light["hashes"][0]["content"] == hashlib.sha256(content).hexdigest()
    assert light["pedigree"]["ancestors"][0]["hashes"] == original["hashes"]
    assert {model["licenses"][0]["license"]["id"] for model in (original, light)} == {"Apache-2.0"}


def test_native_libraries_in_wheels_are_listed(document: dict[str, Any]) -> None:
    names = {
        file["name"].partition("-")[0]
        for each in of_type(document, "library")
        for file in each["components"]
    }
    assert {"libheif", "libwebp", "libcrypto"} <= names


@pytest.mark.parametrize("name", ["selfie-segmentation", "face-detection"])
def test_an_optional_model_is_listed_if_the_folder_of_models_has_it(
    document: dict[str, Any], tmp_path: Path, name: str
) -> None:
    models = {each["name"]: each for each in of_type(document, "machine-learning-model")}
    original, converted = models[name], models[f"{name}.onnx"]
    pin = tomllib.loads(read("layers/model/models.toml"))[name]
    assert original["hashes"] == [{"alg": "SHA-256", "content": pin["sha256"]}]
    content = (FOLDER / f"{name}.onnx").read_bytes()
    assert converted["hashes"][0]["content"] == hashlib.sha256(content).hexdigest()
    assert converted["pedigree"]["ancestors"][0]["hashes"] == original["hashes"]
    assert sbom.optional_models(name, tmp_path) == []


def test_a_model_without_a_light_version_is_listed_as_one_component() -> None:
    [model] = sbom.models("silueta", FOLDER)
    assert (model["name"], model["licenses"]) == ("silueta", [{"license": {"id": "Apache-2.0"}}])


def test_the_function_depends_directly_or_indirectly_on_every_component(
    document: dict[str, Any],
) -> None:
    needs = {each["ref"]: each["dependsOn"] for each in document["dependencies"]}
    reached: set[str] = set()
    ahead = [sbom.FUNCTION]
    while ahead:
        found = ahead.pop()
        reached.add(found)
        ahead += [each for each in needs.get(found, []) if each not in reached]
    assert reached == {sbom.FUNCTION, *(each["bom-ref"] for each in document["components"])}


def test_each_bom_ref_is_unique_and_a_second_bill_is_the_same_document(
    document: dict[str, Any],
) -> None:
    references = re.findall(r'"bom-ref": "([^"]+)"', json.dumps(document))
    assert len(references) == len(set(references))
    assert sbom.bill(MODEL, FOLDER) == document
    assert document["serialNumber"].startswith("urn:uuid:")


def test_a_locked_version_that_differs_from_the_installed_version_is_an_error() -> None:
    [pin] = [pin for pin in read_lock(LOCK) if pin.name == "pillow"]
    [other] = read_lock(f"pillow==0.1 \\\n    --hash=sha256:{'0' * 64}\n    # via -r function.in\n")
    assert sbom.package(pin)["purl"] == f"pkg:pypi/pillow@{pin.version}"
    with pytest.raises(ValueError, match=r"the lock file has 0\.1"):
        sbom.package(other)
