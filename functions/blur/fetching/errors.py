"""The errors of requests to clients' URLs. The messages contain no network addresses."""

from __future__ import annotations


class FetchError(Exception):
    """The request to the URL failed."""


class InvalidUrlError(FetchError):
    """The URL, or the target of a redirect, is malformed or not on the public internet."""


class DownloadError(FetchError):
    """The URL is allowed, but the server cannot be reached, is too slow, or sends no image."""


class DownloadTooLargeError(DownloadError):
    """The file is larger than the limit."""


class NotAnImageError(DownloadError):
    """The file is not in a supported image format."""
