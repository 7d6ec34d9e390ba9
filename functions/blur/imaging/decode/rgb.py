"""Every kind of sample that a file can hold, as RGB bytes and an alpha channel."""

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
"""Modes with an alpha channel, and the mode of their colours."""
STRAIGHT = {"La": "LA", "RGBa": "RGBA", "PA": "RGBA"}
WIDE_GREY = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
PROFILE_SPACE = slice(16, 20)
"""Where an ICC profile's header names its colour space (ICC.1:2022, 7.2)."""
SPACES = {"RGB": b"RGB ", "L": b"GRAY", "CMYK": b"CMYK"}


def to_rgb(image: Image.Image) -> tuple[RgbU8, AlphaU8 | None, bytes | None]:
    """Return RGB, alpha and the RGB profile the colours are in; None is sRGB.

    RGB stays as it is, together with its profile. Grey and CMYK that come with a profile of
    their own are converted to sRGB by it. A profile that is broken, or for another kind of
    colour than the file holds, is ignored.
    """
    profile = image.info.get("icc_profile") or None
    opaque, alpha = _split(image)
    if opaque.mode not in SPACES:
        opaque = opaque.convert("RGB")
    if opaque.mode == "L" and _space_of(profile) == SPACES["RGB"]:
        opaque = opaque.convert("RGB")
    if _space_of(profile) != SPACES[opaque.mode]:
        profile = None
    if opaque.mode != "RGB":
        opaque, profile = _by_profile(opaque, profile), None
    return np.array(opaque), alpha, profile and repair_header(profile)


def read_rgb_profile(image: Image.Image) -> bytes | None:
    """Return the profile of an RGB image, if it has one that fits and works."""
    profile = image.info.get("icc_profile") or None
    return repair_header(profile) if profile and _space_of(profile) == SPACES["RGB"] else None


def _split(image: Image.Image) -> tuple[Image.Image, AlphaU8 | None]:
    """Take colour and alpha apart. Colour comes as L for every kind of grey."""
    if image.mode in WIDE_GREY:
        samples = np.asarray(image)
        return Image.fromarray(scale_grey(samples)), _keyed(samples, image)
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    image = image.convert(STRAIGHT[image.mode]) if image.mode in STRAIGHT else image
    if image.mode in WITH_ALPHA:
        return image.convert(WITH_ALPHA[image.mode]), np.array(image.getchannel("A"))
    alpha = _keyed(np.asarray(image), image)
    return (image.convert("L") if image.mode == "1" else image), alpha


def scale_grey(samples: NDArray[np.generic]) -> AlphaU8:
    """Scale grey samples wider than a byte to 0..255, so that none is clipped.

    Full scale is the type's for unsigned 16 bits. Other whole numbers and floats have
    none: it is the least of 1 (floats only), 255 and 65535 that holds them all, or
    else they are stretched from their least to their greatest.
    """
    if samples.dtype.kind == "u":
        return _by_strips(samples, lambda some: (some.astype(np.uint32) * 255 + 32767) // 65535)
    bottom, full = _scale_of(samples)
    return _by_strips(samples, lambda some: np.rint((_finite(some) - bottom) / full * 255))


def _by_strips(
    samples: NDArray[np.generic], scaled: Callable[[NDArray[np.generic]], NDArray[np.generic]]
) -> AlphaU8:
    """Scale some rows at a time: wide samples of a large picture fill the memory otherwise."""
    grey = np.empty(samples.shape, np.uint8)

    def scale(rows: slice) -> None:
        grey[rows] = scaled(samples[rows])

    for_each_strip(samples.shape, scale)
    return grey


def _scale_of(samples: NDArray[np.generic]) -> tuple[float, float]:
    """Return what is black, and how far above it white is."""
    ends = [(part.min(), part.max()) for part in map(_finite, _parts(samples))]
    least, greatest = float(min(low for low, _ in ends)), float(max(high for _, high in ends))
    return find_scale(least, greatest, is_float=samples.dtype.kind == "f")


def find_scale(least: float, greatest: float, *, is_float: bool) -> tuple[float, float]:
    """Return what is black, and how far above it white is, for samples between two numbers."""
    scales = (1, 255, 65535) if is_float else (255, 65535)
    full = next((float(scale) for scale in scales if greatest <= scale), None)
    if least < 0 or full is None:
        return least, (greatest - least) or 1.0
    return 0.0, full


def _parts(samples: NDArray[np.generic]) -> Iterator[NDArray[np.generic]]:
    return (samples[rows] for rows in row_strips(samples.shape[0], samples.shape[1]))


def _finite(samples: NDArray[np.generic]) -> NDArray[np.float64]:
    """Take NaN for 0, and infinity for the largest number that 32 bits can hold."""
    most = float(np.finfo(np.float32).max)
    return np.nan_to_num(samples.astype(np.float64), posinf=most, neginf=-most)


def _keyed(samples: NDArray[np.generic], image: Image.Image) -> AlphaU8 | None:
    """Return the alpha of a file that names one colour as transparent (PNG's tRNS)."""
    key = image.info.get("transparency")
    if key is None or image.mode == "P":
        return None
    wanted = np.asarray(key)
    if samples.dtype == np.uint8 and wanted.max() > OPAQUE:
        wanted = wanted >> 8  # 16 bits a channel, of which Pillow keeps the upper eight
    hit = samples == wanted
    if hit.ndim > 2:  # noqa: PLR2004 - a colour: every channel has to match
        hit = hit.all(axis=-1)
    return np.where(hit, np.uint8(0), np.uint8(OPAQUE))


def is_profile_usable(profile: bytes | None, mode: str) -> bool:
    """Return whether `to_rgb` applies a file's profile to an image of this mode."""
    is_grey = mode in {"1", "L", "LA", "La", *WIDE_GREY}
    spaces = {SPACES["CMYK" if mode == "CMYK" else "RGB"]} | ({SPACES["L"]} if is_grey else set())
    return _space_of(profile) in spaces


def _space_of(profile: bytes | None) -> bytes | None:
    return profile[PROFILE_SPACE] if profile and _parses(profile) else None


def _parses(profile: bytes) -> bool:
    try:
        ImageCms.getOpenProfile(BytesIO(profile))
    except (OSError, ImageCms.PyCMSError):
        return False
    return True


def _by_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert grey or CMYK to sRGB, by the profile if there is one that works."""
    try:
        if profile is None:
            return image.convert("RGB")
        if image.mode == "L":
            return _grey_by_profile(image, profile)
        return _transform(image, profile, ImageCms.Flags.HIGHRESPRECALC)
    except ImageCms.PyCMSError:
        return image.convert("RGB")


def _grey_by_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """Convert the 256 levels, exactly, and look the pixels up.

    LittleCMS's fast path for 8-bit grey is up to 10 levels off in the shadows, and without
    it 12 megapixels take 1.8 s.
    """
    levels = Image.fromarray(np.arange(256, dtype=np.uint8)[np.newaxis])
    table = np.asarray(_transform(levels, profile, ImageCms.Flags.NOOPTIMIZE))[0]
    return Image.fromarray(table[np.asarray(image)])


def _transform(image: Image.Image, profile: bytes, flags: ImageCms.Flags) -> Image.Image:
    source = ImageCms.getOpenProfile(BytesIO(profile))
    target = ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB", flags=flags)
    if converted is None:  # only an image that is converted in place gives none
        raise ImageCms.PyCMSError
    return converted
