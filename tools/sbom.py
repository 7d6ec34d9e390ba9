"""Write the bill of materials of the function's image: `python tools/sbom.py --into file`.

The format is CycloneDX 1.6 in JSON (https://cyclonedx.org/docs/1.6/json/). The bill lists the
locked packages with their hashes, licences and the native libraries in their wheels, the model's
files, and the base image. Licences and libraries come from the installed packages, which must have
the versions in the lock file. The bill has no timestamp, and its serial number is made from the
content, so the same checkout gives the same file. docs/adr/0020-bill-of-materials.md compares this
script with cyclonedx-bom.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
import tomllib
import uuid
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements" / "function.txt"
MODELS = ROOT / "layers" / "model" / "models.toml"
MODEL_DIR = ROOT / "build" / "models"
DOCKERFILE = ROOT / "functions" / "blur" / "Dockerfile"

Component = dict[str, Any]

OPTIONAL = ("selfie-segmentation", "face-detection")
"""The neural networks for people and faces. An image can be built without them."""
FUNCTION = "background-blur-api"
LICENCES = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
}
"""For each licence name that packages use: the SPDX identifier (https://spdx.org/licenses/)."""
IDENTIFIERS = {*LICENCES.values(), "BSD-3-Clause"}


@dataclass(frozen=True, slots=True)
class Pin:
    """A pinned package, and the packages that require it."""

    name: str
    version: str
    sha256: tuple[str, ...]
    """One hash for each file of the release; which file is installed depends on the machine."""
    required_by: tuple[str, ...]

    @property
    def purl(self) -> str:
        """The package's URL (https://github.com/package-url/purl-spec)."""
        return f"pkg:pypi/{self.name}@{self.version}"


def read_lock(text: str) -> list[Pin]:
    """Parse the text of a lock file."""
    return list(map(_pin, re.split(r"^(?=[a-z0-9-]+==)", text, flags=re.MULTILINE)[1:]))


def _pin(entry: str) -> Pin:
    name, version = entry.split(maxsplit=1)[0].split("==")
    hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})", entry)
    _, _, via = entry.partition("# via")
    required_by = re.findall(r"[a-z0-9.-]*[a-z0-9]$", via, re.MULTILINE)
    return Pin(name, version, tuple(hashes), tuple(required_by))


def package(pin: Pin) -> Component:
    """Return the entry for a package in the bill of materials.

    Raises:
        ValueError: the installed version differs from the version in the lock file.
        importlib.metadata.PackageNotFoundError: the package is not installed.

    """
    installed = metadata.distribution(pin.name)
    if installed.version != pin.version:
        message = f"{pin.name} {installed.version} is installed; the lock file has {pin.version}"
        raise ValueError(message)
    comment = "the hashes of all files of the release; one of these files is installed in the image"
    files = {"type": "distribution", "url": pin.purl, "comment": comment}
    return {
        "type": "library",
        "bom-ref": pin.purl,
        "name": pin.name,
        "version": pin.version,
        "purl": pin.purl,
        "licenses": licences(installed.metadata),
        "externalReferences": [files | {"hashes": list(map(sha_256, pin.sha256))}],
        "components": bundled(installed),
    }


def licences(package_metadata: metadata.PackageMetadata) -> list[Component]:
    """Return the licences in a package's metadata, as SPDX identifiers if possible."""
    if "License-Expression" in package_metadata:
        return [{"expression": package_metadata["License-Expression"]}]
    classifiers = [
        each for each in package_metadata.get_all("Classifier", []) if each.startswith("License ::")
    ]
    names = [each.rpartition(" :: ")[2] for each in classifiers] or [package_metadata["License"]]
    known = [LICENCES.get(name, name) for name in names]
    return [{"license": {"id" if name in IDENTIFIERS else "name": name}} for name in known]


def bundled(installed: metadata.Distribution) -> list[Component]:
    """Return the native libraries from other projects in a wheel's folder `<name>.libs`."""
    return [
        {
            "type": "file",
            "bom-ref": f"{installed.name}/{file.name}",
            "name": file.name,
            "hashes": [sha_256(_hexadecimal(file.hash.value))],
        }
        for file in sorted(installed.files or [])
        if file.parts[0].endswith(".libs") and file.hash
    ]


