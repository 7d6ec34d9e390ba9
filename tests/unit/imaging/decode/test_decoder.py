"""Files of every supported format are decoded to photos, and broken files are rejected."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base
from tests.unit.imaging.icc_profiles import SRGB
from tests.unit.imaging.pictures import astronaut, difference, marked, noise, saved

from blur.errors import ImageTooLargeError, InvalidImageError
from blur.imaging.decode.decoder import Photo, decode
from blur.imaging.decode.formats import INPUT_FORMAT_NAMES

pillow_heif.register_heif_opener()  # lets Pillow write HEIC
LIMIT = 1_000_000
SUPPORTED = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "HEIF", "AVIF")
"""Pillow's names of the supported formats."""
LOSSLESS = {
    "PNG": {},
    "WEBP": {"lossless": True},
    "BMP": {},
    "TIFF": {},
}


def read(data: bytes) -> Photo:
    return decode(data, max_pixels=LIMIT)


@pytest.mark.parametrize("file_format", LOSSLESS)
def test_a_lossless_file_gives_exact_pixels(file_format: str) -> None:
    image = noise(31, 17)
    photo = read(saved(Image.fromarray(image), file_format, **LOSSLESS[file_format]))
    np.testing.assert_array_equal(photo.pixels, image)
    assert photo.alpha is None


@pytest.mark.parametrize("file_format", ["JPEG", "MPO"])
def test_the_pixels_of_a_jpeg_are_close_to_those_of_the_original_image(file_format: str) -> None:
    image = astronaut()
    photo = read(saved(Image.fromarray(image), file_format, quality=95))
    assert difference(photo.pixels, image).mean() < 2


def test_the_pixels_are_a_writable_uint8_array() -> None:
    pixels = read(saved(marked(), "JPEG")).pixels
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable


def test_decoding_keeps_only_pixels_and_profile() -> None:
    exif = Image.Exif()
    exif[Base.Make] = "Camera"
    exif.get_ifd(IFD.GPSInfo)[GPS.GPSLatitudeRef] = "N"
    photo = read(saved(marked(), "JPEG", exif=exif, comment=b"secret", icc_profile=SRGB))
    assert photo.icc_profile == SRGB
    assert Photo.__slots__ == ("pixels", "alpha", "icc_profile", "reduction", "full_shape")


@pytest.mark.parametrize(
    ("file_format", "options"),
    [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {})],
)
def test_only_the_first_of_several_frames_is_decoded(
    file_format: str, options: dict[str, bool]
) -> None:
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("red", "lime", "blue")]
    data = saved(frames[0], file_format, save_all=True, append_images=frames[1:], **options)
    pixels = read(data).pixels
    np.testing.assert_array_equal(pixels, np.asarray(frames[0]))


@pytest.mark.parametrize("size", [(1, 1), (1, 2000), (2000, 1)])
@pytest.mark.parametrize("file_format", SUPPORTED)
def test_an_image_of_one_pixel_or_of_one_long_row_or_column_is_decoded(
    size: tuple[int, int], file_format: str
) -> None:
    photo = read(saved(Image.new("RGB", size, "white"), file_format))
    assert photo.pixels.shape == (size[1], size[0], 3)
    assert photo.pixels.min() > 250


@pytest.mark.parametrize("missing", [1, 8, 12, 20])
def test_a_png_without_its_last_bytes_is_rejected(missing: int) -> None:
    whole = saved(Image.fromarray(astronaut(40, 40)), "PNG")
    with pytest.raises(InvalidImageError):
        decode(whole[:-missing], max_pixels=10_000)
    decode(whole + b"trailing", max_pixels=10_000)


