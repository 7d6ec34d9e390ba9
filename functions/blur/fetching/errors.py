"""The errors of a fetch. The messages are for the client and contain no network addresses."""

from __future__ import annotations


class FetchError(Exception):
    """The image cannot be fetched."""


class InvalidUrlError(FetchError):
    """The URL, or the target of a redirect, is malformed or not on the public internet."""


class DownloadError(FetchError):
    """The URL is allowed, but its server does not send an image."""


class DownloadTooLargeError(DownloadError):
    """The file is larger than the limit."""


class NotAnImageError(DownloadError):
    """The file is not in a supported image format."""
