"""BMP: bit masks, run lengths and embedded profiles."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image
from tests.unit.imaging.icc_profiles import SRGB, display_p3
from tests.unit.imaging.pictures import astronaut, difference, noise, saved

from blur.errors import InvalidImageError
from blur.imaging.decode.bmp import decode_rle
from blur.imaging.decode.decoder import Photo, decode

RLE8, RLE4, BITFIELDS, JPEG = 1, 2, 3, 4


def read(data: bytes) -> Photo:
    return decode(data, max_pixels=1_000_000)


def bmp(
    size: tuple[int, int], kind: tuple[int, int], pixels: bytes, more: bytes = b"", length: int = 40
) -> bytes:
    """Return a BMP of a kind (bits, compression); `more` follows the first 40 header bytes."""
    bits, compression = kind
    header = struct.pack("<L2l2H6L", length, *size, 1, bits, compression, 0, 0, 0, 0, 0)
    start = 14 + len(header) + len(more)
    return b"BM" + struct.pack("<L2HL", start + len(pixels), 0, 0, start) + header + more + pixels


MASKS = {
    "32 bits, red in the lowest byte": (32, (0xFF, 0xFF00, 0xFF0000)),
    "32 bits, 10 per channel": (32, (0x3FF00000, 0xFFC00, 0x3FF)),
    "16 bits, 4 per channel": (16, (0xF00, 0xF0, 0xF)),
    "16 bits, red in the lowest 5 bits": (16, (0x1F, 0x7E0, 0xF800)),
}


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("direction", [1, -1])
def test_colours_are_read_with_the_bit_masks_of_the_file(kind: str, direction: int) -> None:
    bits, masks = MASKS[kind]
    image = astronaut(9, 7)
    words = np.zeros((9, 8 if bits == 16 else 7), np.uint32)
    for channel, mask in enumerate(masks):
        shift = (mask & -mask).bit_length() - 1
        full_scale = mask >> shift
        words[:, :7] |= np.rint(image[..., channel] / 255 * full_scale).astype(np.uint32) << shift
    stored = words[::-1] if direction == 1 else words
    raw = stored.astype(f"<u{bits // 8}").tobytes()
    photo = read(bmp((7, 9 * direction), (bits, BITFIELDS), raw, struct.pack("<3L", *masks)))
    assert difference(photo.pixels, image).max() <= 9
    assert photo.alpha is None


def test_alpha_is_read_with_the_alpha_mask_of_the_file() -> None:
    image, alpha = astronaut(6, 8) >> 4, noise(6, 8)[..., 0] >> 4
    words = image[..., 0].astype(np.uint16) << 8 | image[..., 1] << 4 | image[..., 2]
    words |= alpha.astype(np.uint16) << 12
    masks = struct.pack("<4L", 0xF00, 0xF0, 0xF, 0xF000)
    raw = words[::-1].astype("<u2").tobytes()
    photo = read(bmp((8, 6), (16, BITFIELDS), raw, masks, length=56))
    np.testing.assert_array_equal(photo.pixels, image * 17)
    np.testing.assert_array_equal(photo.alpha, alpha * 17)


def test_one_bit_of_alpha_in_a_bmp_with_16_bits_per_pixel_is_read() -> None:
    image, alpha = astronaut(6, 8) >> 3, noise(6, 8)[..., 0] >> 7
    words = image[..., 0].astype(np.uint16) << 10 | image[..., 1].astype(np.uint16) << 5
    words |= image[..., 2] | alpha.astype(np.uint16) << 15
    masks = struct.pack("<4L", 0x7C00, 0x3E0, 0x1F, 0x8000)
    raw = words[::-1].astype("<u2").tobytes()
    photo = read(bmp((8, 6), (16, BITFIELDS), raw, masks, length=56))
    np.testing.assert_array_equal(photo.alpha, alpha * 255)
    assert np.abs(photo.pixels - image * (255 / 31)).max() <= 1


def test_bit_masks_with_gaps_are_rejected() -> None:
    with pytest.raises(InvalidImageError):
        read(bmp((2, 2), (32, BITFIELDS), bytes(16), struct.pack("<3L", 0b101, 0xFF00, 0xFF0000)))


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("width", [12, 13, 301])
def test_padding_after_the_last_pixel_of_a_row_does_not_skew_the_image(
    bits: int, width: int
) -> None:
    indices = noise(10, width)[..., 0] >> (8 - bits)
    palette = astronaut(1, 1 << bits)[0]
    rows = b""
    for row in indices[::-1].tolist():
        padded = row + [0] * (width % 2)
        for at in range(0, len(padded), 200):
            run = padded[at : at + 200]
            if bits == 4:
                packed = bytes(a << 4 | b for a, b in zip(run[::2], run[1::2], strict=True))
            else:
                packed = bytes(run)
            if len(run) < 3:
                rows += b"".join(bytes((1, index if bits == 8 else index << 4)) for index in run)
            else:
                rows += bytes((0, len(run))) + packed + bytes(len(packed) % 2)
        rows += b"\0\0"
    entries = np.pad(palette[:, ::-1], ((0, 0), (0, 1))).tobytes()
    data = bmp((width, 10), (bits, RLE8 if bits == 8 else RLE4), rows + b"\0\1", entries)
    np.testing.assert_array_equal(read(data).pixels, palette[indices])


def test_run_length_codes_for_runs_deltas_and_line_ends_are_decoded() -> None:
    codes = b"\3\7\0\0\2\x12\0\2\1\1\1\5\0\1"
    np.testing.assert_array_equal(
        decode_rle(codes, 0, (3, 4), is_rle4=False),
        [[7, 7, 7, 0], [18, 18, 0, 0], [0, 0, 0, 5]],
    )
    np.testing.assert_array_equal(
        decode_rle(b"\5\x12\0\1", 0, (1, 6), is_rle4=True), [[1, 2, 1, 2, 1, 0]]
    )


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_truncated_run_lengths_are_rejected(kept: int) -> None:
    with pytest.raises((InvalidImageError, IndexError)):
        decode_rle(b"\0\2\1\1"[:kept], 0, (3, 4), is_rle4=False)


@pytest.mark.parametrize("profile", [SRGB, display_p3()])
def test_the_profile_of_a_bmp_with_a_version_5_header_is_kept(profile: bytes) -> None:
    raw = np.pad(astronaut(4, 8)[::-1, :, ::-1], ((0, 0), (0, 0), (0, 0))).tobytes()
    more = struct.pack("<4L4s48x", 0, 0, 0, 0, b"DEBM")[: 16 + 4 + 48]
    header = more + struct.pack("<4L", 4, 124 + len(raw), len(profile), 0)
    photo = read(bmp((8, 4), (24, 0), raw + profile, header, length=124))
    assert photo.icc_profile == profile
    np.testing.assert_array_equal(photo.pixels, astronaut(4, 8))


def test_the_error_for_a_bmp_with_an_embedded_jpeg_names_this_kind_of_bmp() -> None:
    inner = saved(Image.fromarray(astronaut(8, 8)), "JPEG")
    with pytest.raises(
        InvalidImageError, match="BMP that contains a JPEG or a PNG is not supported"
    ):
        read(bmp((8, 8), (0, JPEG), inner))
