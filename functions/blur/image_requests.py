"""The requests for an image: their fingerprints, and how their results are computed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from blur.engine import Engine
    from blur.imaging.blur_options import BlurOptions
    from blur.imaging.removal.options import RemovalOptions
    from blur.imaging.results import BlurredPhoto, EncodedImage, RemovedBackground
    from blur.storage.large_results import Results
    from blur.storage.ports import Link


class Rendered(Protocol):
    """The properties of an `ImageRequest`'s result that the service uses."""

    @property
    def image(self) -> EncodedImage:
        """The result's file."""
        ...

    @property
    def photo_pixels(self) -> int:
        """Width times height of the photo in the request."""
        ...


Output = TypeVar("Output", bound=Rendered)
OnStep = Callable[[str], None]
"""Called with the name of each step before the step begins; an exception stops the request."""

ALWAYS_IN_FINGERPRINT = ("radius_px", "kernel", "mode", "output", "quality")
"""The options that are always in a fingerprint. A fingerprint contains an option that was added
later only if its value is not the default, so that older requests keep their fingerprints."""


class ImageRequest(Protocol[Output]):
    """A complete request: an image and the options of its result."""

    def fingerprint(self) -> str:
        """Return the SHA-256 of the image and all parameters that change the result."""
        ...

    def render(self, engine: Engine, *, watermarked: bool, on_step: OnStep) -> Output:
        """Compute the result.

        Raises:
            ApiError: the image or an option is not suitable.

        """
        ...

    def store_if_large(self, output: Output, results: Results, *, now_us: int) -> Link | None:
        """Store a result that is too large for a response, if the response can have a link to it.

        Raises:
            UnavailableError: the storage is unavailable.

        """
        ...


@dataclass(frozen=True, slots=True)
class BlurRequest:
    """A photo and its blur options."""

    image: bytes = field(repr=False)
    options: BlurOptions

    def fingerprint(self) -> str:
        """See `ImageRequest.fingerprint`."""
        digest = hashlib.sha256(json.dumps(_identifying(self.options)).encode())
        digest.update(self.image)
        return digest.hexdigest()

    def render(self, engine: Engine, *, watermarked: bool, on_step: OnStep) -> BlurredPhoto:
        """See `ImageRequest.render`."""
        return engine.blur(self.image, self.options, watermarked=watermarked, on_step=on_step)

    def store_if_large(self, output: BlurredPhoto, results: Results, *, now_us: int) -> Link | None:
        """See `ImageRequest.store_if_large`."""
        return results.store_if_large(
            output.image.data,
            content_type=output.image.content_type,
            file_name=f"{self.options.mode}.{self.options.output}",
            now_us=now_us,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalRequest:
    """A photo and the options of a background removal; its result is never a link."""

    image: bytes = field(repr=False)
    options: RemovalOptions
    has_type: bool = True
    """Whether the response names the type of the subject. If not, the service does not search for
    faces."""
    max_bytes: int | None = None
    """The largest file that fits into the response; None sets no limit."""
    accepts: Callable[[str], bool] = field(default=lambda _: False, repr=False)
    """Return whether the client's `Accept` header names this media type, or its family as in
    `image/*`."""

    def fingerprint(self) -> str:
        """See `ImageRequest.fingerprint`."""
        options = replace(self.options, background=None)
        background = self.options.background
        return removal_digest(options, sha256(self.image), sha256(background or b""))

    def render(self, engine: Engine, *, watermarked: bool, on_step: OnStep) -> RemovedBackground:
        """See `ImageRequest.render`."""
        return engine.remove_background(
            self.image,
            self.options,
            has_type=self.has_type,
            watermarked=watermarked,
            on_step=on_step,
            max_bytes=self.max_bytes,
            accepts=self.accepts,
        )

    def store_if_large(
        self, output: RemovedBackground, results: Results, *, now_us: int
    ) -> Link | None:
        """Return None: remove.bg's clients do not follow links."""
        del output, results, now_us
        return None


def removal_digest(options: RemovalOptions, *images: str) -> str:
    """Return the SHA-256 of the options and of `images`, the digests of the images.

    `options.background` must be None; `images` has the digest of the background image.
    """
    values = {each.name: getattr(options, each.name) for each in fields(options)}
    return sha256(json.dumps([values, *images]).encode())


def sha256(data: bytes) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def _identifying(options: BlurOptions) -> dict[str, object]:
    """Return the options that are part of a fingerprint."""
    values = {each.name: (getattr(options, each.name), each.default) for each in fields(options)}
    return {
        name: value
        for name, (value, default) in values.items()
        if name in ALWAYS_IN_FINGERPRINT or default is MISSING or value != default
    }
