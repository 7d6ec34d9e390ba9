"""The bill of materials as `make sbom` writes it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.documents import ROOT
from tests.trials import Part, record

if TYPE_CHECKING:
    from pathlib import Path


def test_two_runs_write_the_same_bill_of_materials_with_packages_and_models(tmp_path: Path) -> None:
    written = []
    for name in ("first", "second"):
        command = [sys.executable, "tools/sbom.py", "--into", str(tmp_path / name)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    components = json.loads(written[0])["components"]
    packages = [each for each in components if each["type"] == "library"]
    models = [each for each in components if each["type"] == "machine-learning-model"]
    hashes = sum(len(each["externalReferences"][0]["hashes"]) for each in packages)
    libraries = sum(len(each["components"]) for each in packages)
    assert packages
    assert models
    record(
        Part.SECURITY,
        "The bill of materials of the function's image, written twice",
        f"{len(packages)} packages with {hashes} hashes, {libraries} native libraries in them, "
        f"{len(models)} files of the model",
        "both files are equal; every pinned package, licence and model is listed "
        "(`tests/unit/test_sbom.py`)",
        by="tests/attack/test_supply.py",
    )
