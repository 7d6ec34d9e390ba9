"""Recognise unsupported formats by a file's first bytes, so that the error can name the format."""

from __future__ import annotations

from blur.errors import InvalidImageError

_VIDEO, _RAW = "A video", "A camera raw file"
_SIGNATURES: tuple[tuple[bytes, int, str], ...] = (
    (b"%PDF-", 0, "A PDF"),
    (b"%!PS", 0, "A PostScript file"),
    (b"\xc5\xd0\xd3\xc6", 0, "An EPS file"),
    (b"8BPS", 0, "A Photoshop file (PSD)"),
    (b"gimp xcf", 0, "A GIMP file (XCF)"),
    (b"\xff\x0a", 0, "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", 0, "JPEG XL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", 0, "JPEG 2000"),
    (b"\xff\x4f\xff\x51", 0, "JPEG 2000"),
    (b"II\xbc\x01", 0, "JPEG XR"),
    (b"FUJIFILMCCD-RAW", 0, _RAW),
    (b"IIRO", 0, _RAW),
    (b"IIRS", 0, _RAW),
    (b"MMOR", 0, _RAW),
    (b"IIU\0", 0, _RAW),
    (b"FOVb", 0, _RAW),
    (b"\0MRM", 0, _RAW),
    (b"ftypcrx ", 4, _RAW),
    (b"AVI ", 8, _VIDEO),
    (b"\x1aE\xdf\xa3", 0, _VIDEO),
    (b"FLV\1", 0, _VIDEO),
    (b"\0\0\1\xba", 0, _VIDEO),
    (b"\0\0\1\xb3", 0, _VIDEO),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", 0, _VIDEO),
    (b"ftypqt  ", 4, _VIDEO),
    (b"ftypisom", 4, _VIDEO),
    (b"ftypiso", 4, _VIDEO),
    (b"ftypdash", 4, _VIDEO),
    (b"ftypmp4", 4, _VIDEO),
    (b"ftypavc1", 4, _VIDEO),
    (b"ftypM4V", 4, _VIDEO),
    (b"ftyp3g", 4, _VIDEO),
    (b"ftypMSNV", 4, _VIDEO),
    (b"moov", 4, _VIDEO),
    (b"ftypmif1", 4, "A HEIF file without HEVC or AV1"),
    (b"v/1\1", 0, "OpenEXR"),
    (b"#?RADIANCE", 0, "Radiance HDR"),
    (b"\0\0\1\0", 0, "An icon (ICO)"),
    (b"DDS ", 0, "A DirectDraw surface (DDS)"),
    (b"qoif", 0, "QOI"),
    (b"DICM", 128, "DICOM"),
    (b"PK\3\4", 0, "A ZIP archive"),
)
"""The bytes that identify a format, their position in the file, and the name of the format."""
_HTML = (b"<!doctype html", b"<html")
_SVG_BYTES = 1024
"""The `svg` element is searched for in this many bytes at the start of the file: an XML declaration
and comments can precede the element."""


def detect_unsupported(data: bytes) -> str | None:
    """Return the name of the unsupported format, or None if the format is unknown."""
    for signature, offset, name in _SIGNATURES:
        if data.startswith(signature, offset):
            return name
    head = data[:_SVG_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.lower().startswith(_HTML):
        return "An HTML page"
    return "An SVG" if head.startswith(b"<") and b"<svg" in head else None


def unsupported_error(kind: str, instead: str = "8-bit RGB") -> InvalidImageError:
    """Return the error for an unsupported kind of a supported format."""
    return InvalidImageError(f"{kind} is not supported; save it as {instead}.")


def camera_raw_error() -> InvalidImageError:
    """Return the error for a camera raw file."""
    return InvalidImageError(f"{_RAW} is not supported; develop it and save it as JPEG or TIFF.")
