"""Builds the engine from the settings: the networks, each opened at its first use."""

from __future__ import annotations

import logging
from functools import cache, partial
from typing import TYPE_CHECKING

from blur.image_requests import Engine
from blur.imaging.matting.models import get_model_spec
from blur.imaging.matting.session import (
    Model,
    ModelDamagedError,
    open_faces_model,
    open_model,
    open_people_model,
)
from blur.imaging.strips import set_thread_count

if TYPE_CHECKING:
    from pathlib import Path

    from blur.settings import Settings

LOGGER = logging.getLogger(__name__)


def new_engine(settings: Settings) -> Engine:
    """Return the engine, and set the number of threads of this process.

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


def open_networks(engine: Engine) -> bool:
    """Open the model and the network for people; return whether that network is installed.

    Raises:
        ModelError: a model's file is missing or damaged.

    """
    engine.model()
    return engine.people() is not None


def _open_faces(folder: Path, *, threads: int) -> Model | None:
    """Open the network for faces, or return None if its file is missing or damaged.

    A damaged file is logged. Photos are then processed without the network.
    """
    try:
        return open_faces_model(folder, threads=threads)
    except ModelDamagedError as error:
        LOGGER.error("%s Until then, X-Type is 'other' for all photos.", error)  # noqa: TRY400
        return None
