"""The function's requests to S3, compared with the permissions of the function's role."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tests.integration.storage.test_results import post
from tests.integration.storage.test_uploads import blur, presign, send

if TYPE_CHECKING:
    from tests.integration.storage.conftest import Api
    from tests.integration.storage.s3_server import S3Server

TEMPLATE = Path(__file__).parents[3] / "template.yaml"
ACTIONS = {"PUT": "s3:PutObject", "GET": "s3:GetObject"}


def test_the_role_of_the_image_function_allows_exactly_the_requests_it_sends_to_the_bucket(
    by_link: Api, s3: S3Server
) -> None:
    s3.gate.seen.clear()
    assert post(by_link, follow=False).status_code == 303
    upload = presign(by_link)
    assert send(upload).ok
    assert blur(by_link, upload["upload_id"]).status_code == 200
    # Clients' requests are signed in the query or the form, the function's requests in a header.
    own = {
        (ACTIONS[method], path.split("/")[2])
        for method, path, headers in s3.gate.seen
        if "authorization" in headers
    }
    assert own == {("s3:PutObject", "results"), ("s3:GetObject", "uploads")}
    allowed = re.search(r"Action: \[(s3:[^\]]+)\]", TEMPLATE.read_text())
    assert allowed is not None
    assert {action for action, _ in own} == set(allowed[1].split(", "))
