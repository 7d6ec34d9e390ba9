"""The two ways to blur a photo: on this machine, or with an API."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from bgblur.blurring.options import api_options, imaging_options
from bgblur.blurring.photo_file import read_photo
from bgblur.console import load_settings

if TYPE_CHECKING:
    from blur_client import BlurResult

ProgressCallback: TypeAlias = Callable[[str, float], None]
"""Called at each step with the step's name and the progress, 0 to 1. The callback can raise an
exception to stop work on the photo."""
Photo: TypeAlias = Path | bytes
Backend: TypeAlias = Callable[[Photo, str, ProgressCallback], "BlurredFile"]
"""Blurs a photo and encodes the result in the given format."""

STEPS = {
    "decode": ("reading", 0.0),
    "matte": ("finding the subject", 0.2),
    "refine": ("finding the subject", 0.4),
    "blur": ("blurring", 0.5),
    "encode": ("writing", 0.7),
}
"""For each imaging step: the text to show, and the progress before the step, 0 to 1."""
UPLOADED_SHARE = 0.6
"""The progress when the API has received the whole photo."""


@dataclass(frozen=True, slots=True)
class BlurredFile:
    """A finished file, and the details of the API call."""

    data: bytes
    content_type: str
    call: Mapping[str, Any] = field(default_factory=dict)


class Failure(Exception):  # noqa: N818 - this exception is also used as an outcome
    """The reason why one photo could not be blurred."""

    def __init__(self, code: str, message: str, **more: object) -> None:
        """Keep the message, the code and other details, from the API or from the command."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.more = {name: value for name, value in more.items() if value is not None}


class Interrupted(Exception):  # noqa: N818 - Ctrl-C is not an error
    """The user has pressed Ctrl-C."""


def local_backend(options: Mapping[str, Any]) -> Backend:
    """Return a backend that blurs on this machine.

    Raises:
        click.UsageError: the model is unknown, missing or damaged.
        click.ClickException: a setting is not valid.

    """
    # Imported here, because --api needs neither the model nor its runtime.
    from blur.errors import ApiError  # noqa: PLC0415
    from blur.imaging.blur_options import BlurOptions  # noqa: PLC0415
    from blur.imaging.matting.models import (  # noqa: PLC0415
        PEOPLE_MISSING,
        ModelError,
        get_model_spec,
    )
    from blur.imaging.matting.session import open_model, open_people_model  # noqa: PLC0415
    from blur.imaging.pipeline import blur_photo  # noqa: PLC0415

    blur_options = BlurOptions(**imaging_options(options))
    settings = load_settings()
    try:
        spec = get_model_spec(settings.model)
        model = open_model(spec, settings.model_dir, threads=settings.threads())
        people = open_people_model(settings.model_dir, threads=settings.threads())
    except (ModelError, ValueError) as error:
        message = f"{error} Or use an API with --api."
        raise click.UsageError(message) from error
    if people is None:
        click.echo(PEOPLE_MISSING.format(settings.model_dir), err=True)

    def blur(photo: Photo, output: str, progress: ProgressCallback) -> BlurredFile:
        data = photo if isinstance(photo, bytes) else read_photo(photo)
        try:
            image = blur_photo(
                data,
                replace(blur_options, output=output),
                model=model,
                people=people,
                max_pixels=settings.max_pixels,
                on_step=lambda step: progress(*STEPS[step]),
            ).image
        except ApiError as error:
            raise Failure(error.code, error.message) from error
        return BlurredFile(image.data, image.content_type)

    return blur


def api_backend(options: Mapping[str, Any], url: str, key: str, stop: threading.Event) -> Backend:
    """Return a backend that uses the API at `url`; setting `stop` ends a wait for a retry.

    Raises:
        click.UsageError: the address or the key is not valid.

    """
    from blur_client import ApiError, BlurClientError, Client  # noqa: PLC0415
    from blur_client.errors import SourceChangedError  # noqa: PLC0415

    def pause(wait_s: float) -> None:
        if stop.wait(wait_s):
            raise Interrupted

    try:
        client = Client(url, key, sleep=pause)
    except ValueError as error:
        raise click.UsageError(str(error)) from error

    def blur(photo: Photo, output: str, progress: ProgressCallback) -> BlurredFile:
        fields = {**api_options(options), "format": output}

        def on_upload(sent: int, total: int) -> None:
            if sent < total:
                progress("uploading", UPLOADED_SHARE * sent / total)
                return
            # The API now has the whole photo and charges for it, so wait for the result.
            with suppress(Interrupted):
                progress("blurring", UPLOADED_SHARE)

        def on_wait(wait_s: float, error: BlurClientError) -> None:
            progress(f"trying again in {wait_s:.0f} s: {error}", 0)

        try:
            blurred = client.blur(photo, **fields, on_upload=on_upload, on_wait=on_wait)
        except ApiError as error:
            details = {"status": error.status, "request_id": error.request_id}
            raise Failure(error.code, error.message, **details) from error
        except BlurClientError as error:
            changed = isinstance(error, SourceChangedError)
            raise Failure("unreadable" if changed else "connection_failed", str(error)) from error
        return BlurredFile(blurred.data, blurred.content_type, _call(blurred))

    return blur


def _call(blurred: BlurResult) -> dict[str, Any]:
    return {
        "request_id": blurred.request_id,
        "credits_charged": blurred.credits_charged,
        "credits_left": blurred.credits_left,
    }
