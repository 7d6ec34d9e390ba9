"""The parsed forms of paid requests, before their images are loaded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

from blur.accounts.repeats import derived_key
from blur.image_requests import BlurRequest, Output, RemovalRequest, removal_digest, sha256

if TYPE_CHECKING:
    from collections.abc import Callable

    from blur.accounts.idempotency_key import IdempotencyKey
    from blur.credits import Credits
    from blur.image_requests import ImageRequest
    from blur.imaging.blur_options import BlurOptions
    from blur.imaging.removal.options import RemovalOptions
    from blur.imaging.results import BlurredPhoto, RemovedBackground
    from blur.prices import Prices


class PaidForm(Protocol[Output]):
    """A parsed form; its image is not loaded yet."""

    def price(self, prices: Prices) -> Credits:
        """Return the price of the call."""
        ...

    def derived_key(self, remember_us: int) -> IdempotencyKey | None:
        """Return the key that copies of this request share, or None if the form has no such key."""
        ...

    def load(self) -> ImageRequest[Output]:
        """Load the image and return the complete request.

        Raises:
            ApiError: the image cannot be loaded.

        """
        ...


@dataclass(frozen=True, slots=True)
class BlurForm:
    """The form of `POST /v2/rembg/blur/`."""

    options: BlurOptions
    load_image: Callable[[], bytes] = field(repr=False)

    def price(self, prices: Prices) -> Credits:
        """See `PaidForm.price`."""
        return prices.blur_price(self.options)

    def derived_key(self, remember_us: int) -> None:
        """Return None: on this route, only an `Idempotency-Key` shows that a call is repeated."""
        del remember_us

    def load(self) -> ImageRequest[BlurredPhoto]:
        """See `PaidForm.load`."""
        return BlurRequest(self.load_image(), self.options)


class ImageInput(NamedTuple):
    """An image in the request, or at a URL that the request names."""

    digest: Callable[[], str]
    """Return a digest of the file, or of its URL."""
    load: Callable[[], bytes]
    """Return the file."""
    data: bytes | None = None
    """The file, if it is in the request."""

    @classmethod
    def of_file(cls, data: bytes) -> ImageInput:
        """Return an image whose file is in the request."""
        return cls(lambda: sha256(data), lambda: data, data)

    @classmethod
    def of_url(cls, url: str, fetch: Callable[[str], bytes]) -> ImageInput:
        """Return an image that `fetch` downloads from a URL."""
        return cls(lambda: "url " + sha256(url.encode()), lambda: fetch(url))


NO_IMAGE = ImageInput.of_file(b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalForm:
    """The parameters of `POST /v1.0/removebg`."""

    options: RemovalOptions
    """All options except the background image."""
    image: ImageInput = field(repr=False)
    background: ImageInput | None = field(default=None, repr=False)
    is_preview: bool
    """Whether the result is at most as large as a preview: because `size` asks for a preview, or
    because `size` is `auto` and the photo has no more pixels than a preview."""
    has_type: bool = True
    """See `RemovalRequest.has_type`."""
    max_bytes: int | None = None
    """See `RemovalRequest.max_bytes`."""
    accepts: Callable[[str], bool] = field(default=lambda _: False, repr=False)
    """See `RemovalRequest.accepts`."""

    def price(self, prices: Prices) -> Credits:
        """See `PaidForm.price`."""
        return prices.removal_price(is_preview=self.is_preview)

    def derived_key(self, remember_us: int) -> IdempotencyKey | None:
        """See `PaidForm.derived_key`."""
        if not remember_us:
            return None
        background = self.background or NO_IMAGE
        content = removal_digest(self.options, self.image.digest(), background.digest())
        return derived_key(content, remember_us=remember_us)

    def load(self) -> ImageRequest[RemovedBackground]:
        """See `PaidForm.load`."""
        background = self.background.load() if self.background else None
        return RemovalRequest(
            image=self.image.load(),
            options=replace(self.options, background=background),
            has_type=self.has_type,
            max_bytes=self.max_bytes,
            accepts=self.accepts,
        )
