"""Kinds of TIFF samples that Pillow does not read, or reads wrongly, unpacked.

libtiff undoes the compression, as if the bytes of the samples were a grey picture; the prediction
and the packing are undone here (TIFF 6.0, sections 8, 14 and 15, and Adobe's note on predictor 3).
"""

from __future__ import annotations

import struct
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from blur.errors import InvalidImageError
from blur.imaging.arrays import OPAQUE
from blur.imaging.decode import tiff_directory as tags
from blur.imaging.decode.rgb import find_scale, to_rgb
from blur.imaging.decode.source import Source
from blur.imaging.decode.tiff_directory import Directory, number, numbers
from blur.imaging.decode.unsupported import unsupported_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from blur.imaging.arrays import AlphaU8, RgbU8

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _CMYK, _LAB = 0, 1, 2, 5, 8
_CHANNELS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _CMYK: 4, _LAB: 3}
_SPACES = {
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
LOSSLESS = {1, 5, 8, 32946, 32773, 50000, 34925}
"""None, LZW, Deflate (two numbers), PackBits, Zstandard and LZMA."""
UNSIGNED, FLOAT = 1, 3
_KINDS = {2: "signed {bits}-bit", 3: "floating-point", 5: "complex", 6: "complex"}
_MIXED = "A TIFF with samples of different depths"
_SEPARATE = 2
_BYTE_BITS, _LONG_BITS = 8, 32
_MAX_SHORT = 0xFFFF
_HORIZONTAL, _FLOATING = 2, 3
_PREMULTIPLIED, _STRAIGHT = 1, 2
_MAX_STRIP_BYTES = 160_000_000
"""Of a strip as a picture of bytes, of which Pillow takes up to 178 million."""
_MOST = float(np.finfo(np.float32).max) / 2
"""What infinity counts as, so that the range from one to the other is finite."""
_BLOCK_BITS = 1 << 26
"""About how much of a plane is unpacked at once."""


class Layout(NamedTuple):
    """How samples are stored."""

    bits: int
    samples: int
    format: int
    photometric: int
    compression: int
    predictor: int
    is_planar: bool
    extras: tuple[int, ...]

    @classmethod
    def of(cls, directory: Directory) -> Layout | None:
        """Return a page's layout; None where the tags that describe it are cut off.

        Raises:
            InvalidImageError: its samples have different depths.

        """
        samples = number(directory, tags.SAMPLES, 1)
        bits = numbers(directory, tags.BITS)[:samples] or (1,)
        formats = numbers(directory, tags.SAMPLE_FORMAT) or (UNSIGNED,)
        if len(set(bits)) > 1 or len(set(formats)) > 1:
            raise unsupported_error(_MIXED)
        described = (tags.BITS, tags.SAMPLE_FORMAT, tags.EXTRA_SAMPLES)
        if any(tag in directory and not directory[tag] for tag in described):
            return None
        return cls(
            bits[0],
            samples,
            formats[0],
            number(directory, tags.PHOTOMETRIC),
            number(directory, tags.COMPRESSION, 1),
            number(directory, tags.PREDICTOR, 1),
            number(directory, tags.PLANAR, 1) == _SEPARATE,
            numbers(directory, tags.EXTRA_SAMPLES),
        )

    @property
    def is_unpacked(self) -> bool:
        """Whether the samples can be unpacked here."""
        channels = _CHANNELS.get(self.photometric)
        depths = {UNSIGNED: range(1, 17), FLOAT: (16, 32, 64)}.get(self.format, ())
        return (
            self.compression in LOSSLESS
            and channels is not None
            and self.samples == channels + len(self.extras)
            and (self.bits in depths or (self.format == UNSIGNED and self.bits == _LONG_BITS))
            and (self.predictor == 1 or self.bits % _BYTE_BITS == 0)
            and (self.photometric != _LAB or self.bits in {_BYTE_BITS, 2 * _BYTE_BITS})
            and (self.photometric in {_BLACK_IS_ZERO, _RGB} or self.format == UNSIGNED)
        )

    @property
    def name(self) -> str:
        """What an error calls it."""
        kind = _KINDS.get(self.format, "{bits}-bit").format(bits=self.bits)
        space = _SPACES.get(self.photometric, f"photometric {self.photometric}")
        return f"{kind} {space} TIFF"


class SamplesSource(Source):
    """A TIFF whose samples are unpacked here."""

    def __init__(self, data: bytes, order: str, directory: Directory, layout: Layout) -> None:
        """Take the page's directory.

        Raises:
            InvalidImageError: its strips are too large to be unpacked one by one.

        """
        _check_strips(directory, layout)
        self._data, self._order, self._directory, self._layout = data, order, directory, layout
        self._width, self._height = number(directory, tags.WIDTH), number(directory, tags.HEIGHT)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as stored."""
        return self._width, self._height

    @property
    def orientation(self) -> int:
        """Return the page's own tag."""
        return number(self._directory, tags.ORIENTATION, 1)

    def read(self) -> tuple[RgbU8, AlphaU8 | None, bytes | None]:
        """Decode."""
        layout = self._layout
        channels = _CHANNELS[layout.photometric]
        has_alpha = layout.extras[:1] in {(_PREMULTIPLIED,), (_STRAIGHT,)}
        wanted = channels + has_alpha
        samples = np.empty((self._height, self._width, wanted), np.uint8)
        scale = self._float_scale(wanted, channels) if layout.format == FLOAT else None
        full = self._full_scale(wanted)
        for rows, raw in self._unpacked(wanted):
            if scale is None:
                samples[rows] = _to_bytes(raw, layout, full)
            else:
                samples[rows, :, :channels] = _from_float(raw[..., :channels], *scale)
                samples[rows, :, channels:] = _from_float(raw[..., channels:], 0, 1)
        colours = samples[..., :channels]
        alpha = np.ascontiguousarray(samples[..., channels]) if has_alpha else None
        if layout.photometric == _WHITE_IS_ZERO:
            colours = OPAQUE - colours
        pixels, _, profile = to_rgb(self._image(colours))
        if alpha is not None and layout.extras[0] == _PREMULTIPLIED:
            premultiplied = Image.fromarray(np.dstack((pixels, alpha)), "RGBa")
            pixels = np.array(premultiplied.convert("RGBA"))[..., :3].copy()
        return pixels, alpha, profile

    def _float_scale(self, wanted: int, channels: int) -> tuple[float, float]:
        """Return black and white of floating-point colours, which no tag names."""
        least = greatest = 0.0
        for _, raw in self._unpacked(wanted):
            with np.errstate(over="ignore"):
                colours = raw[..., :channels].astype(np.float32)
            least = min(least, float(np.fmin.reduce(colours, axis=None, initial=0)))
            greatest = max(greatest, float(np.fmax.reduce(colours, axis=None, initial=0)))
        return find_scale(max(least, -_MOST), min(greatest, _MOST), is_float=True)

    def _full_scale(self, wanted: int) -> int:
        """Return the largest whole number: of 32 bits, writers often fill only 8 or 16."""
        full = (1 << self._layout.bits) - 1
        if self._layout.format == FLOAT or self._layout.bits != _LONG_BITS:
            return full
        greatest = max(int(raw.max(initial=0)) for _, raw in self._unpacked(wanted))
        return next(scale for scale in (OPAQUE, _MAX_SHORT, full) if greatest <= scale)

    def _image(self, colours: NDArray[np.uint8]) -> Image.Image:
        mode = {1: "L", 3: "RGB", 4: "CMYK"}[colours.shape[2]]
        mode = "LAB" if self._layout.photometric == _LAB else mode
        array = np.ascontiguousarray(colours[..., 0] if mode == "L" else colours)
        image = Image.frombuffer(mode, self.size, array, "raw", mode, 0, 1)
        profile = self._directory.get(tags.ICC_PROFILE)
        if profile:
            image.info["icc_profile"] = bytes(profile)
        return image

    def _unpacked(self, wanted: int) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Yield some rows at a time and their samples (h, W, wanted)."""
        layout = self._layout
        planes = range(wanted if layout.is_planar else 1)
        each = 1 if layout.is_planar else layout.samples
        for block in _blocks(self._directory, each * layout.bits):
            parts = [
                _samples(self._raw(block, plane, each), block, each, layout, self._order)
                for plane in planes
            ]
            rows = slice(block.top, min(block.top + block.rows, self._height))
            joined = np.concatenate(parts, axis=2)
            yield rows, joined[: rows.stop - rows.start, : self._width, :wanted]

    def _raw(self, block: _Block, plane: int, each: int) -> NDArray[np.uint8]:
        """Return the bytes of some rows, whose compression libtiff has undone: (h, bytes)."""
        layout = self._layout
        cells = range(*(block.first + plane * block.plane + at for at in (0, block.cells)))
        row_bytes = (block.cell_width * each * layout.bits + 7) // 8
        file = _as_bytes(self._data, self._directory, block, cells, row_bytes)
        image = TiffImageFile(BytesIO(file))
        image.load()
        return np.asarray(image)


class _Block(NamedTuple):
    """Strips, or rows of tiles, that are decoded together."""

    top: int
    rows: int
    first: int
    cells: int
    """Strips or tiles of it."""
    plane: int
    """Strips or tiles of a whole plane."""
    across: int
    cell_width: int
    cell_height: int
    is_tiled: bool


def _check_strips(directory: Directory, layout: Layout) -> None:
    """Refuse a strip or tile that is too large to be unpacked: it cannot be taken in pieces."""
    is_tiled = tags.TILE_OFFSETS in directory
    width = number(directory, tags.TILE_WIDTH if is_tiled else tags.WIDTH)
    height = number(directory, tags.HEIGHT)
    rows = number(directory, tags.TILE_HEIGHT if is_tiled else tags.ROWS_PER_STRIP, height)
    each = 1 if layout.is_planar else layout.samples
    stored_bytes = width * each * layout.bits // 8 * (rows if is_tiled else min(rows, height))
    if stored_bytes > _MAX_STRIP_BYTES:
        message = "The TIFF image has strips that are too large; save it with smaller ones."
        raise InvalidImageError(message)


def _blocks(directory: Directory, pixel_bits: int) -> Iterator[_Block]:
    width, height = number(directory, tags.WIDTH), number(directory, tags.HEIGHT)
    is_tiled = tags.TILE_OFFSETS in directory
    cell_width = number(directory, tags.TILE_WIDTH) if is_tiled else width
    cell_height = (
        number(directory, tags.TILE_HEIGHT)
        if is_tiled
        else number(directory, tags.ROWS_PER_STRIP, height)
    )
    cell_height = cell_height if is_tiled else min(cell_height, height)
    across, down = -(-width // cell_width), -(-height // cell_height)
    step = max(1, _BLOCK_BITS // (across * cell_width * cell_height * pixel_bits))
    for row in range(0, down, step):
        some = min(step, down - row)
        yield _Block(
            row * cell_height,
            some * cell_height if is_tiled else min(some * cell_height, height - row * cell_height),
            row * across,
            some * across,
            across * down,
            across,
            cell_width,
            cell_height,
            is_tiled,
        )


def _as_bytes(
    data: bytes, directory: Directory, block: _Block, cells: range, row_bytes: int
) -> bytes:
    """Return a TIFF in which the bytes of some strips or tiles are a grey picture."""
    offsets_tag, bytes_tag = (
        (tags.TILE_OFFSETS, tags.TILE_BYTES)
        if block.is_tiled
        else (tags.STRIP_OFFSETS, tags.STRIP_BYTES)
    )
    offsets, lengths = directory[offsets_tag], directory[bytes_tag]
    stored = [data[offsets[cell] : offsets[cell] + lengths[cell]] for cell in cells]
    places, at = [], 8
    for one in stored:
        places.append(at)
        at += len(one)
    body = b"".join(stored)
    entries: dict[int, tuple[int, ...]] = {
        tags.WIDTH: (row_bytes * block.across,),
        tags.HEIGHT: (block.rows,),
        tags.BITS: (8,),
        tags.COMPRESSION: (number(directory, tags.COMPRESSION, 1),),
        tags.PHOTOMETRIC: (_BLACK_IS_ZERO,),
        tags.SAMPLES: (1,),
        offsets_tag: tuple(places),
        bytes_tag: tuple(map(len, stored)),
    }
    if block.is_tiled:
        entries |= {tags.TILE_WIDTH: (row_bytes,), tags.TILE_HEIGHT: (block.cell_height,)}
    else:
        entries[tags.ROWS_PER_STRIP] = (block.cell_height,)
    return (
        b"II*\0"
        + struct.pack("<L", 8 + len(body))
        + body
        + tags.pack_directory("<", entries, 8 + len(body))
    )


def _samples(
    raw: NDArray[np.uint8], block: _Block, each: int, layout: Layout, order: str
) -> NDArray[Any]:
    """Return bytes (h, bytes) as samples (h, W, each), whose prediction is undone."""
    rows, count = raw.shape[0], block.cell_width * each
    cells = raw.reshape(rows * block.across, -1)
    if layout.predictor == _FLOATING and layout.compression != 1:
        size = layout.bits // 8
        steps = cells.reshape(len(cells), -1, each)
        planes = np.add.accumulate(steps, axis=1, dtype=np.uint8).reshape(len(cells), size, count)
        values: NDArray[Any] = np.ascontiguousarray(planes.transpose(0, 2, 1)).view(f">f{size}")
    else:
        values = _words(cells, count, layout, order)
        if layout.predictor == _HORIZONTAL and layout.compression != 1:
            pixels = values.reshape(len(cells), block.cell_width, each)
            values = np.add.accumulate(pixels, axis=1, dtype=values.dtype.newbyteorder("="))
    return values.reshape(rows, block.across * block.cell_width, each)


def _words(cells: NDArray[np.uint8], count: int, layout: Layout, order: str) -> NDArray[Any]:
    """Return `count` numbers of each row of bytes."""
    if layout.bits % _BYTE_BITS == 0:
        kind = "f" if layout.format == FLOAT else "u"
        return np.ascontiguousarray(cells).view(f"{order}{kind}{layout.bits // 8}")
    first = np.arange(count, dtype=np.uint32) * layout.bits
    byte, shift = first >> 3, 24 - (first & 7) - layout.bits
    padded = np.pad(cells, ((0, 0), (0, 2))).astype(np.uint32)
    three = padded[:, byte] << 16 | padded[:, byte + 1] << 8 | padded[:, byte + 2]
    return np.asarray(three >> shift & ((1 << layout.bits) - 1), np.uint16)


def _from_float(samples: NDArray[Any], black: float, white: float) -> NDArray[np.uint8]:
    """Return floating-point samples as 0..255; NaN is black."""
    with np.errstate(over="ignore"):
        scaled = samples.astype(np.float32)
        scaled -= np.float32(black)
        scaled *= np.float32(OPAQUE / white)
    scaled += np.float32(0.5)
    np.fmax(scaled, 0, out=scaled)  # which takes the number where the other is none
    return np.asarray(np.minimum(scaled, OPAQUE, out=scaled), np.uint8)


def _to_bytes(samples: NDArray[Any], layout: Layout, full: int) -> NDArray[np.uint8]:
    """Return whole numbers as 0..255; Lab has its a and b signed (TIFF 6.0, section 23)."""
    scaled: NDArray[np.uint8] = np.rint(samples * np.float32(OPAQUE / full)).astype(np.uint8)
    if layout.photometric == _LAB:
        signed = samples[..., 1:3].astype(np.int32)
        signed = np.where(signed > full // 2, signed - full - 1, signed)
        scaled[..., 1:3] = (
            np.clip(np.rint(signed * 128 / (full // 2 + 1)), -128, 127)
            .astype(np.int8)
            .view(np.uint8)
        )
    return scaled
