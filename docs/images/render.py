"""Draws the README's picture: the sample photo as it came in and as it comes out.

The photo is NASA's portrait of Eileen Collins (public domain), from scikit-image's samples.

    make pictures
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from blur.imaging.decode import decode
from blur.imaging.matte import find_matte
from blur.imaging.models import MODELS
from blur.imaging.pipeline import blur_background
from blur.imaging.scene import Scene
from blur.imaging.session import open_model

HERE = Path(__file__).parent
RADIUS_PX = 12


def main() -> None:
    """Write `before-after.jpg`."""
    model = open_model(MODELS["u2netp"], HERE.parents[1] / "build" / "models", threads=1)
    photo = decode((HERE / "astronaut.jpg").read_bytes(), max_pixels=1_000_000)
    blurred = blur_background(Scene.of(photo.pixels, find_matte(model, photo.pixels)), RADIUS_PX)
    gap = np.full((photo.pixels.shape[0], 8, 3), 255, np.uint8)
    both = np.concatenate((photo.pixels, gap, blurred), axis=1)
    Image.fromarray(both).save(HERE / "before-after.jpg", quality=90, optimize=True)


if __name__ == "__main__":
    main()
