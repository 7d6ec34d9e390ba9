"""Colour spaces without an ICC profile: wide gamuts, gamma and high dynamic range."""

from __future__ import annotations

import struct
from io import BytesIO

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image
from tests.unit.imaging.decode.sample_files import deep_png, in_srgb, png_chunk, png_with, with_nclx
from tests.unit.imaging.icc_profiles import display_p3
from tests.unit.imaging.pictures import astronaut, difference, sample_photo, saved

from blur.imaging.decode.colour_space import from_cicp, to_8bit
from blur.imaging.decode.decoder import Photo, decode
from blur.imaging.decode.hdr import WHITE_NITS, nits_to_pq, pq_to_nits, roll_off
from blur.imaging.decode.icc import BT2020, DISPLAY_P3, conversion_matrix
from blur.imaging.decode.icc import SRGB as SRGB_PRIMARIES
from blur.imaging.encode.encoder import encode
from blur.imaging.encode.formats import OUTPUT_FORMATS

pillow_heif.register_heif_opener()
SKIN = (239, 176, 149)
SRGB_GAMMA = png_chunk(b"gAMA", struct.pack(">L", 45_455))
P3_CHROMATICITIES = struct.pack(">8L", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
LIGHT = np.arange(65536) / 65535


def read(data: bytes) -> Photo:
    return decode(data, max_pixels=1_000_000)


def to_light(pixels: np.ndarray) -> np.ndarray:
    """Decode sRGB (IEC 61966-2-1) to linear light."""
    samples = pixels / 255
    linear = np.where(samples <= 0.04045, samples / 12.92, ((samples + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear, np.float64)


def to_samples(light: np.ndarray) -> np.ndarray:
    light = np.clip(light, 0, 1)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(255 * np.clip(encoded, 0, 1)), np.uint8)


def in_p3(pixels: np.ndarray) -> np.ndarray:
    """Convert sRGB samples to Display P3."""
    return to_samples(to_light(pixels) @ conversion_matrix(SRGB_PRIMARIES, DISPLAY_P3).T)


def hdr(pixels: np.ndarray, transfer: int, brighter: np.ndarray | float = 1.0) -> np.ndarray:
    """Return sRGB pixels as HDR samples, 0..1, (H, W, 3); white becomes HDR reference white."""
    light = (
        np.clip(to_light(pixels) @ conversion_matrix(SRGB_PRIMARIES, BT2020).T, 0, None) * brighter
    )
    if transfer == 16:
        return nits_to_pq(light * WHITE_NITS)
    light = light * WHITE_NITS / 1000
    luminance = light @ (0.2627, 0.6780, 0.0593)
    scene = light * np.maximum(luminance, 1e-9)[..., np.newaxis] ** (1 / 1.2 - 1)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(
        scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c
    )


def hdr_file(samples: np.ndarray, file_format: str, transfer: int) -> bytes:
    """Return a file of HDR samples, (H, W, 3), 0..1, in BT.2020, with 10 or 16 bits."""
    height, width = samples.shape[:2]
    deep = np.rint(samples * 65535).astype(np.uint16)
    if file_format == "PNG":
        chunk = png_chunk(b"cICP", bytes((9, transfer, 0, 1)))
        return deep_png(deep.astype(">u2").tobytes(), (width, height), chunk)
    if file_format == "AVIF":
        options = [cv2.IMWRITE_AVIF_DEPTH, 10, cv2.IMWRITE_AVIF_QUALITY, 100]
        is_encoded, data = cv2.imencode(".avif", (deep[..., ::-1] >> 6).astype(np.uint16), options)
        assert is_encoded
        return with_nclx(data.tobytes(), 9, transfer)
    file = BytesIO()
    image = pillow_heif.from_bytes("RGB;16", (width, height), deep.tobytes())
    image.save(
        file,
        quality=-1,
        chroma=444,
        matrix_coefficients=0,
        color_primaries=9,
        transfer_characteristics=transfer,
    )
    return with_nclx(file.getvalue(), 9, transfer)


@pytest.mark.parametrize("output", OUTPUT_FORMATS)
@pytest.mark.parametrize("file_format", ["HEIF", "AVIF"])
def test_display_p3_colours_of_a_file_without_a_profile_are_kept_in_every_output(
    file_format: str, output: str
) -> None:
    flat = np.full((32, 32, 3), SKIN, np.uint8)
    plain = saved(Image.fromarray(in_p3(flat)), file_format, quality=100)
    photo = read(with_nclx(plain, 12, 13))
    written = encode(photo.pixels, None, photo.icc_profile, output, 95).data
    image = Image.open(BytesIO(written))
    shown = in_srgb(np.asarray(image.convert("RGB")), image.info["icc_profile"])
    assert difference(shown[8:24, 8:24], flat[8:24, 8:24]).max() <= 4


@pytest.mark.parametrize(
    "chunks",
    [
        (png_chunk(b"cICP", bytes((12, 13, 0, 1))),),
        (SRGB_GAMMA, png_chunk(b"cHRM", P3_CHROMATICITIES)),
    ],
)
def test_the_colours_of_a_png_that_declares_display_p3_are_kept(chunks: tuple[bytes, ...]) -> None:
    photo = read(png_with(Image.fromarray(in_p3(astronaut())), *chunks))
    assert photo.icc_profile is not None
    assert difference(in_srgb(photo.pixels, photo.icc_profile), astronaut()).mean() < 1
    np.testing.assert_array_equal(photo.pixels, in_p3(astronaut()))


def test_the_built_display_p3_profile_gives_the_same_colours_as_apples_profile() -> None:
    built = read(png_with(Image.fromarray(astronaut()), png_chunk(b"cICP", bytes((12, 13, 0, 1)))))
    ours, theirs = (in_srgb(astronaut(), profile) for profile in (built.icc_profile, display_p3()))
    assert difference(ours, theirs).max() <= 1


@pytest.mark.parametrize("transfer", [1, 14])
def test_bt2020_with_standard_range_gets_a_profile(transfer: int) -> None:
    data = png_with(Image.fromarray(astronaut()), png_chunk(b"cICP", bytes((9, transfer, 0, 1))))
    photo = read(data)
    np.testing.assert_array_equal(photo.pixels, astronaut())
    wider = in_srgb(photo.pixels, photo.icc_profile).astype(int)
    assert np.ptp(wider, axis=2).mean() > 1.1 * np.ptp(astronaut().astype(int), axis=2).mean()


@pytest.mark.parametrize("chunk", [b"cICP", b"sRGB"])
def test_a_png_with_an_srgb_or_a_cicp_chunk_for_srgb_gets_no_profile(chunk: bytes) -> None:
    body = {b"cICP": bytes((1, 13, 0, 1)), b"sRGB": b"\0"}[chunk]
    data = png_with(Image.fromarray(astronaut()), png_chunk(chunk, body), SRGB_GAMMA)
    photo = read(data)
    assert photo.icc_profile is None
    np.testing.assert_array_equal(photo.pixels, astronaut())


def test_cicp_has_priority_over_a_profile_and_a_profile_has_priority_over_gamma() -> None:
    image = Image.fromarray(astronaut(32, 32))
    gamma = png_chunk(b"gAMA", struct.pack(">L", 100_000))
    with_profile = saved(image, "PNG", icc_profile=display_p3())
    at = with_profile.index(b"iCCP") - 4
    photo = read(with_profile[:at] + gamma + with_profile[at:])
    assert photo.icc_profile == display_p3()
    np.testing.assert_array_equal(photo.pixels, astronaut(32, 32))
    photo = read(with_profile[:at] + png_chunk(b"cICP", bytes((1, 13, 0, 1))) + with_profile[at:])
    assert photo.icc_profile is None


@pytest.mark.parametrize("is_deep", [False, True])
def test_a_png_in_linear_light_keeps_its_brightness(*, is_deep: bool) -> None:
    light = to_light(astronaut())
    gamma = png_chunk(b"gAMA", struct.pack(">L", 100_000))
    if is_deep:
        samples = np.rint(light * 65535).astype(">u2").tobytes()
        data = deep_png(samples, (512, 512), gamma)
    else:
        data = png_with(Image.fromarray(np.rint(light * 255).astype(np.uint8)), gamma)
    photo = read(data)
    assert photo.icc_profile is None
    assert difference(photo.pixels, astronaut()).mean() < (0.2 if is_deep else 3)


def test_a_gamma_of_srgb_or_of_0_is_ignored() -> None:
    for chunk in (SRGB_GAMMA, png_chunk(b"gAMA", bytes(4))):
        photo = read(png_with(Image.fromarray(astronaut(20, 20)), chunk))
        assert photo.icc_profile is None
        np.testing.assert_array_equal(photo.pixels, astronaut(20, 20))


@pytest.mark.parametrize("body", [bytes(32), struct.pack(">8L", *[33333] * 8), b"\xff" * 32])
def test_impossible_chromaticities_are_ignored(body: bytes) -> None:
    chunks = (SRGB_GAMMA, png_chunk(b"cHRM", body))
    assert read(png_with(Image.fromarray(astronaut(20, 20)), *chunks)).icc_profile is None


@pytest.mark.parametrize("file_format", ["PNG", "AVIF", "HEIF"])
@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_without_highlights_is_close_to_its_sdr_rendition(
    file_format: str, transfer: int
) -> None:
    photo = read(hdr_file(hdr(astronaut(256, 256), transfer), file_format, transfer))
    shown = in_srgb(photo.pixels, photo.icc_profile)
    assert difference(shown, astronaut(256, 256)).mean() < 3


@pytest.mark.parametrize("transfer", [16, 18])
def test_highlights_are_compressed_and_the_rest_of_the_photo_changes_little(transfer: int) -> None:
    image = sample_photo("coffee")[:256, :256]
    brighter = np.ones((256, 256, 1))
    brighter[:64, :64] = 4
    photo = read(hdr_file(hdr(image, transfer, brighter), "PNG", transfer))
    shown = in_srgb(photo.pixels, photo.icc_profile)
    lamp, rest = shown[:64, :64], shown[64:, 64:]
    assert difference(rest, image[64:, 64:]).mean() < 12
    assert lamp.mean() > image[:64, :64].mean() + 10
    assert np.unique(lamp[..., 0]).size > 40  # the bright square is not clipped to a few levels


def test_pq_with_8_bits_is_tone_mapped() -> None:
    samples = np.rint(255 * hdr(astronaut(64, 64), 16)).astype(np.uint8)
    pixels, profile = to_8bit(samples, from_cicp(9, 16))
    assert difference(in_srgb(pixels, profile), astronaut(64, 64)).mean() < 4


def test_pq_and_its_inverse_match_the_standard() -> None:
    np.testing.assert_allclose(
        nits_to_pq(np.array([0.0, 100, 203, 1000, 10_000])),
        [0, 0.5081, 0.5807, 0.7518, 1],
        atol=1e-4,
    )
    np.testing.assert_allclose(
        pq_to_nits(nits_to_pq(LIGHT * 10_000)), LIGHT * 10_000, rtol=1e-6, atol=1e-6
    )


def test_highlight_compression_is_monotonic_keeps_shadows_and_maps_the_peak_to_white() -> None:
    nits = np.linspace(0, 1000, 2001)
    rolled = roll_off(nits, 1000)
    np.testing.assert_allclose(rolled[nits < 60], nits[nits < 60], rtol=1e-6)
    assert (np.diff(rolled) > 0).all()
    assert rolled[-1] == pytest.approx(WHITE_NITS)
    np.testing.assert_allclose(roll_off(nits[:300], 150), nits[:300])


def test_an_hdr_image_with_srgb_primaries_needs_no_profile() -> None:
    pixels, profile = to_8bit(np.full((4, 4, 3), 148, np.uint8), from_cicp(1, 16))
    assert profile is None
    assert pixels.min() > 240


def test_profiles_are_smaller_than_a_kilobyte_and_are_cached() -> None:
    one, other = (from_cicp(12, 13) for _ in range(2))
    samples = np.zeros((1, 1, 3), np.uint8)
    assert to_8bit(samples, one)[1] is to_8bit(samples, other)[1]
    assert len(to_8bit(samples, one)[1] or b"") < 1000
