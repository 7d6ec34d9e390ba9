"""The PNG files that the service writes, checked with pngcheck and Chromium."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.unit.imaging.icc_profiles import SRGB
from tests.unit.imaging.pictures import noise

from blur.imaging.encode.png import write_png

if TYPE_CHECKING:
    from playwright.sync_api import Page

SIZES = [(1, 1), (1, 700), (700, 1), (31, 17), (640, 480), (1500, 1100)]

READ = """async (base64) => {
  const bytes = Uint8Array.from(atob(base64), (each) => each.charCodeAt(0));
  const blob = new Blob([bytes], { type: "image/png" });
  const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
  const bitmap = await createImageBitmap(blob, options);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  let text = "";
  for (let at = 0; at < data.length; at += 32768) {
    text += String.fromCharCode(...data.subarray(at, at + 32768));
  }
  return [bitmap.width, bitmap.height, btoa(text)];
}"""


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("profile", [None, SRGB], ids=["no profile", "a profile"])
@pytest.mark.parametrize("channels", [3, 4])
def test_pngcheck_finds_no_errors_in_our_pngs(
    size: tuple[int, int], channels: int, profile: bytes | None, tmp_path: Path
) -> None:
    assert shutil.which("pngcheck"), "pngcheck is missing: `make browser` installs it on Debian"
    picture = np.dstack((noise(*size), noise(*size, 1)))[..., :channels].copy()
    path = tmp_path / "picture.png"
    path.write_bytes(write_png(picture, profile))
    checked = subprocess.run(["pngcheck", "-v", path], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    assert "No errors detected" in checked.stdout


@pytest.mark.parametrize("size", SIZES)
def test_chromium_decodes_the_pixels_that_we_wrote(page: Page, size: tuple[int, int]) -> None:
    picture = noise(*size)
    decoded = page.evaluate(READ, base64.b64encode(write_png(picture)).decode())
    assert decoded[:2] == [size[1], size[0]]
    pixels = np.frombuffer(base64.b64decode(decoded[2]), np.uint8).reshape(*size, 4)
    np.testing.assert_array_equal(pixels[..., :3], picture)
    assert (pixels[..., 3] == 255).all()
