"""The engine: the neural networks, opened at their first use, and the functions that use them.

This module imports all code that processes photos, with numpy, OpenCV and Pillow. Only processes
that compute results import this module: Lambda functions that get photos, and the photo workers of
the embedded server.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

from blur.imaging.matting.models import ModelDamagedError, get_model_spec
from blur.imaging.matting.session import (
    Model,
    open_faces_model,
    open_model,
    open_people_model,
)
from blur.imaging.pipeline import blur_photo
from blur.imaging.removal.remove import remove_background
from blur.imaging.strips import set_thread_count

if TYPE_CHECKING:
    from pathlib import Path

    from blur.imaging.blur_options import BlurOptions
    from blur.imaging.matting.matte import Predictor
    from blur.imaging.removal.options import RemovalOptions
    from blur.imaging.results import BlurredPhoto, RemovedBackground
    from blur.settings import Settings

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Computes results with the neural networks that this process has opened."""

    model: Callable[[], Predictor]
    """Return the model, which is opened once."""
    people: Callable[[], Predictor | None] = lambda: None
    """Return the neural network that finds people, if it is installed. It is opened once."""
    faces: Callable[[], Predictor | None] = lambda: None
    """Return the neural network that finds faces, if it is installed; it is opened once."""
    max_pixels: int
    """The maximum number of pixels of a photo."""

    def open_networks(self) -> bool:
        """Open the model and the network that finds people; return whether the latter is installed.

        Raises:
            ModelError: a model's file is missing or damaged.

        """
        self.model()
        return self.people() is not None

    def blur(
        self,
        data: bytes,
        options: BlurOptions,
        *,
        watermarked: bool,
        on_step: Callable[[str], None],
    ) -> BlurredPhoto:
        """Blur an image file; see `pipeline.blur_photo`."""
        return blur_photo(
            data,
            options,
            model=self.model(),
            people=self.people(),
            max_pixels=self.max_pixels,
            watermarked=watermarked,
            on_step=on_step,
        )

    def remove_background(  # noqa: PLR0913 - see `remove.remove_background`
        self,
        data: bytes,
        options: RemovalOptions,
        *,
        has_type: bool,
        watermarked: bool,
        on_step: Callable[[str], None],
        max_bytes: int | None,
        accepts: Callable[[str], bool],
    ) -> RemovedBackground:
        """Remove the background of an image file; see `remove.remove_background`.

        The subject's type is found only if `has_type` is true.
        """
        return remove_background(
            data,
            options,
            model=self.model(),
            people=self.people(),
            faces=self.faces() if has_type else None,
            max_pixels=self.max_pixels,
            watermarked=watermarked,
            on_step=on_step,
            max_bytes=max_bytes,
            accepts=accepts,
        )


def new_engine(settings: Settings) -> Engine:
    """Set the number of threads of this process, and return a new engine.

    Raises:
        ValueError: the model is unknown.

    """
    spec, threads = get_model_spec(settings.model), settings.threads()
    set_thread_count(threads)
    return Engine(
        model=cache(partial(open_model, spec, settings.model_dir, threads=threads)),
        people=cache(partial(open_people_model, settings.model_dir, threads=threads)),
        faces=cache(partial(_open_faces, settings.model_dir, threads=threads)),
        max_pixels=settings.max_pixels,
    )


def _open_faces(folder: Path, *, threads: int) -> Model | None:
    """Open the model that finds faces, or return None if its file is missing or damaged.

    A damaged file is logged. Photos are then processed without this neural network.
    """
    try:
        return open_faces_model(folder, threads=threads)
    except ModelDamagedError as error:
        LOGGER.error("%s Until it is replaced, X-Type is 'other' for all photos.", error)  # noqa: TRY400
        return None
