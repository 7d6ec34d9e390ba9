"""Unpack a TIFF's strips and tiles to samples, block by block.

libtiff decompresses each block: it gets a grey TIFF whose pixels are the bytes of the block. This
module then undoes the predictor and unpacks the bits (TIFF 6.0, sections 8, 14 and 15, and Adobe's
TIFF Technical Note 3 on predictor 3).
"""

from __future__ import annotations

import struct
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL.TiffImagePlugin import TiffImageFile

from blur.errors import InvalidImageError
from blur.imaging.decode import tiff_directory as tags
from blur.imaging.decode.tiff_directory import Directory, number
from blur.imaging.decode.tiff_layout import BLACK_IS_ZERO, BYTE_BITS, FLOAT, TiffLayout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_HORIZONTAL_PREDICTOR, _FLOAT_PREDICTOR = 2, 3
_MAX_STRIP_BYTES = 160_000_000
"""The maximum size of a strip or tile in bytes. Pillow reads it as a grey image with a pixel for
each byte, and Pillow rejects images of more than 178 million pixels."""
_BLOCK_BITS = 1 << 26
"""The approximate size of a block in bits; a block has at least one strip or row of tiles."""


class _Block(NamedTuple):
    """Strips, or rows of tiles, that are unpacked together. Here, a cell is a strip or a tile."""

    top: int
    rows: int
    first_cell: int
    cells: int
    plane_cells: int
    """The number of cells in one plane of the image, not only in this block."""
    cells_across: int
    cell_width: int
    cell_height: int
    is_tiled: bool


def check_strips(directory: Directory, layout: TiffLayout) -> None:
    """Reject an image with strips or tiles that are too large to be unpacked as a whole.

    Raises:
        InvalidImageError: a strip or tile is too large.

    """
    is_tiled = tags.TILE_OFFSETS in directory
    width = number(directory, tags.TILE_WIDTH if is_tiled else tags.WIDTH)
    height = number(directory, tags.HEIGHT)
    rows = number(directory, tags.TILE_HEIGHT if is_tiled else tags.ROWS_PER_STRIP, height)
    samples = 1 if layout.is_planar else layout.samples
    cell_bytes = width * samples * layout.bits // 8 * (rows if is_tiled else min(rows, height))
    if cell_bytes > _MAX_STRIP_BYTES:
        message = "The strips or tiles of the TIFF image are too large. Save it with smaller ones."
        raise InvalidImageError(message)


