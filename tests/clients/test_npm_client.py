"""The npm package `remove.bg` 1.3.0 runs unchanged, except for the API's address."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.clients.conftest import ADDRESS, credits_of, node
from tests.clients.pictures import is_cut_out, opened

if TYPE_CHECKING:
    from tests.clients.captured import File
    from tests.integration.storage.conftest import Api

Npm = Callable[..., dict[str, Any]]
CALL = """
const client = require("remove.bg");
const [call, options] = JSON.parse(process.argv[1]);
client[call](options).then(
  (result) => console.log(JSON.stringify({ result })),
  (error) => console.log(JSON.stringify({ error })),
);
"""


@pytest.fixture
def npm(npm_client: Path, api: Api, photo: File, tmp_path: Path) -> Npm:
    """Return a function that calls one of the client's functions with options."""
    (tmp_path / photo.name).write_bytes(photo.data)
    script = npm_client / "node_modules" / "remove.bg" / "dist" / "index.js"
    text = script.read_text("utf-8")
    assert text.count(ADDRESS) + text.count(api.server.url) == 1
    script.write_text(text.replace(ADDRESS, api.server.url), "utf-8")

    def call(name: str, **options: object) -> dict[str, Any]:
        arguments = [name, {"apiKey": api.key, **options}]
        done = subprocess.run(
            [node(), "--no-deprecation", "-e", CALL, json.dumps(arguments)],
            cwd=tmp_path,
            env={**os.environ, "NODE_PATH": str(npm_client / "node_modules")},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    return call


def test_the_npm_client_saves_a_cutout_of_a_file(npm: Npm, api: Api, tmp_path: Path) -> None:
    before = credits_of(api)
    result = npm("removeBackgroundFromImageFile", path="photo.jpg", outputFile="out.png")["result"]
    image = opened(tmp_path / "out.png")
    assert (image.format, image.size) == ("PNG", (500, 500))
    assert is_cut_out(image)
    assert base64.b64decode(result["base64img"]) == (tmp_path / "out.png").read_bytes()
    assert (result["resultWidth"], result["resultHeight"]) == ("500", "500")
    assert result["creditsCharged"] == "0.25"
    assert result["detectedType"] in {"person", "other"}
    assert 0 <= int(result["rateLimitRemaining"]) <= int(result["rateLimit"])
    assert int(result["rateLimitReset"]) > 1_700_000_000
    assert before - credits_of(api) == 0.25


def test_a_call_with_all_options_of_the_npm_client_gets_a_result_with_the_background_colour(
    npm: Npm, tmp_path: Path
) -> None:
    options = {
        "size": "full",
        "type": "person",
        "scale": "50%",
        "position": "center",
        "roi": "0% 0% 100% 100%",
        "crop": True,
        "crop_margin": "10px",
        "bg_color": "81d4fa77",
        "channels": "rgba",
        "add_shadow": False,
    }
    done = npm("removeBackgroundFromImageFile", path="photo.jpg", outputFile="out.png", **options)
    assert "result" in done, done
    assert opened(tmp_path / "out.png").getpixel((1, 1)) == (0x81, 0xD4, 0xFA, 0x77)


def test_the_npm_client_saves_a_cutout_of_a_photo_in_base64(
    npm: Npm, photo: File, tmp_path: Path
) -> None:
    encoded = base64.b64encode(photo.data).decode()
    done = npm("removeBackgroundFromImageBase64", base64img=encoded, size="4k", outputFile="o.png")
    assert done["result"]["creditsCharged"] == "1"
    assert is_cut_out(opened(tmp_path / "o.png"))


def test_the_npm_client_gets_errors_as_lists_in_the_documented_format(npm: Npm) -> None:
    [forbidden] = npm("removeBackgroundFromImageFile", path="photo.jpg", apiKey="x")["error"]
    assert forbidden == {"title": "API Key invalid", "code": "auth_failed"}
    [off] = npm("removeBackgroundFromImageUrl", url="https://example.com/photo.jpg")["error"]
    assert off["code"] == "invalid_image_url"
    [size] = npm("removeBackgroundFromImageFile", path="photo.jpg", size="huge")["error"]
    assert size["code"] == "invalid_size"
