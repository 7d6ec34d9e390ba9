"""Searches the embedded server's whole output for the keys and photos of its requests."""

from __future__ import annotations

import io
import json
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import requests
from events import make
from PIL import Image
from tests.attack.traces import files, found, key_forms, photo_forms
from tests.integration.running import BGBLUR, ServerProcess, environment, running
from tests.trials import Part, record, size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BREAKS = "CREATE TRIGGER broken BEFORE INSERT ON holds BEGIN SELECT RAISE(ABORT, 'a fault'); END"
HEALS = "DROP TRIGGER broken"
TIMEOUT_S = 60


@dataclass(frozen=True)
class Session:
    """A server with its keys, and the photos of the requests."""

    folder: Path
    server: ServerProcess
    env: dict[str, str]
    keys: list[str]
    inline: bytes
    uploaded: bytes

    @property
    def headers(self) -> dict[str, str]:
        return {"ApiKey": self.keys[0]}

    def blur(self, form: dict[str, bytes], **headers: str) -> requests.Response:
        files = {"radius": (None, b"12"), **{name: (None, each) for name, each in form.items()}}
        return requests.post(
            self.server.blur_url, headers={**self.headers, **headers}, files=files, timeout=60
        )


@pytest.fixture
def session(tmp_path: Path, model_dir: Path) -> Iterator[Session]:
    env = environment(tmp_path, model_dir, BLUR_MEDIA=f"folder:{tmp_path / 'media'}")
    keys = [issued(env, "--credits", "1000", "--rate", "60000"), issued(env), issued(env, "--test")]
    with running(tmp_path, env) as server:
        yield Session(tmp_path, server, env, keys, make.jpeg(192), png())


def png() -> bytes:
    """Return the photo for uploads, in a different format than the photo that forms contain."""
    buffer = io.BytesIO()
    with Image.open(make.PHOTO) as photo:
        photo.resize((300, 300)).save(buffer, "PNG")
    return buffer.getvalue()


def issued(env: dict[str, str], *options: str) -> str:
    command = [*BGBLUR, "keys", "issue", "--json", *options]
    done = subprocess.run(command, env=env, capture_output=True, check=True)
    key: str = json.loads(done.stdout)["key"]
    return key


def call_well(session: Session) -> None:
    answer = session.blur({"image": session.inline}, **{"Idempotency-Key": session.keys[0][:40]})
    assert answer.status_code == 200
    by_test_key = session.blur({"image": session.inline}, ApiKey=session.keys[2])
    assert by_test_key.status_code == 200


def call_badly(session: Session) -> None:
    """Send invalid requests, and requests with a key in a wrong place."""
    key = session.keys[0]
    assert session.blur({"image": session.inline}, ApiKey=key[:-1]).status_code == 401
    assert session.blur({"image": session.inline[:5000]}).status_code == 400
    assert session.blur({"image": session.inline, "mode": key.encode()}).status_code == 400
    assert session.blur({"image": session.inline}, ApiKey=session.keys[1]).status_code == 402
    for path in (f"/{key}", f"/v2/account/{key}", f"/?key={key}", f"/health?{key}"):
        assert requests.get(session.server.url + path, timeout=TIMEOUT_S).status_code in {200, 404}


def upload(session: Session) -> None:
    declared = {"content_type": "image/png", "bytes": len(session.uploaded)}
    url = f"{session.server.url}/v2/uploads"
    form = requests.post(url, json=declared, headers=session.headers, timeout=TIMEOUT_S).json()
    sent = requests.post(
        form["url"], data=form["fields"], files={"file": session.uploaded}, timeout=TIMEOUT_S
    )
    assert sent.status_code == 204
    assert session.blur({"upload_id": form["upload_id"].encode()}).status_code == 200


def break_inside(session: Session) -> str:
    """Inject a fault that makes a call fail; return the request id of this call."""
    with closing(sqlite3.connect(session.folder / "accounts.db")) as database:
        database.execute(BREAKS)
        answer = session.blur({"image": session.inline})
        database.execute(HEALS)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    request_id: str = answer.json()["error"]["request_id"]
    return request_id


def operate(session: Session) -> list[tuple[str, bytes]]:
    """Return the output of commands with which an operator lists or audits accounts and keys."""
    shown = [
        ["accounts", "list"],
        ["keys", "list"],
        ["accounts", "audit"],
        ["keys", "list", "--json"],
    ]
    outputs = [
        subprocess.run([*BGBLUR, *words], env=session.env, capture_output=True, check=True)
        for words in shown
    ]
    return [("a command", done.stdout + done.stderr) for done in outputs]


def blur_by_command(session: Session, elsewhere: Path) -> tuple[str, bytes]:
    """Return the output of `bgblur blur --json` for one valid and one invalid photo."""
    for name, content in (("good.jpg", session.inline), ("bad.jpg", session.inline[:5000])):
        (elsewhere / name).write_bytes(content)
    env = {"BGBLUR_API": session.server.url, "BGBLUR_API_KEY": session.keys[0]}
    words = ["blur", str(elsewhere / "good.jpg"), str(elsewhere / "bad.jpg"), "-r", "9", "--json"]
    done = subprocess.run(
        [*BGBLUR, *words], env=session.env | env, capture_output=True, check=False
    )
    assert done.returncode == 1
    assert json.loads(done.stdout)["blurred"] == 1
    return "the client's command", done.stdout + done.stderr


def test_the_server_writes_no_key_and_no_photo_except_stored_uploads(
    session: Session, tmp_path_factory: pytest.TempPathFactory
) -> None:
    turns = size(1, full=20)
    for _ in range(turns):
        call_well(session)
        call_badly(session)
        upload(session)
    broken = break_inside(session)
    by_command = blur_by_command(session, tmp_path_factory.mktemp("client"))
    written = [*files(session.folder), *operate(session), by_command]
    require_whole(written, session, broken)

    assert found(key_forms(session.keys), written) == set()
    assert found(photo_forms([session.inline]), written) == set()
    photo = found(photo_forms([session.uploaded]), written)
    uploads = str(session.folder / "media/uploads")
    assert {where.rsplit("/", 2)[0] for _, where in photo} == {uploads}
    size_kb = sum(len(content) for _, content in written) // 1000
    record(
        Part.SECURITY,
        "Search for keys and photos in everything that the embedded server writes",
        f"{turns * 13 + 3} calls, one with an internal error; {size_kb} kB of logs, "
        "accounts and media",
        "none found except the stored uploads",
        by="tests/attack/test_served_traces.py",
    )


def require_whole(written: list[tuple[str, bytes]], session: Session, broken: str) -> None:
    """Check that the output is complete: texts that the server always writes are in the output."""
    everything = b"\n".join(content for _, content in written)
    assert b'"_aws"' not in everything  # no metrics in the format of CloudWatch
    assert b"UserWarning" not in everything
    lines = [line for line in everything.splitlines() if broken.encode() in line]
    assert any(b"Traceback" in line and b"IntegrityError" in line for line in lines)
    assert session.keys[0][:24].encode() in everything  # people recognise a key by its prefix
    names = {where.rpartition("/")[2] for where, _ in written}
    assert {"accounts.db", "accounts.db-wal", "server.log", "secret"} <= names
