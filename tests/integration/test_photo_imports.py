"""Only processes that compute results import the code that processes photos."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from secrets import token_bytes

import pytest

from blur.account_status import RateLimit
from blur.accounts.admin import AccountAdmin
from blur.accounts.model import KeyKind
from blur.accounts.sqlite.account_store import SqliteAccountStore
from blur.app import build_app
from blur.clock import now
from blur.credits import ONE
from blur.settings import Settings

ROOT = Path(__file__).parents[2]
LIMIT = RateLimit(per_minute=600, burst=100)
PACKAGES = {"numpy", "cv2", "PIL", "simplejpeg", "onnxruntime"}
PIPELINES = {"blur.imaging.pipeline", "blur.imaging.removal.remove", "onnxruntime"}
ANSWERS = {
    "page": 200,
    "health": 200,
    "description": 200,
    "unknown path": 404,
    "account": 200,
    "upload": 201,
    "new job": 201,
    "unknown mode": 400,
    "job": 200,
    "closed job": 200,
    "manifest": 200,
    "unknown key": 401,
}


def run(*arguments: str, **environment: str) -> str:
    """Return the output of a new Python process."""
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, env=environment or None, text=True
    )
    return done.stdout


def modules_after(imports: str, **environment: str) -> set[str]:
    """Return the names of the modules that a new process has imported after these statements."""
    return set(run("-c", f"{imports}\nimport sys; print(*sys.modules)", **environment).split())


def test_routes_without_photos_work_without_the_code_that_processes_photos(tmp_path: Path) -> None:
    store = SqliteAccountStore(tmp_path / "accounts.db")
    admin = AccountAdmin(store, token_bytes, now())
    account_id = admin.create_account("A customer", credits=ONE)
    key = admin.issue_key(account_id, KeyKind.LIVE, limit=LIMIT)[0]
    store.close()
    lines = run("-m", "tests.integration.front_process", str(tmp_path), key).splitlines()
    output = json.loads(lines[-1])
    assert output["statuses"] == ANSWERS
    assert PACKAGES.isdisjoint(output["modules"])


def test_importing_the_server_or_the_keeper_does_not_import_the_code_that_processes_photos() -> (
    None
):
    modules = {"bgblur.serving.server", "bgblur.serving.worker_main", "blur.job_keeper_handler"}
    imported = modules_after(f"import {', '.join(modules)}")
    assert imported >= modules
    assert PACKAGES.isdisjoint(imported)


def test_importing_the_lambda_handler_also_imports_the_code_for_blur_and_removal(
    tmp_path: Path, model_dir: Path
) -> None:
    environment = {
        "BLUR_ACCOUNTS": f"sqlite:{tmp_path / 'accounts.db'}",
        "BLUR_MODEL_DIR": str(model_dir),
    }
    assert modules_after("import blur.lambda_handler", **environment) >= PIPELINES


def test_importing_the_worker_for_jobs_imports_the_code_for_blur_and_removal() -> None:
    assert modules_after("import blur.job_handler") >= PIPELINES - {"onnxruntime"}


def test_an_unknown_model_is_an_error_even_if_no_photo_is_processed(tmp_path: Path) -> None:
    settings = Settings(accounts=f"sqlite:{tmp_path / 'accounts.db'}", model="unknown")
    with pytest.raises(ValueError, match="Unknown model 'unknown'"):
        build_app(settings, opens_model=False, on_lambda=False)