@pytest.mark.parametrize("file_format", SUPPORTED)
def test_a_file_without_its_last_tenth_or_more_is_rejected(file_format: str) -> None:
    data = saved(Image.fromarray(noise(64, 64)), file_format)
    for kept in range(0, len(data) * 9 // 10, max(1, len(data) // 40)):
        with pytest.raises(InvalidImageError):
            read(data[:kept])


@pytest.mark.parametrize("file_format", SUPPORTED)
@pytest.mark.filterwarnings("ignore")  # Pillow warns about some damaged files
def test_a_damaged_file_is_decoded_or_rejected_as_invalid_or_too_large(file_format: str) -> None:
    data = saved(Image.fromarray(noise(24, 24)), file_format)
    random = np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(data)
        for offset in random.integers(0, len(data), 4):
            damaged[offset] = random.integers(0, 256)
        try:
            assert read(bytes(damaged)).pixels.size > 0
        except (InvalidImageError, ImageTooLargeError) as error:
            assert error.message.endswith(".")  # noqa: PT017 - both outcomes are valid


@pytest.mark.parametrize("data", [b"", b"GIF", b"%PDF-1.7", b"<svg/>", b"\x00" * 5000])
def test_the_error_for_an_unsupported_file_lists_the_supported_formats(data: bytes) -> None:
    with pytest.raises(InvalidImageError, match=INPUT_FORMAT_NAMES):
        read(data)


def test_the_error_lists_formats_by_their_common_names() -> None:
    assert INPUT_FORMAT_NAMES == "JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC, AVIF"


def test_a_format_that_only_pillow_supports_is_rejected() -> None:
    with pytest.raises(InvalidImageError):
        read(saved(marked(), "ICO"))


def test_a_photo_at_the_limit_is_allowed_and_one_pixel_more_is_not() -> None:
    data = saved(Image.new("RGB", (100, 10)), "PNG")
    assert decode(data, max_pixels=1000).pixels.shape == (10, 100, 3)
    with pytest.raises(ImageTooLargeError, match="at most 999 pixels; this image has 100 x 10"):
        decode(data, max_pixels=999)


def test_the_size_is_checked_from_the_header_before_decoding() -> None:
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    data = start + struct.pack(">I", zlib.crc32(chunk)) + struct.pack(">I", 9) + b"IDAT"
    with pytest.raises(ImageTooLargeError, match="30000 x 30000"):
        read(data)


def test_pillows_limit_of_pixels_has_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    for file_format in ("JPEG", "PNG", "BMP"):
        assert read(saved(marked(), file_format)).pixels.shape == (24, 40, 3)


def test_decoding_does_not_change_pillows_settings() -> None:
    before = Image.MAX_IMAGE_PIXELS
    read(saved(marked(), "PNG"))
    assert before == Image.MAX_IMAGE_PIXELS


def test_a_lack_of_memory_is_not_reported_as_a_broken_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def exhausted(_image: Image.Image) -> None:
        raise MemoryError

    monkeypatch.setattr("blur.imaging.decode.source.to_rgb", exhausted)
    with pytest.raises(MemoryError):
        read(saved(marked(), "PNG"))


def test_the_format_does_not_depend_on_the_file_name(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(saved(marked(), "PNG"))
    np.testing.assert_array_equal(read(path.read_bytes()).pixels, np.asarray(marked()))


def test_a_gif_of_one_colour_keeps_its_size() -> None:
    file = BytesIO()
    Image.new("P", (30, 20)).save(file, "GIF")
    assert read(file.getvalue()).pixels.shape == (20, 30, 3)


@pytest.mark.parametrize("file_format", ["HEIF", "AVIF"])
def test_a_heic_or_avif_photo_and_its_profile_are_read(file_format: str) -> None:
    pixels = astronaut(120, 200)
    photo = read(saved(Image.fromarray(pixels), file_format, quality=90, icc_profile=SRGB))
    assert difference(photo.pixels, pixels).mean() < 4
    assert photo.icc_profile == SRGB
    assert photo.alpha is None


@pytest.mark.parametrize("brand", [b"mif1", b"msf1"])
def test_a_file_with_a_supported_compatible_brand_is_read(brand: bytes) -> None:
    data = saved(Image.fromarray(astronaut(64, 64)), "AVIF")
    assert data[8:12] == b"avif"
    assert read(data[:8] + brand + data[12:]).pixels.shape == (64, 64, 3)


def test_a_video_with_the_brands_of_mp4_is_rejected() -> None:
    video = (20).to_bytes(4) + b"ftypisom" + bytes(4) + b"mp42" + bytes(500)
    with pytest.raises(InvalidImageError, match=INPUT_FORMAT_NAMES):
        read(video)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": "4:2:0"}])
def test_simplejpeg_and_pillow_give_the_same_pixels(options: dict[str, object]) -> None:
    data = saved(Image.fromarray(astronaut()), "JPEG", quality=90, **options)
    np.testing.assert_array_equal(read(data).pixels, np.asarray(Image.open(BytesIO(data))))


def test_a_jpeg_that_only_pillow_reads_is_decoded() -> None:
    grey = Image.fromarray(astronaut()[..., 0])
    cmyk = Image.fromarray(astronaut()).convert("CMYK")
    for image in (grey, cmyk):
        assert read(saved(image, "JPEG")).pixels.shape == (512, 512, 3)
