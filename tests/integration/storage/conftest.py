"""A server for each kind of storage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.integration.accounts.operators import operate
from tests.integration.running import ServerProcess, environment, running

if TYPE_CHECKING:
    from tests.integration.storage.s3_server import S3Server


@dataclass(frozen=True)
class Api:
    """A running server and two keys of different accounts."""

    server: ServerProcess
    key: str
    other_key: str
    env: dict[str, str]


def serve(folder: Path, model_dir: Path, **settings: str) -> Iterator[Api]:
    env = environment(folder, model_dir, **settings)
    with running(folder, env) as server:
        yield Api(server, issue(env), issue(env), env)


def issue(
    env: dict[str, str],
    folder: Path | None = None,
    *,
    funds: int = 100,
    options: Sequence[str] = (),
) -> str:
    with chdir(folder or Path.cwd()):
        key: str = operate(env, "keys", "issue", "--credits", str(funds), *options)["key"]
    return key


@pytest.fixture(scope="session", params=["folder", "s3"])
def api(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, model_dir: Path
) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "folder":
        yield from serve(folder, model_dir, BLUR_MEDIA=f"folder:{folder / 'media'}")
    else:
        s3: S3Server = request.getfixturevalue("s3")
        yield from serve(folder, model_dir, BLUR_MEDIA="s3:media", **s3.environ)


@pytest.fixture(scope="session")
def by_link(
    tmp_path_factory: pytest.TempPathFactory, model_dir: Path, s3: S3Server
) -> Iterator[Api]:
    """Start a server with a response limit so low that the server returns each image as a link."""
    folder = tmp_path_factory.mktemp("by-link")
    tiny = {"BLUR_MEDIA": "s3:media", "BLUR_MAX_RESPONSE_BYTES": "2000"}
    yield from serve(folder, model_dir, **tiny, **s3.environ)
