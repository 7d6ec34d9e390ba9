"""The layout of a TIFF's samples: depth, channels, compression (TIFF 6.0)."""

from __future__ import annotations

from typing import NamedTuple

from blur.imaging.decode import tiff_directory as tags
from blur.imaging.decode.tiff_directory import Directory, number, numbers
from blur.imaging.decode.unsupported import unsupported_error

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, CMYK, LAB = 0, 1, 2, 5, 8
COLOUR_CHANNELS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, CMYK: 4, LAB: 3}
"""The number of colour channels by photometric interpretation."""
LOSSLESS = {1, 5, 8, 32946, 32773, 50000, 34925}
"""The lossless compressions: none, LZW, Deflate (two numbers), PackBits, Zstandard and LZMA."""
UNSIGNED, FLOAT = 1, 3
"""The formats of samples, as numbers in the tag SampleFormat."""
BYTE_BITS, LONG_BITS = 8, 32
PREMULTIPLIED, STRAIGHT = 1, 2
"""The kinds of alpha, as numbers in the tag ExtraSamples."""
_SEPARATE_PLANES = 2
_COLOUR_SPACES = {
    0: "grey",
    1: "grey",
    2: "RGB",
    3: "palette",
    5: "CMYK",
    6: "YCbCr",
    8: "Lab",
    9: "ICC Lab",
    10: "ITU Lab",
    32844: "LogL",
    32845: "LogLuv",
}
_SAMPLE_FORMATS = {2: "signed {bits}-bit", 3: "floating-point", 5: "complex", 6: "complex"}


class TiffLayout(NamedTuple):
    """How a page stores its samples."""

    bits: int
    """The number of bits of each sample."""
    samples: int
    """The number of samples of each pixel, for colour and extra channels."""
    format: int
    photometric: int
    compression: int
    predictor: int
    is_planar: bool
    extras: tuple[int, ...]
    """The kinds of the extra channels."""

    @classmethod
    def of(cls, directory: Directory) -> TiffLayout | None:
        """Return the layout of a page; None if tags that describe the layout are truncated.

        Raises:
            InvalidImageError: the samples have different depths or formats.

        """
        samples = number(directory, tags.SAMPLES, 1)
        bits = numbers(directory, tags.BITS)[:samples] or (1,)
        formats = numbers(directory, tags.SAMPLE_FORMAT) or (UNSIGNED,)
        if len(set(bits)) > 1 or len(set(formats)) > 1:
            kind = "A TIFF with samples of different depths or formats"
            raise unsupported_error(kind)
        required = (tags.BITS, tags.SAMPLE_FORMAT, tags.EXTRA_SAMPLES)
        if any(tag in directory and not directory[tag] for tag in required):
            return None
        return cls(
            bits[0],
            samples,
            formats[0],
            number(directory, tags.PHOTOMETRIC),
            number(directory, tags.COMPRESSION, 1),
            number(directory, tags.PREDICTOR, 1),
            number(directory, tags.PLANAR, 1) == _SEPARATE_PLANES,
            numbers(directory, tags.EXTRA_SAMPLES),
        )

    @property
    def can_be_unpacked(self) -> bool:
        """Whether `SamplesSource` can read this layout."""
        channels = COLOUR_CHANNELS.get(self.photometric)
        depths = {UNSIGNED: range(1, 17), FLOAT: (16, 32, 64)}.get(self.format, ())
        return (
            self.compression in LOSSLESS
            and channels is not None
            and self.samples == channels + len(self.extras)
            and (self.bits in depths or (self.format == UNSIGNED and self.bits == LONG_BITS))
            and (self.predictor == 1 or self.bits % BYTE_BITS == 0)
            and (self.photometric != LAB or self.bits in {BYTE_BITS, 2 * BYTE_BITS})
            and (self.photometric in {BLACK_IS_ZERO, RGB} or self.format == UNSIGNED)
        )

    @property
    def has_alpha(self) -> bool:
        """Whether the first extra channel is alpha."""
        return self.extras[:1] in {(PREMULTIPLIED,), (STRAIGHT,)}

    @property
    def name(self) -> str:
        """The description of the layout in error messages, such as `signed 16-bit RGB TIFF`."""
        kind = _SAMPLE_FORMATS.get(self.format, "{bits}-bit").format(bits=self.bits)
        space = _COLOUR_SPACES.get(self.photometric, f"photometric {self.photometric}")
        return f"{kind} {space} TIFF"
