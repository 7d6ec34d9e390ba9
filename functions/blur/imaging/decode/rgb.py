"""Convert the samples of every image mode to RGB bytes and an alpha channel."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageCms

from blur.imaging.arrays import OPAQUE
from blur.imaging.decode.icc import repair_header
from blur.imaging.strips import for_each_strip, row_strips

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from blur.imaging.arrays import AlphaU8, RgbU8

WITH_ALPHA = {"LA": "L", "La": "L", "PA": "RGB", "RGBA": "RGB", "RGBa": "RGB"}
"""Pillow's modes with an alpha channel, and the mode of their colours."""
STRAIGHT = {"La": "LA", "RGBa": "RGBA", "PA": "RGBA"}
WIDE_GREY = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
PROFILE_SPACE = slice(16, 20)
"""The position of the colour space in an ICC profile's header (ICC.1:2022, 7.2)."""
SPACES = {"RGB": b"RGB ", "L": b"GRAY", "CMYK": b"CMYK"}


def to_rgb(image: Image.Image) -> tuple[RgbU8, AlphaU8 | None, bytes | None]:
    """Return RGB, alpha and the RGB profile of the colours; None means sRGB.

    An RGB image keeps its samples and its profile. A grey or CMYK image is converted to sRGB, with
    its profile if it has one. A profile is ignored if it is broken or does not match the image's
    colour space.
    """
    profile = image.info.get("icc_profile") or None
    opaque, alpha = _split(image)
    if opaque.mode not in SPACES:
        opaque = opaque.convert("RGB")
    if opaque.mode == "L" and _profile_space(profile) == SPACES["RGB"]:
        opaque = opaque.convert("RGB")
    if _profile_space(profile) != SPACES[opaque.mode]:
        profile = None
    if opaque.mode != "RGB":
        opaque, profile = _convert_to_srgb(opaque, profile), None
    return np.array(opaque), alpha, profile and repair_header(profile)


def read_rgb_profile(image: Image.Image) -> bytes | None:
    """Return the profile of an RGB image, or None if it has no usable RGB profile."""
    profile = image.info.get("icc_profile") or None
    return repair_header(profile) if profile and _profile_space(profile) == SPACES["RGB"] else None


def _split(image: Image.Image) -> tuple[Image.Image, AlphaU8 | None]:
    """Return colour and alpha separately. Grey of any depth becomes mode L."""
    if image.mode in WIDE_GREY:
        samples = np.asarray(image)
        return Image.fromarray(scale_grey(samples)), _alpha_of_key(samples, image)
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    image = image.convert(STRAIGHT[image.mode]) if image.mode in STRAIGHT else image
    if image.mode in WITH_ALPHA:
        return image.convert(WITH_ALPHA[image.mode]), np.array(image.getchannel("A"))
    alpha = _alpha_of_key(np.asarray(image), image)
    return (image.convert("L") if image.mode == "1" else image), alpha


