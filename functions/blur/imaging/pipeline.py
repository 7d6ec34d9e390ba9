"""Blur the background of a photo, or cut out its subject: decode, matte, refine, blur, encode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blur.imaging.blur_options import check_options
from blur.imaging.decode.decoder import decode
from blur.imaging.decomposition import SUBJECTS, decompose
from blur.imaging.depth.ground import find_ground
from blur.imaging.encode.encoder import encode
from blur.imaging.encode.formats import check_size
from blur.imaging.modes import MODES
from blur.imaging.results import BlurredPhoto
from blur.imaging.watermark import add_watermark

if TYPE_CHECKING:
    from collections.abc import Callable

    from blur.imaging.blur_options import BlurOptions
    from blur.imaging.matting.matte import Predictor


def blur_photo(  # noqa: PLR0913 - it gets the photo, its options, and the caller's resources
    data: bytes,
    options: BlurOptions,
    *,
    model: Predictor,
    people: Predictor | None = None,
    max_pixels: int,
    watermarked: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> BlurredPhoto:
    """Blur the background of an image file, or cut out its subject.

    `model` finds the subject; the network `people` improves the matte of persons. With the option
    subject=person, only `people` finds the subject, and without `people`, this option is rejected.
    `watermarked` adds the watermark of test keys. `on_step` is called with the name of each step
    before the step begins; `on_step` can raise an exception to stop the work.

    Raises:
        InvalidImageError: the file cannot be decoded.
        ImageTooLargeError: the photo has more than `max_pixels` pixels.
        NoSubjectError: the network finds no subject, or no person.
        RoiExceedsBoundsError, RoiRegionEmptyError: `roi` is not a region of the photo.
        InvalidParameterError: another option has an unknown or unsuitable value.
    """
    check_options(options)
    matting = SUBJECTS[options.subject](model, people)
    mode = MODES[options.mode]
    on_step("decode")
    photo = decode(data, max_pixels=max_pixels)
    has_alpha = mode.adds_alpha or photo.alpha is not None
    check_size(options.output, photo.pixels.shape, has_alpha=has_alpha)
    shape = photo.pixels.shape[0], photo.pixels.shape[1]
    box = None if options.roi is None else options.roi.to_box(shape)
    scene = decompose(photo.pixels, photo.alpha, matting, box, on_step).scene()
    on_step("blur")
    ground = None
    if options.depth == "ground" and mode.uses_ground:
        ground = find_ground(scene.matte, scene.alpha, None if box is None else box.rows.stop)
    radius_px = options.radius_in(shape)
    pixels, alpha = mode.render(scene, radius_px, options.kernel, ground)
    if watermarked:
        pixels, alpha = add_watermark(pixels, alpha)
    on_step("encode")
    image = encode(
        pixels,
        alpha,
        photo.icc_profile,
        options.output,
        options.quality,
        compact=mode.compact,
    )
    depth = "flat" if ground is None else "ground"
    return BlurredPhoto(image, depth, photo_pixels=shape[0] * shape[1])
