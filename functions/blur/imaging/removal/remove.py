"""Remove the background of a photo: decode, matte, refine, render, encode."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from blur.errors import NoSubjectError
from blur.imaging.compositing.composite import multiply
from blur.imaging.compositing.fill import fill_transparent
from blur.imaging.decode.decoder import decode
from blur.imaging.decomposition import SUBJECTS, decompose, working_factor
from blur.imaging.removal.background import (
    Background,
    Picture,
    draw_background,
    put_behind,
    read_background,
)
from blur.imaging.removal.layout import frame_subject, keeps_frame, whole
from blur.imaging.removal.options import MAX_MARGIN_PX, SIZES
from blur.imaging.removal.output import (
    Result,
    allows_sides,
    encode_result,
    guess_output,
    largest,
)
from blur.imaging.removal.render import cut_out, find_bounds
from blur.imaging.removal.specks import remove_specks
from blur.imaging.removal.subject_type import find_subject_type
from blur.imaging.resample import downscale
from blur.imaging.results import Foreground, RemovedBackground
from blur.imaging.watermark import add_watermark

if TYPE_CHECKING:
    from collections.abc import Callable

    from blur.imaging.decode.decoder import Photo
    from blur.imaging.decomposition import Decomposition, Matting
    from blur.imaging.matting.matte import Predictor
    from blur.imaging.removal.layout import Limit, Shape
    from blur.imaging.removal.options import RemovalOptions
    from blur.imaging.roi import Box


def remove_background(  # noqa: PLR0913 - it gets the photo, its options, and the caller's resources
    data: bytes,
    options: RemovalOptions,
    *,
    model: Predictor,
    people: Predictor | None = None,
    faces: Predictor | None = None,
    max_pixels: int,
    watermarked: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
    max_bytes: int | None = None,
    accepts: Callable[[str], bool] = lambda _: False,
) -> RemovedBackground:
    """Cut the subject out of an image file, place it in a frame, and put a background behind it.

    `model` finds the subject; the network `people` improves the matte of persons. The networks
    `people` and `faces` together recognise persons; if one of them is missing, the type of each
    subject is "other". `max_pixels` limits the photo and the background image. `watermarked` adds
    the watermark of test keys. `on_step` is called with the name of each step before the step
    begins; `on_step` can raise an exception to stop the work. `max_bytes` limits the size of the
    file. If the format is `auto` and the PNG is too large, WebP and then ZIP are tried, each only
    if `accepts` returns true for its media type.

    Raises:
        InvalidImageError: the file cannot be decoded.
        ImageTooLargeError: the photo has more than `max_pixels` pixels.
        InvalidBgImageError: the background image cannot be decoded, or is too large.
        NoSubjectError: the network finds no subject, or no part of the subject is visible.
        RoiExceedsBoundsError, RoiRegionEmptyError: `roi` is not a region of the photo.
        ResultTooLargeError: the result has more than `max_bytes`.

    """
    matting = SUBJECTS["auto"](model, people)
    output = guess_output(options)
    on_step("decode")
    limit = largest(output, options.max_megapixels)
    photo = _decode(data, options, limit, matting, max_pixels)
    shape = photo.pixels.shape[0], photo.pixels.shape[1]
    box = None if options.roi is None else options.roi.to_box(shape)
    box = None if box is None or box.shape == shape else box
    background = _read_background(options, photo, limit, max_pixels)
    found = decompose(photo.pixels, photo.alpha, matting, box, on_step)
    found = replace(found, subject=remove_specks(found.subject))
    subject_type = find_subject_type(found.maps, found.seen, faces)
    on_step("render")
    rendering = _render(found, photo, background, options, output)
    if options.output == "auto" and output == "jpg" and not rendering.picture.is_opaque:
        output = "png"
        rendering = _render(found, photo, background, options, output)
    picture = rendering.picture
    can_be_jpg = options.output == "auto" and options.channels != "alpha" and output == "png"
    if can_be_jpg and picture.is_opaque and allows_sides("jpg", picture):
        output = "jpg"
    if watermarked:
        picture = Picture(*add_watermark(picture.colours, picture.alpha))
    on_step("encode")
    image = encode_result(
        Result(picture, photo.icc_profile, options.channels == "alpha"),
        output,
        can_change_format=options.output == "auto",
        max_bytes=max_bytes,
        accepts=accepts,
    )
    height, width = picture.colours.shape[:2]
    return RemovedBackground(
        image,
        (width, height),
        (rendering.max_shape[1], rendering.max_shape[0]),
        rendering.foreground,
        subject_type,
        photo_pixels=photo.full_shape[0] * photo.full_shape[1],
    )


class _Rendering(NamedTuple):
    picture: Picture
    foreground: Foreground
    max_shape: Shape


def _render(
    found: Decomposition,
    photo: Photo,
    background: Background | None,
    options: RemovalOptions,
    output: str,
) -> _Rendering:
    """Draw the subject and the background, within the size limit of the format `output`."""
    limit = largest(output, options.max_megapixels)
    no_limit = largest(output, max(options.max_megapixels, SIZES["full"]))
    if keeps_frame(options):
        matte = None
        layout = whole(found.shape, photo.full_shape, limit)
        max_shape = no_limit.fit(photo.full_shape)
    else:
        matte = found.matte(found.shape)
        subject = _require(find_bounds(multiply(matte, found.alpha)))
        framing = frame_subject(options, found.shape, subject)
        layout = framing.lay_out(limit)
        max_shape = no_limit.fit((framing.height, framing.width))
    colours, alpha = cut_out(found, layout, matte)
    bounds = _require(find_bounds(alpha))
    foreground = Foreground(
        bounds.rows.start, bounds.columns.start, bounds.shape[1], bounds.shape[0]
    )
    picture = Picture(colours, alpha)
    if background is not None:
        behind = draw_background(background, layout.frame, photo.icc_profile)
        picture = put_behind(picture, behind)
    return _Rendering(picture, foreground, max_shape)


def _require(bounds: Box | None) -> Box:
    if bounds is None:
        message = "No visible subject was found in the image."
        raise NoSubjectError(message)
    return bounds


def _read_background(
    options: RemovalOptions, photo: Photo, limit: Limit, max_pixels: int
) -> Background | None:
    """Return the background; None if the result is transparent or only the matte.

    A background image is decoded before the networks run, so that a damaged file is rejected early.
    """
    if options.channels == "alpha":
        return None
    if keeps_frame(options):
        side_px = max(limit.fit(photo.full_shape))
    else:
        side_px = 2 * (max(photo.pixels.shape[:2]) + MAX_MARGIN_PX)  # photo and largest margins
    return read_background(options, side_px, max_pixels)


def _decode(
    data: bytes, options: RemovalOptions, limit: Limit, matting: Matting, max_pixels: int
) -> Photo:
    """Decode the photo, and downscale it to the smallest size that is enough for the result."""

    def reduction(size: tuple[int, int]) -> int:
        if not keeps_frame(options) or options.roi is not None:
            return 1
        smallest, factor = limit.fit(size), working_factor(size, matting)
        while factor > 1 and any(
            side < factor * least for side, least in zip(size, smallest, strict=True)
        ):
            factor //= 2
        return factor

    photo = decode(data, max_pixels=max_pixels, reduction=reduction)
    rest = reduction(photo.full_shape) // photo.reduction
    if rest <= 1:
        return photo
    pixels, alpha = photo.pixels, photo.alpha
    if alpha is not None:
        pixels, alpha = fill_transparent(pixels, alpha), downscale(alpha, rest)
    reduced = downscale(pixels, rest)
    return replace(photo, pixels=reduced, alpha=alpha, reduction=rest * photo.reduction)