def scale_grey(samples: NDArray[np.generic]) -> AlphaU8:
    """Scale grey samples wider than a byte to 0..255 without clipping.

    For unsigned samples, which have 16 bits, white is 65535. For other integers, white is 255, or
    65535 if a sample exceeds 255. For floats, white is 1; if a sample exceeds 1, white is 255 or
    65535, as for integers. Black is 0. But if a sample of the last two kinds exceeds 65535 or is
    negative, black is the minimum of the samples, and white is their maximum.
    """
    if samples.dtype.kind == "u":
        return _scale_strips(samples, lambda rows: (rows.astype(np.uint32) * 255 + 32767) // 65535)
    black, white_range = _scale_of(samples)
    return _scale_strips(samples, lambda rows: np.rint((_finite(rows) - black) / white_range * 255))


def _scale_strips(
    samples: NDArray[np.generic], scale: Callable[[NDArray[np.generic]], NDArray[np.generic]]
) -> AlphaU8:
    """Scale a few rows at a time, to limit the memory for a large image with wide samples."""
    grey = np.empty(samples.shape, np.uint8)

    def scale_rows(rows: slice) -> None:
        grey[rows] = scale(samples[rows])

    for_each_strip(samples.shape, scale_rows)
    return grey


def _scale_of(samples: NDArray[np.generic]) -> tuple[float, float]:
    """Return the sample value of black, and the range from black to white."""
    ranges = [(part.min(), part.max()) for part in map(_finite, _parts(samples))]
    minimum = float(min(low for low, _ in ranges))
    maximum = float(max(high for _, high in ranges))
    return find_scale(minimum, maximum, is_float=samples.dtype.kind == "f")


def find_scale(minimum: float, maximum: float, *, is_float: bool) -> tuple[float, float]:
    """Return the sample value of black, and the range from black to white; see `scale_grey`.

    `minimum` is the smallest sample, and `maximum` the largest.
    """
    scales = (1, 255, 65535) if is_float else (255, 65535)
    full_scale = next((float(scale) for scale in scales if maximum <= scale), None)
    if minimum < 0 or full_scale is None:
        return minimum, (maximum - minimum) or 1.0
    return 0.0, full_scale


def _parts(samples: NDArray[np.generic]) -> Iterator[NDArray[np.generic]]:
    return (samples[rows] for rows in row_strips(samples.shape[0], samples.shape[1]))


def _finite(samples: NDArray[np.generic]) -> NDArray[np.float64]:
    """Replace NaN by 0, and both infinities by the largest 32-bit floats."""
    limit = float(np.finfo(np.float32).max)
    return np.nan_to_num(samples.astype(np.float64), posinf=limit, neginf=-limit)


def _alpha_of_key(samples: NDArray[np.generic], image: Image.Image) -> AlphaU8 | None:
    """Return the alpha of a file in which one colour is transparent (PNG's tRNS)."""
    key = image.info.get("transparency")
    if key is None or image.mode == "P":
        return None
    colour = np.asarray(key)
    if samples.dtype == np.uint8 and colour.max() > OPAQUE:
        colour = colour >> 8  # Pillow keeps the upper 8 of 16 bits
    is_key = samples == colour
    if is_key.ndim > 2:  # noqa: PLR2004 - colour samples have three axes
        is_key = is_key.all(axis=-1)
    return np.where(is_key, np.uint8(0), np.uint8(OPAQUE))


def is_profile_usable(profile: bytes | None, mode: str) -> bool:
    """Return whether `to_rgb` applies this profile to an image of this mode."""
    is_grey = mode in {"1", "L", "LA", "La", *WIDE_GREY}
    spaces = {SPACES["CMYK" if mode == "CMYK" else "RGB"]} | ({SPACES["L"]} if is_grey else set())
    return _profile_space(profile) in spaces


def _profile_space(profile: bytes | None) -> bytes | None:
    return profile[PROFILE_SPACE] if profile and _is_valid(profile) else None


def _is_valid(profile: bytes) -> bool:
    try:
        ImageCms.getOpenProfile(BytesIO(profile))
    except (OSError, ImageCms.PyCMSError):
        return False
    return True


def _convert_to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert a grey or CMYK image to sRGB, without the profile if it cannot be applied."""
    try:
        if profile is None:
            return image.convert("RGB")
        if image.mode == "L":
            return _convert_grey(image, profile)
        return _transform(image, profile, ImageCms.Flags.HIGHRESPRECALC)
    except ImageCms.PyCMSError:
        return image.convert("RGB")


def _convert_grey(image: Image.Image, profile: bytes) -> Image.Image:
    """Convert the 256 values of grey exactly, and use the results as a lookup table for the image.

    LittleCMS's fast path for 8-bit grey has errors of up to 10 of 255 in the shadows; its exact
    path takes 1.8 s for 12 megapixels.
    """
    levels = Image.fromarray(np.arange(256, dtype=np.uint8)[np.newaxis])
    table = np.asarray(_transform(levels, profile, ImageCms.Flags.NOOPTIMIZE))[0]
    return Image.fromarray(table[np.asarray(image)])


def _transform(image: Image.Image, profile: bytes, flags: ImageCms.Flags) -> Image.Image:
    source = ImageCms.getOpenProfile(BytesIO(profile))
    target = ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB", flags=flags)
    if converted is None:  # only a conversion in place returns None
        raise ImageCms.PyCMSError
    return converted
