"""The files that the check of the project's English reads."""

from __future__ import annotations

from tests.documents import ROOT

import prose


def test_the_check_reads_documents_code_the_page_and_build_files() -> None:
    read_files = prose.files()
    for path in (
        "README.md",
        "docs/api.md",
        "docs/adr/0005-holds.md",
        "functions/blur/errors.py",
        "functions/blur/api/openapi.yaml",
        "site/index.html",
        "site/errors.js",
        "tests/unit/test_errors.py",
        "Makefile",
        "pyproject.toml",
        "requirements/test.in",
    ):
        assert path in read_files
        assert (ROOT / path).is_file()