def models(name: str, folder: Path) -> list[Component]:
    """Return the pinned model file and, if there is one, the light version made from it."""
    rows = tomllib.loads(MODELS.read_text("utf-8"))
    [(pinned, row)] = [(key, row) for key, row in rows.items() if name in {key, row.get("light")}]
    original = _model(pinned, row, row["sha256"])
    original["externalReferences"] = [{"type": "distribution", "url": row["release"]}]
    if "light" not in row:
        return [original]
    light = folder / f"{row['light']}.onnx"
    return [original, _derived(row["light"], row, light, original, script="lighten.py")]


def optional_models(name: str, folder: Path) -> list[Component]:
    """Return the original and converted file of an optional neural network, if it is installed."""
    converted = folder / f"{name}.onnx"
    if not converted.is_file():
        return []
    row = tomllib.loads(MODELS.read_text("utf-8"))[name]
    original = _model(name, row, row["sha256"])
    original["externalReferences"] = [{"type": "distribution", "url": row["release"]}]
    return [original, _derived(converted.name, row, converted, original, script="convert.py")]


def _derived(
    name: str, row: dict[str, Any], file: Path, original: Component, *, script: str
) -> Component:
    derived = _model(name, row, hashlib.sha256(file.read_bytes()).hexdigest())
    ancestor = {key: original[key] for key in ("type", "name", "hashes")}
    derived["pedigree"] = {"ancestors": [ancestor], "notes": f"made by layers/model/{script}"}
    return derived


def _model(name: str, row: dict[str, Any], sha256: str) -> Component:
    return {
        "type": "machine-learning-model",
        "bom-ref": f"model/{name}",
        "name": name,
        "description": "layers/model/prepare.py prepares this file for the image, for any CPU.",
        "licenses": [{"license": {"id": row["licence"]}}],
        "hashes": [sha_256(sha256)],
    }


def base(dockerfile: str) -> Component:
    """Return the entry for the default base image in the bill of materials."""
    [(name, version)] = re.findall(r"^ARG BASE_IMAGE=(\S+):(\S+)$", dockerfile, re.MULTILINE)
    return {"type": "container", "bom-ref": "base", "name": name, "version": version}


def bill(model: str, folder: Path) -> dict[str, Any]:
    """Return the bill of materials of an image with this model; `folder` has the model's files."""
    pins = read_lock(LOCK.read_text("utf-8"))
    components = [*map(package, pins), *models(model, folder)]
    for name in OPTIONAL:
        components += optional_models(name, folder)
    components.append(base(DOCKERFILE.read_text("utf-8")))
    version = metadata.version(FUNCTION)
    function = {"type": "application", "bom-ref": FUNCTION, "name": FUNCTION, "version": version}
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**function, "licenses": [{"license": {"id": "MIT"}}]}},
        "components": components,
        "dependencies": dependencies(pins, [each["bom-ref"] for each in components]),
    }
    number = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(document, sort_keys=True))
    return {**document, "serialNumber": number.urn}


def dependencies(pins: list[Pin], references: list[str]) -> list[Component]:
    """Return the dependencies of each package and of the function.

    The function depends on the packages in function.in, the models and the base image.
    """
    asked = {pin.purl for pin in pins if "function.in" not in pin.required_by}
    needs = {pin.purl: [p.purl for p in pins if pin.name in p.required_by] for pin in pins}
    needs[FUNCTION] = [each for each in references if each not in asked]
    return [{"ref": ref, "dependsOn": sorted(on)} for ref, on in sorted(needs.items())]


def sha_256(digest: str) -> dict[str, str]:
    """Return the JSON object for a SHA-256 digest."""
    return {"alg": "SHA-256", "content": digest}


def _hexadecimal(digest: str) -> str:
    """Convert a digest in a wheel's RECORD, base64 without padding, to hexadecimal."""
    return base64.urlsafe_b64decode(digest + "=" * (-len(digest) % 4)).hex()


def main(arguments: list[str] | None = None) -> None:
    """Write the file and print the number of components."""
    parser = argparse.ArgumentParser(description="Write the bill of materials of the image.")
    parser.add_argument("--model", default="u2netp-light", help="the model in the container image")
    parser.add_argument("--into", type=Path, required=True, help="the file to write")
    options = parser.parse_args(arguments)
    document = bill(options.model, MODEL_DIR)
    options.into.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    sys.stdout.write(f"{options.into} lists {len(document['components'])} components\n")


if __name__ == "__main__":
    main()
