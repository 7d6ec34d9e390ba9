"""A photo with its background blurred: decode, matte, refine, blur, encode."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, TypeAlias

from blur.errors import InvalidBlurError, InvalidModeError
from blur.imaging.blurring.defocus import defocus_background, defocus_subject
from blur.imaging.blurring.lens import KERNELS
from blur.imaging.compositing.composite import composite_over, multiply
from blur.imaging.compositing.cutout import subject_colours
from blur.imaging.compositing.foreground import estimate_layers
from blur.imaging.compositing.hidden import fill_transparent
from blur.imaging.compositing.scene import Scene
from blur.imaging.decode.decoder import decode
from blur.imaging.encode.encoder import EncodedImage, check_format, check_size, encode
from blur.imaging.matting.matte import predict_subject, resize_matte, stretch
from blur.imaging.matting.refine import refine
from blur.imaging.resample import downscale
from blur.imaging.watermark import add_watermark

if TYPE_CHECKING:
    from collections.abc import Callable

    from blur.imaging.arrays import AlphaU8, RgbU8
    from blur.imaging.decode.decoder import Photo
    from blur.imaging.matting.matte import Predictor
    from blur.imaging.options import BlurOptions

    Mode: TypeAlias = Callable[[Scene, float, str], tuple[RgbU8, AlphaU8 | None]]

STEPS = ("decode", "matte", "refine", "blur", "encode")
"""What a photo goes through, in this order."""
VIEW_PX = 400
"""Least shorter side of the copy that matte and layers are found in. The network is shown the
same copy, which has at least as many pixels as it takes, if the photo has them."""
MOST_VIEW_PX = 1 << 23
"""Pixels of that copy of a strip of a photo, whose shorter side never needs it to be reduced."""


def blur_photo(  # noqa: PLR0913 - the photo, what is asked, and what serves it
    data: bytes,
    options: BlurOptions,
    *,
    model: Predictor,
    max_pixels: int,
    watermarked: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> EncodedImage:
    """Blur what is behind the subject of an image file, or cut the subject out.

    A `watermarked` result has the watermark of test keys. `on_step` is called with each step's name
    before the step begins; it can raise an exception to stop the work.

    Raises:
        InvalidImageError: the file cannot be decoded.
        ImageTooLargeError: it has more than `max_pixels` pixels.
        NoSubjectError: the model finds nothing that stands out.
        InvalidBlurError, InvalidModeError, InvalidFormatError, InvalidQualityError: the
            an option has an unknown value.

    """
    check_options(options)
    on_step("decode")
    photo = decode(data, max_pixels=max_pixels)
    is_clear = photo.alpha is not None or MODES[options.mode] is cut_out
    check_size(options.output, photo.pixels.shape, has_alpha=is_clear)
    scene = _decompose(photo, model, on_step)
    on_step("blur")
    pixels, alpha = MODES[options.mode](scene, options.radius_px, options.kernel)
    if watermarked:
        pixels, alpha = add_watermark(pixels, alpha)
    on_step("encode")
    return encode(pixels, alpha, photo.icc_profile, options.output, options.quality)


def check_options(options: BlurOptions) -> None:
    """Raise the error of the first thing in the options that there is not."""
    if options.mode not in MODES:
        message = f"mode must be one of: {', '.join(MODES)}."
        raise InvalidModeError(message)
    if options.kernel not in KERNELS:
        message = f"blur must be one of: {', '.join(KERNELS)}."
        raise InvalidBlurError(message)
    check_format(options.output, options.quality)


def _decompose(photo: Photo, model: Predictor, on_step: Callable[[str], None]) -> Scene:
    """Find the subject and the layers in a copy of the photo that is just large enough."""
    on_step("matte")
    pixels, alpha = photo.pixels, photo.alpha
    shape = pixels.shape[0], pixels.shape[1]
    if alpha is not None:
        pixels = fill_transparent(pixels, alpha)
    step = _view_step(shape, max(VIEW_PX, model.side_px))
    view = downscale(pixels, step)
    view_alpha = None if alpha is None else downscale(alpha, step)
    raw = predict_subject(model, view, view_alpha)
    on_step("refine")
    matte = refine(stretch(raw), view)
    layers = estimate_layers(view, matte, view_alpha)
    return Scene(pixels, alpha, resize_matte(matte, shape), layers)


def _view_step(shape: tuple[int, int], side_px: int) -> int:
    """Return by what power of two a photo of a (height, width) is reduced."""
    step = 1 << max(0, (min(shape) // side_px).bit_length() - 1)
    while shape[0] * shape[1] > step**2 * MOST_VIEW_PX:
        step *= 2
    return step


def blur_background(scene: Scene, radius_px: float, kernel: str = "gaussian") -> RgbU8:
    """Return the photo with everything behind its subject blurred, uint8 (H, W, 3).

    `radius_px` is the blur's standard deviation along each axis; 0 returns a copy of the
    photo. Where the matte is 255 the photo's pixels come out exactly.

    Raises:
        ValueError: `radius_px` is negative or not finite.

    """
    _check_radius(radius_px)
    if radius_px == 0:
        return scene.photo.copy()
    result = defocus_background(scene, KERNELS[kernel](radius_px))
    composite_over(scene.photo, scene.matte, scene.layers, result)
    return result


def cut_out(scene: Scene, radius_px: float, kernel: str = "gaussian") -> tuple[RgbU8, AlphaU8]:
    """Return the subject alone, blurred, as straight colour and alpha.

    Arguments and errors are those of `blur_background`; radius 0 gives the sharp subject.
    """
    _check_radius(radius_px)
    if radius_px > 0:
        return defocus_subject(scene, KERNELS[kernel](radius_px))
    colours = subject_colours(scene.photo, scene.matte, scene.layers)
    return colours, multiply(scene.matte, scene.alpha)


def _check_radius(radius_px: float) -> None:
    if not 0 <= radius_px < inf:
        message = f"radius_px must be at least 0 and finite, not {radius_px}"
        raise ValueError(message)


def _background(scene: Scene, radius_px: float, kernel: str) -> tuple[RgbU8, AlphaU8 | None]:
    return blur_background(scene, radius_px, kernel), scene.alpha


MODES: dict[str, Mode] = {"background": _background, "cutout": cut_out}
"""By the value of the `mode` field: what is made of the photo and its matte."""
