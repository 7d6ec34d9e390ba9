"""Write a ZIP archive from which a client builds a cutout: colours as JPEG, alpha as PNG.

Together, the two files are several times smaller than one PNG with alpha.
"""

from __future__ import annotations

from io import BytesIO
from zipfile import ZIP_STORED, ZipFile, ZipInfo

COLOUR_NAME, ALPHA_NAME = "color.jpg", "alpha.png"
CONTENT_TYPE = "application/zip"
FIRST_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest time that the format can store (APPNOTE 6.3.10, 4.4.6). Because this time is
constant, two archives with the same files have the same bytes."""
UNIX = 3
"""The code for file attributes of Unix (4.4.2). Python's default depends on the operating
system."""
READABLE = 0o644 << 16
"""The permissions of each file in the archive: all users can read it."""


def write_zip(colour_jpeg: bytes, alpha_png: bytes) -> bytes:
    """Return a ZIP archive with both files, which are stored without further compression."""
    file = BytesIO()
    with ZipFile(file, "w", ZIP_STORED) as archive:
        for name, data in ((COLOUR_NAME, colour_jpeg), (ALPHA_NAME, alpha_png)):
            entry = ZipInfo(name, FIRST_DATE)
            entry.create_system, entry.external_attr = UNIX, READABLE
            archive.writestr(entry, data)
    return file.getvalue()
