"""Results that are too large for a response are stored, and clients follow a 303."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import requests
from events import make
from tests.integration.storage.conftest import serve

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.storage.conftest import Api
    from tests.integration.storage.s3_server import S3Server

PNG = b"\x89PNG\r\n\x1a\n"
PHOTO = make.jpeg()


def post(api: Api, *, follow: bool) -> requests.Response:
    return requests.post(
        api.server.blur_url,
        headers={"ApiKey": api.key},
        files={"image": PHOTO},
        data={"radius": "9"},
        allow_redirects=follow,
        timeout=60,
    )


def test_a_call_whose_result_is_too_large_gets_a_303_with_the_results_link_size_and_type(
    by_link: Api,
) -> None:
    response = post(by_link, follow=False)
    assert (response.status_code, response.headers["X-Credits-Charged"]) == (303, "1")
    link = response.json()
    assert set(link) == {"url", "expires_at", "bytes", "content_type"}
    assert link["url"] == response.headers["Location"]
    stored = requests.get(link["url"], timeout=30)
    assert (len(stored.content), stored.headers["Content-Type"]) == (link["bytes"], "image/png")
    assert stored.headers["Content-Disposition"] == 'inline; filename="background.png"'


def test_the_requests_library_downloads_from_the_link_the_same_image_as_in_a_response(
    by_link: Api, api: Api
) -> None:
    followed, inline = post(by_link, follow=True), post(api, follow=False)
    assert [step.status_code for step in followed.history] == [303]
    assert inline.status_code == 200
    assert followed.content == inline.content


def test_curl_with_the_option_location_saves_the_image_behind_the_link(
    by_link: Api, tmp_path: Path
) -> None:
    photo, output = tmp_path / "photo.jpg", tmp_path / "blurred.png"
    photo.write_bytes(PHOTO)
    form = ["-F", f"image=@{photo}", "-F", "radius=9"]
    headers = ["-H", f"ApiKey: {by_link.key}"]
    command = ["curl", "-sSL", *headers, *form, by_link.server.blur_url, "-o", str(output)]
    subprocess.run(command, check=True, timeout=60)
    assert output.read_bytes().startswith(PNG)


def test_the_signature_of_a_link_is_not_valid_for_another_result(by_link: Api) -> None:
    links = [post(by_link, follow=False).headers["Location"] for _ in range(2)]
    names = {link.partition("?")[0].rpartition("/results/")[2] for link in links}
    assert len(names) == 2
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", name) for name in names)  # 256 random bits
    swapped = links[0].partition("?")[0] + "?" + links[1].partition("?")[2]
    assert requests.get(swapped, timeout=30).status_code == 403
    assert requests.get(links[0].partition("?")[0], timeout=30).status_code == 403


def test_if_a_result_cannot_be_stored_the_call_gets_503_and_is_not_charged(
    tmp_path: Path, model_dir: Path, s3: S3Server
) -> None:
    tiny = {"BLUR_MEDIA": "s3:no-such-bucket", "BLUR_MAX_RESPONSE_BYTES": "2000"}
    for api in serve(tmp_path, model_dir, **tiny, **s3.environ):
        response = post(api, follow=False)
        assert response.status_code == 503
        assert response.json()["error"]["code"] == "temporarily_unavailable"
        assert response.headers["X-Credits-Remaining"] == "100"
