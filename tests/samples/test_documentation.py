"""Every command and program in the documentation, run unchanged on a real server."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import nullcontext as does_not_raise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from standardwebhooks.webhooks import WebhookVerificationError
from tests import documents
from tests.integration.accounts.dynamodb_local import dynamodb_local
from tests.integration.client.shell import is_picture
from tests.integration.reader import Reader, furnish
from tests.integration.running import ServerProcess, running
from tests.integration.storage.conftest import issue
from tests.samples.test_start import SERVE

from blur.clock import now
from blur.job_app import new_secret
from blur.jobs.notify import signed_headers

if TYPE_CHECKING:
    from tests.documents import Block

ADDRESSES = ("http://127.0.0.1:8080", "https://api.example.com")
ON_A_TABLE = "BLUR_ACCOUNTS=dynamodb:TABLE"

BY_ANOTHER_TEST = {
    "docs/client.md": "tests/samples/test_client_document.py",
    "docs/migrating-from-removebg.md": "tests/clients/test_migration_guide.py",
    "docs/self-hosting.md": "tests/e2e/test_self_hosting.py",
}
INSTALLED = "tests/samples/test_install.py runs it from installed wheels"
NOT_TYPED = {
    'pipx install --pip-args="--find-links dist" background-blur-api': INSTALLED,
    "bgblur blur photo.jpg -r 12": INSTALLED,
    "bgblur serve --demo": INSTALLED,
    "make run": "a separate test starts `bgblur serve --demo`",
    "make test": "`.ci/run` runs it separately",
    "make e2e": "`.ci/run` runs it separately",
    SERVE: "runs until it is stopped; a separate test starts and stops it",
    ".venv-sam/bin/sam build": "`make e2e` builds the stack in this way",
    "make run MODEL=isnet-general-use": "downloads 179 MB from the publisher, if reachable",
    ".venv-sam/bin/sam build --parameter-overrides Model=isnet-general-use": "downloads 179 MB",
    "MODEL=isnet-general-use .venv-sam/bin/sam build ModelLayer": "downloads 179 MB",
    ".venv-sam/bin/sam deploy --config-env staging": "needs an AWS account",
    ".venv-sam/bin/sam delete --stack-name background-blur-staging": "needs an AWS account",
    "aws s3 rm --recursive s3://BUCKET": "needs an AWS account",
    "aws dynamodb update-table --table-name TABLE --no-deletion-protection-enabled": (
        "needs an AWS account"
    ),
    "aws dynamodb delete-table --table-name TABLE": "needs an AWS account",
    (
        'aws sqs start-message-move-task --source-arn "$(aws sqs get-queue-attributes'
        " --queue-url DEAD_LETTERS_URL --attribute-names QueueArn"
        ' --query Attributes.QueueArn --output text)"'
    ): "needs an AWS account",
    (
        "aws dynamodb update-item --table-name TABLE"
        ' --update-expression "SET balance = balance + :missing"'
        """ --key '{"pk": {"S": "ACCT#ACCOUNT"}, "sk": {"S": "ACCOUNT"}}'"""
        """ --expression-attribute-values '{":missing": {"N": "0.25"}}'"""
    ): "needs an AWS account",
}
"""Commands that cannot run here, with the reason; a unit test checks the names in the commands."""

OUTPUT = {"json", ""}
"""Languages of blocks that are not run: responses, diagrams, the text of a query."""

BLOCKS = [
    block
    for document in documents.documents()
    if document not in BY_ANOTHER_TEST
    for block in documents.blocks(document)
]
SHELL = [block for block in BLOCKS if block.language == "sh"]
PROGRAMS = [block for block in BLOCKS if block.language == "python"]
RECEIVERS = [block for block in PROGRAMS if "standardwebhooks" in block.text]
PYTHON = [block for block in PROGRAMS if block not in RECEIVERS]


def typed(block: Block) -> list[str]:
    return [command for command in block.commands if command not in NOT_TYPED]


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, env: dict[str, str]
) -> Iterator[ServerProcess]:
    """Start the server that most tests use, because each start takes seconds."""
    with running(tmp_path_factory.mktemp("reader"), env) as started:
        yield started


@pytest.fixture
def folder(server: ServerProcess) -> Iterator[Path]:
    """Return the server's folder with new photos; afterwards keep only the server's files."""
    home = server.out.parent
    kept = set(home.iterdir())
    furnish(home)
    yield home
    for path in set(home.iterdir()) - kept:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.fixture
def reader(folder: Path, env: dict[str, str], server: ServerProcess) -> Reader:
    """Return a `Reader` that uses the URL and an API key of a running server."""
    key = issue(env, folder)
    words = {**dict.fromkeys(ADDRESSES, server.url), "YOUR_API_KEY": key}
    path = f"{folder / '.venv' / 'bin'}:{env['PATH']}"
    return Reader(folder, {**env, "PATH": path, "KEY": key, "URL": server.url}, words)


def test_every_code_block_of_the_documents_is_run_or_only_shows_output() -> None:
    assert {block.language for block in BLOCKS} == {"sh", "python", *OUTPUT}
    for document in documents.documents():
        fences = re.findall(r"^\s*(?:```|~~~)", documents.read(document), re.MULTILINE)
        assert len(fences) == 2 * len(documents.blocks(document))
    for document, test in BY_ANOTHER_TEST.items():
        assert document in (documents.ROOT / test).read_text("utf-8")
    assert set(NOT_TYPED) <= {command for block in SHELL for command in block.commands}


@pytest.mark.parametrize(
    "block", [b for b in SHELL if typed(b) and ON_A_TABLE not in b.text], ids=str
)
def test_documented_commands_succeed_and_their_files_are_valid_and_private(
    block: Block, reader: Reader, folder: Path
) -> None:
    printed = "".join(map(reader.types, typed(block)))
    assert not re.search(r"^0 audited", printed, re.MULTILINE), "the audit found no account"
    for name in re.findall(r" -o (\S+)", block.text):
        moved_to = re.findall(rf"\bmv -f {name} (\S+)", block.text)
        for path in moved_to or [name]:
            assert (folder / path).exists()
    for picture in folder.rglob("*.png"):
        assert is_picture(picture.read_bytes())
    private = [*folder.rglob("*.db*"), *folder.rglob("demo.key"), *folder.glob("var/media/**/*")]
    for path in filter(Path.is_file, private):
        assert path.stat().st_mode & 0o077 == 0, path


SAVING = [block for block in SHELL if re.search(r"curl .* -o ", block.text, re.DOTALL)]


@pytest.mark.parametrize("block", SAVING, ids=str)
def test_an_error_is_printed_and_not_saved_as_an_image(
    block: Block, folder: Path, env: dict[str, str], server: ServerProcess
) -> None:
    words = dict.fromkeys(ADDRESSES, server.url)
    reader = Reader(folder, {**env, "KEY": "wrong", "URL": server.url}, words)
    for command in typed(block):
        printed = reader.types(f"! {{ {command}; }}")
        assert ("auth_failed" if "/v1.0/" in command else "invalid_api_key") in printed
    assert list(folder.rglob("*.png")) == []
    assert list(folder.rglob("*.part")) == []


@pytest.mark.parametrize("block", SAVING, ids=str)
def test_if_the_photo_is_missing_only_curl_prints_an_error_and_an_earlier_result_is_kept(
    block: Block, reader: Reader, folder: Path
) -> None:
    (folder / "photo.jpg").unlink()
    [earlier] = re.findall(r"\bmv -f \S+ (\S+)", block.text)
    (folder / earlier).write_bytes(b"earlier result")
    [command] = typed(block)
    printed = reader.types(f"! {{ {command}; }} 2>&1")
    assert re.fullmatch(r"curl: .*\n", printed)
    assert (folder / earlier).read_bytes() == b"earlier result"


@pytest.mark.parametrize("block", [b for b in SHELL if ON_A_TABLE in b.text], ids=str)
def test_documented_commands_succeed_with_dynamodb(
    block: Block, new_folder: Path, env: dict[str, str]
) -> None:
    with dynamodb_local() as dynamodb:
        table = dynamodb.create_table("documented")
        reader = Reader(new_folder, {**env, **dynamodb.environ}, {"TABLE": table})
        for command in typed(block):
            reader.types(command)
        reader.types(".venv/bin/bgblur accounts show ACCOUNT")


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_documented_programs_save_images(block: Block, reader: Reader, folder: Path) -> None:
    reader.runs([sys.executable, "-c", reader.filled_in(block.text)])
    results = [*folder.glob("blurred.png"), *folder.glob("blurred/**/*.png")]
    assert results
    assert all(is_picture(result.read_bytes()) for result in results)


@pytest.mark.parametrize("block", RECEIVERS, ids=str)
def test_documented_receivers_of_notifications_accept_only_genuine_notifications(
    block: Block,
) -> None:
    scope: dict[str, Any] = {}
    exec(block.text, scope)  # noqa: S102 - runs a program from our own document
    secret, body = new_secret(), b'{"type": "job.ended", "data": {"job_id": "job_1"}}'
    headers = signed_headers("job_1_ended", body, secret, now_us=now())
    assert scope["ended_job"](secret, body, headers) == {"job_id": "job_1"}
    for forged in (body.replace(b"job_1", b"job_2"), body + b" "):
        with pytest.raises(WebhookVerificationError):
            scope["ended_job"](secret, forged, headers)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "json"], ids=str)
def test_json_blocks_are_valid_json(block: Block) -> None:
    with does_not_raise():
        json.loads(block.text)
