"""What blurs a photo: the imaging on this machine, or an API."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from bgblur.blurring.options import for_api, for_recipe
from bgblur.blurring.photo_file import read_photo
from bgblur.console import load_settings

if TYPE_CHECKING:
    from blur_client import Blurred

Tell: TypeAlias = Callable[[str, float], None]
"""Takes the step that begins and how much is done, 0 to 1; may raise to end the work."""
Photo: TypeAlias = Path | bytes
Engine: TypeAlias = Callable[[Photo, Tell], "Made"]

STEPS = {
    "decode": ("reading", 0.0),
    "matte": ("finding the subject", 0.2),
    "refine": ("finding the subject", 0.4),
    "blur": ("blurring", 0.5),
    "encode": ("writing", 0.7),
}
"""By each step of the imaging: what to call it, and how much is done before it."""
SENT = 0.6
"""How much is done when the photo has arrived at the API."""


@dataclass(frozen=True, slots=True)
class Made:
    """A finished file, and what is to be told about the call that made it."""

    data: bytes
    content_type: str
    call: Mapping[str, Any] = field(default_factory=dict)


class Failure(Exception):  # noqa: N818 - it is told as a value, in a list of outcomes
    """This photo cannot be blurred; the next one may."""

    def __init__(self, code: str, message: str, **more: object) -> None:
        """Keep the contract's code, or one of the command's own."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.more = {name: value for name, value in more.items() if value is not None}


class Stopped(Exception):  # noqa: N818 - nothing went wrong
    """The user wants no more."""


def local(wishes: Mapping[str, Any]) -> Engine:
    """Blur on this machine, as the server does, without a server.

    Raises:
        click.UsageError: the model is not there.

    """
    # Imported here, since whoever calls an API needs no model and none of its runtime.
    from blur.errors import ApiError  # noqa: PLC0415
    from blur.imaging.matting.models import spec_of  # noqa: PLC0415
    from blur.imaging.matting.session import ModelMissingError, open_model  # noqa: PLC0415
    from blur.imaging.pipeline import blur_photo  # noqa: PLC0415
    from blur.imaging.recipe import Recipe  # noqa: PLC0415

    recipe = Recipe(**for_recipe(wishes))
    settings = load_settings()
    try:
        spec = spec_of(settings.model)
        model = open_model(spec, settings.model_dir, threads=settings.threads())
    except (ModelMissingError, ValueError) as error:
        message = f"{error} Or let an API do it, with --api."
        raise click.UsageError(message) from error

    def blur(photo: Photo, tell: Tell) -> Made:
        data = photo if isinstance(photo, bytes) else read_photo(photo)
        try:
            image = blur_photo(
                data,
                recipe,
                model=model,
                max_pixels=settings.max_pixels,
                on_step=lambda step: tell(*STEPS[step]),
            )
        except ApiError as error:
            raise Failure(error.code, error.message) from error
        return Made(image.data, image.content_type)

    return blur


def remote(wishes: Mapping[str, Any], url: str, key: str, stop: threading.Event) -> Engine:
    """Let the API at `url` blur, until `stop` is set.

    Raises:
        click.UsageError: the address or the key cannot be one.

    """
    from blur_client import ApiError, BlurClientError, Client  # noqa: PLC0415
    from blur_client.errors import SourceChangedError  # noqa: PLC0415

    def pause(wait_s: float) -> None:
        if stop.wait(wait_s):
            raise Stopped

    try:
        client = Client(url, key, sleep=pause)
    except ValueError as error:
        raise click.UsageError(str(error)) from error

    def blur(photo: Photo, tell: Tell) -> Made:
        def on_upload(sent: int, total: int) -> None:
            if sent < total:
                tell("sending", SENT * sent / total)
                return
            # The API has it all and charges for it, so its answer is waited for.
            with suppress(Stopped):
                tell("blurring", SENT)

        def on_wait(wait_s: float, error: BlurClientError) -> None:
            tell(f"again in {wait_s:.0f} s: {error}", 0)

        try:
            blurred = client.blur(photo, **for_api(wishes), on_upload=on_upload, on_wait=on_wait)
        except ApiError as error:
            told = {"status": error.status, "request_id": error.request_id}
            raise Failure(error.code, error.message, **told) from error
        except BlurClientError as error:
            changed = isinstance(error, SourceChangedError)
            raise Failure("unreadable" if changed else "connection_failed", str(error)) from error
        return Made(blurred.data, blurred.content_type, _call(blurred))

    return blur


def _call(blurred: Blurred) -> dict[str, Any]:
    return {
        "request_id": blurred.request_id,
        "credits_charged": blurred.credits_charged,
        "credits_left": blurred.credits_left,
    }
