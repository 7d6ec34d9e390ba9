"""Encode the result of a background removal so that it fits into the response."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import cv2
import numpy as np
from PIL import Image

from blur.imaging.arrays import OPAQUE
from blur.imaging.blur_options import DEFAULT_QUALITY
from blur.imaging.encode.encoder import encode, encode_small_jpeg, over_white
from blur.imaging.encode.formats import OUTPUT_FORMATS
from blur.imaging.encode.png import write_png
from blur.imaging.encode.zip_archive import CONTENT_TYPE as ZIP_TYPE
from blur.imaging.encode.zip_archive import write_zip
from blur.imaging.removal.layout import Limit
from blur.imaging.results import EncodedImage
from blur.imaging.strips import thread_count
from blur.removal_errors import ResultTooLargeError

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8
    from blur.imaging.removal.background import Picture
    from blur.imaging.removal.options import RemovalOptions

MEGAPIXEL = 1_000_000
PNG_TYPE = OUTPUT_FORMATS["png"].content_type
MAX_PNG_MEGAPIXELS = 10
"""The largest number of megapixels of a PNG result; remove.bg has the same limit."""

Encoding: TypeAlias = Callable[[], EncodedImage]


class Result(NamedTuple):
    """The pixels of a result."""

    picture: Picture
    icc_profile: bytes | None
    is_matte: bool
    """Whether only the picture's alpha is requested, as a grey image."""

    @property
    def matte(self) -> AlphaU8:
        """The alpha of the picture, (H, W)."""
        colours, alpha = self.picture
        return np.full(colours.shape[:2], OPAQUE, np.uint8) if alpha is None else alpha


def guess_output(options: RemovalOptions) -> str:
    """Return the requested format; for `auto`, JPEG if the background is opaque, otherwise PNG.

    A background image counts as opaque, because this function is called before it is decoded.
    """
    if options.output != "auto":
        return options.output
    if options.channels == "alpha":
        return "png"
    is_opaque = options.colour is not None and options.colour[3] == OPAQUE
    return "jpg" if is_opaque or options.background is not None else "png"


def largest(output: str, max_megapixels: float) -> Limit:
    """Return the size limit for results in a format, one of `OUTPUTS` except `auto`."""
    if output == "png":
        pixels = int(min(max_megapixels, MAX_PNG_MEGAPIXELS) * MEGAPIXEL)
        return Limit(pixels, OUTPUT_FORMATS["png"].max_side_px)
    limits = OUTPUT_FORMATS["webp" if output == "webp" else "jpeg"]
    megapixels = min(max_megapixels, limits.max_megapixels, limits.max_alpha_megapixels)
    return Limit(int(megapixels * MEGAPIXEL), limits.max_side_px)


def allows_sides(output: str, picture: Picture) -> bool:
    """Return whether another format allows the size of a picture that was rendered for PNG."""
    height, width = picture.colours.shape[:2]
    return largest(output, MAX_PNG_MEGAPIXELS).fit((height, width)) == (height, width)


def encode_result(
    result: Result,
    output: str,
    *,
    can_change_format: bool,
    max_bytes: int | None,
    accepts: Callable[[str], bool],
) -> EncodedImage:
    """Encode a result as `output`, any of `OUTPUTS` except `auto`, with at most `max_bytes`.

    If a PNG or JPEG in colour is too large, the same pixels are compressed further. If a PNG is too
    large and `can_change_format` is true, WebP is tried, and then ZIP. Each of these two formats is
    tried only if `accepts` returns true for its media type, and if the format allows images of this
    width and height.

    Raises:
        ResultTooLargeError: each file that was tried is larger than `max_bytes`.

    """
    encodings = _attempts(result, output)
    for encoding in encodings:
        image = encoding()
        if max_bytes is None or len(image.data) <= max_bytes:
            return image
    if can_change_format and output == "png":
        for name, content_type in (("webp", "image/webp"), ("zip", ZIP_TYPE)):
            if accepts(content_type) and allows_sides(name, result.picture):
                image = next(_attempts(result, name))()
                if len(image.data) <= (max_bytes or 0):
                    return image
    # Suggest ZIP only for PNG: JPEG and WebP results are already smaller than ZIP.
    hint = ", or format=zip, which is several times smaller than PNG" if output == "png" else ""
    message = (
        f"The result has more than the {max_bytes} bytes that a response can have. Send a smaller"
        f" 'size'{hint}."
    )
    raise ResultTooLargeError(message)


def _attempts(result: Result, output: str) -> Iterator[Encoding]:
    """Yield functions that encode the result: the fastest first, and the best compression last."""
    if output == "zip":
        yield partial(_encode_zip, result)
    elif result.is_matte:
        yield partial(_MATTE_WRITERS[output], result.matte)
    else:
        (colours, alpha), profile = result.picture, result.icc_profile
        name = "jpeg" if output == "jpg" else output
        compact = alpha is not None
        yield partial(encode, colours, alpha, profile, name, DEFAULT_QUALITY, compact=compact)
        if output == "png":
            yield partial(_encode_smallest_png, result)
        if output == "jpg":
            flat = colours if alpha is None else over_white(colours, alpha)
            yield partial(encode_small_jpeg, flat, profile, DEFAULT_QUALITY)


def _encode_smallest_png(result: Result) -> EncodedImage:
    colours, alpha = result.picture
    image = colours if alpha is None else cv2.merge((colours, alpha))
    data = write_png(image, result.icc_profile, thread_count(), smallest=True)
    return EncodedImage(data, PNG_TYPE)


def _encode_zip(result: Result) -> EncodedImage:
    colours = encode(result.picture.colours, None, result.icc_profile, "jpeg", DEFAULT_QUALITY)
    return EncodedImage(write_zip(colours.data, _grey_png(result.matte)), ZIP_TYPE)


def _grey_png(matte: AlphaU8) -> bytes:
    return write_png(matte[..., np.newaxis], threads=thread_count(), compact=True)


def _encode_matte_as_png(matte: AlphaU8) -> EncodedImage:
    return EncodedImage(_grey_png(matte), PNG_TYPE)


def _encode_matte(matte: AlphaU8, *, name: str, **options: object) -> EncodedImage:
    file = BytesIO()
    Image.fromarray(matte).save(file, name, **options)
    return EncodedImage(file.getvalue(), f"image/{name.lower()}")


_MATTE_WRITERS: dict[str, Callable[[AlphaU8], EncodedImage]] = {
    "png": _encode_matte_as_png,
    "jpg": partial(_encode_matte, name="JPEG", quality=DEFAULT_QUALITY),
    "webp": partial(_encode_matte, name="WebP", lossless=True, method=0, quality=0),
}
"""Encoders for a grey image, (H, W). WebP has no grey mode, so the image is encoded losslessly."""
