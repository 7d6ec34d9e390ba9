"""S3 with rejections, delays and invalid responses, for results and uploads."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger
from events import make
from tests.faults.balances import Balances, open_balances
from tests.faults.garbage import faults, silent
from tests.faults.relay import Fault, Forward, Relay, Request, Response, relay
from tests.faults.responses import PICTURE, Outcome, from_proxy
from tests.trials import FULL, Part, record, size

from bgblur.serving.proxy_events import InvocationContext
from blur.accounts import keys
from blur.accounts.sqlite.account_store import SqliteAccountStore
from blur.app import build_app
from blur.settings import Settings
from blur.storage.owned_uploads import upload_name

if TYPE_CHECKING:
    from tests.integration.storage.s3_server import S3Server

    from blur.api.router import Router

pytestmark = pytest.mark.usefixtures("quick_networks")

MAX_S = 20.0
"""The time limit of a call: two transfers of five seconds each, processing, and a margin."""
UPLOAD_ID = "photo-1"
INLINE = {"results": 2_000, "uploads": 6_000_000}
"""The largest response in bytes. Results go to the bucket only if they are larger."""

KINDS = {
    "results": {PICTURE, "temporarily_unavailable"},
    # The service reports AccessDenied as a missing upload, because S3 can also send AccessDenied
    # for a file that does not exist. A truncated file is an invalid image.
    "uploads": {PICTURE, "temporarily_unavailable", "upload_not_found", "invalid_image"},
}


def refusing(status: int, code: str) -> Fault:
    """Respond with S3's XML for a rejection."""
    body = f"<Error><Code>{code}</Code><Message>No.</Message></Error>".encode()
    refusal = Response(status, {"Content-Type": "application/xml", "x-amz-request-id": "A1"}, body)

    def fault(request: Request, forward: Forward) -> None:
        del forward
        request.respond(refusal)

    return fault


FAULTS: dict[str, Fault] = {
    "denied": refusing(403, "AccessDenied"),
    "signature": refusing(403, "SignatureDoesNotMatch"),
    "no-bucket": refusing(404, "NoSuchBucket"),
    "broken": refusing(500, "InternalError"),
    "overrun": refusing(503, "SlowDown"),
    **faults(),
}
SILENCE: dict[str, Fault] = {"silent": silent} if FULL else {}  # this fault takes nine seconds
NAMES = ["stopped", *SILENCE, *FAULTS]
SAMPLE = list(product(INLINE, NAMES))[:: size(9, full=1)]


@dataclass
class Bucket:
    """The bucket: the service uses it through the relay, and the test uses it directly."""

    between: Relay
    environ: dict[str, str]
    client: Any

    def results(self) -> int:
        """Return the number of stored results."""
        listed = self.client.list_objects_v2(Bucket="media", Prefix="results/")
        return int(listed["KeyCount"])

    def failing(self, fault: str) -> AbstractContextManager[None]:
        if fault == "stopped":
            return self.between.stopped()
        return self.between.failing((SILENCE | FAULTS)[fault])


@pytest.fixture(scope="module")
def bucket(s3: S3Server) -> Iterator[Bucket]:
    with relay(s3.url) as between:
        client = s3.client()
        yield Bucket(between, s3.environ | {"AWS_ENDPOINT_URL_S3": between.url}, client)
        client.close()


@pytest.fixture
def settings(tmp_path: Path, model_dir: Path) -> Settings:
    accounts = f"sqlite:{tmp_path / 'accounts.db'}"
    return Settings(accounts=accounts, media="s3:media", model_dir=model_dir)


@pytest.fixture(scope="module")
def results() -> Iterator[list[Outcome]]:
    created: list[Outcome] = []
    yield created
    if len(created) < len(SAMPLE):  # record only a run with all faults
        return
    pictures = sum(seen.kind == PICTURE for seen in created)
    longest_s = max(seen.seconds for seen in created)
    record(
        Part.FAULTS,
        "S3 denying access, stopped, slow or returning garbage, for results and uploads",
        f"{len(NAMES)} faults, {len(created)} calls",
        f"{len(created) - pictures} calls got an error within {longest_s:.1f} s and were not "
        f"charged; {pictures} calls got an image, in the response or from the bucket, and were "
        f"charged",
        by="tests/faults/test_bucket.py",
    )


@pytest.mark.parametrize(("direction", "fault"), SAMPLE)
def test_a_call_with_a_failing_bucket_is_charged_only_if_it_gets_a_result(
    direction: str, fault: str, bucket: Bucket, settings: Settings, results: list[Outcome]
) -> None:
    store = SqliteAccountStore(Path(settings.accounts.removeprefix("sqlite:")))
    balances, kept = open_balances(store), bucket.results()
    settings = replace(settings, max_response_bytes=INLINE[direction])
    call = partial(timed, handler(settings, bucket), event(balances, bucket, direction))
    with bucket.failing(fault):
        seen = call()
    results.append(seen)
    assert seen.seconds < MAX_S
    assert seen.kind in KINDS[direction]
    account = balances.exact()
    assert account.used == (seen.kind == PICTURE)
    assert account.held == 0
    if direction == "results" and seen.kind == PICTURE:
        assert bucket.results() == kept + 1
    assert call().kind == PICTURE
    assert balances.exact().used == account.used + 1
    store.close()


def handler(settings: Settings, bucket: Bucket) -> Router:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in bucket.environ.items():
            patch.setenv(name, value)
        return build_app(settings, logger=Logger(service="faults"))


def event(balances: Balances, bucket: Bucket, direction: str) -> dict[str, Any]:
    if direction == "results":
        return make.blur(balances.key)
    name = upload_name(keys.parse(balances.key).digest, UPLOAD_ID)
    bucket.client.put_object(Bucket="media", Key=name, Body=make.jpeg())
    return make.blur(balances.key, b"", upload_id=UPLOAD_ID)


def timed(app: Router, event: dict[str, Any]) -> Outcome:
    began = time.monotonic()
    response = app(event, InvocationContext())
    return from_proxy(response, time.monotonic() - began)