def unpack_blocks(
    data: bytes, order: str, directory: Directory, layout: TiffLayout, channels: int
) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Yield the rows of each block and their first `channels` samples, (h, W, channels)."""
    width, height = number(directory, tags.WIDTH), number(directory, tags.HEIGHT)
    planes = range(channels if layout.is_planar else 1)
    samples = 1 if layout.is_planar else layout.samples
    for block in _blocks(directory, samples * layout.bits):
        parts = []
        for plane in planes:
            raw = _decompress(data, directory, layout, block, plane)
            parts.append(_unpack(raw, block, samples, layout, order))
        rows = slice(block.top, min(block.top + block.rows, height))
        joined = np.concatenate(parts, axis=2)
        yield rows, joined[: rows.stop - rows.start, :width, :channels]


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
        cell_rows = min(step, down - row)
        rows = cell_rows * cell_height
        yield _Block(
            row * cell_height,
            rows if is_tiled else min(rows, height - row * cell_height),
            row * across,
            cell_rows * across,
            across * down,
            across,
            cell_width,
            cell_height,
            is_tiled,
        )


def _decompress(
    data: bytes, directory: Directory, layout: TiffLayout, block: _Block, plane: int
) -> NDArray[np.uint8]:
    """Return the bytes of a block, decompressed by libtiff: (h, bytes)."""
    first = block.first_cell + plane * block.plane_cells
    cells = range(first, first + block.cells)
    samples = 1 if layout.is_planar else layout.samples
    row_bytes = (block.cell_width * samples * layout.bits + 7) // 8
    image = TiffImageFile(BytesIO(_as_grey_tiff(data, directory, block, cells, row_bytes)))
    image.load()
    return np.asarray(image)


def _as_grey_tiff(
    data: bytes, directory: Directory, block: _Block, cells: range, row_bytes: int
) -> bytes:
    """Return a grey TIFF whose pixels are the bytes of some strips or tiles."""
    offsets_tag, bytes_tag = (
        (tags.TILE_OFFSETS, tags.TILE_BYTES)
        if block.is_tiled
        else (tags.STRIP_OFFSETS, tags.STRIP_BYTES)
    )
    offsets, lengths = directory[offsets_tag], directory[bytes_tag]
    contents = [data[offsets[cell] : offsets[cell] + lengths[cell]] for cell in cells]
    new_offsets, position = [], 8
    for content in contents:
        new_offsets.append(position)
        position += len(content)
    body = b"".join(contents)
    entries: dict[int, tuple[int, ...]] = {
        tags.WIDTH: (row_bytes * block.cells_across,),
        tags.HEIGHT: (block.rows,),
        tags.BITS: (8,),
        tags.COMPRESSION: (number(directory, tags.COMPRESSION, 1),),
        tags.PHOTOMETRIC: (BLACK_IS_ZERO,),
        tags.SAMPLES: (1,),
        offsets_tag: tuple(new_offsets),
        bytes_tag: tuple(map(len, contents)),
    }
    if block.is_tiled:
        entries |= {tags.TILE_WIDTH: (row_bytes,), tags.TILE_HEIGHT: (block.cell_height,)}
    else:
        entries[tags.ROWS_PER_STRIP] = (block.cell_height,)
    end = 8 + len(body)
    return b"II*\0" + struct.pack("<L", end) + body + tags.pack_directory("<", entries, end)


def _unpack(
    raw: NDArray[np.uint8], block: _Block, samples: int, layout: TiffLayout, order: str
) -> NDArray[Any]:
    """Convert the bytes of a block, (h, bytes), to samples, (h, W, samples); undo the predictor."""
    rows, count = raw.shape[0], block.cell_width * samples
    cells = raw.reshape(rows * block.cells_across, -1)
    is_predicted = layout.compression != 1
    if layout.predictor == _FLOAT_PREDICTOR and is_predicted:
        size = layout.bits // 8
        differences = cells.reshape(len(cells), -1, samples)
        planes = np.add.accumulate(differences, axis=1, dtype=np.uint8)
        planes = planes.reshape(len(cells), size, count)
        values: NDArray[Any] = np.ascontiguousarray(planes.transpose(0, 2, 1)).view(f">f{size}")
    else:
        values = _unpack_bits(cells, count, layout, order)
        if layout.predictor == _HORIZONTAL_PREDICTOR and is_predicted:
            pixels = values.reshape(len(cells), block.cell_width, samples)
            values = np.add.accumulate(pixels, axis=1, dtype=values.dtype.newbyteorder("="))
    return values.reshape(rows, block.cells_across * block.cell_width, samples)


def _unpack_bits(
    cells: NDArray[np.uint8], count: int, layout: TiffLayout, order: str
) -> NDArray[Any]:
    """Return the first `count` samples of each row; `cells` has the rows as bytes."""
    if layout.bits % BYTE_BITS == 0:
        kind = "f" if layout.format == FLOAT else "u"
        return np.ascontiguousarray(cells).view(f"{order}{kind}{layout.bits // 8}")
    first_bits = np.arange(count, dtype=np.uint32) * layout.bits
    byte, shift = first_bits >> 3, 24 - (first_bits & 7) - layout.bits
    padded = np.pad(cells, ((0, 0), (0, 2))).astype(np.uint32)
    three_bytes = padded[:, byte] << 16 | padded[:, byte + 1] << 8 | padded[:, byte + 2]
    return np.asarray(three_bytes >> shift & ((1 << layout.bits) - 1), np.uint16)
