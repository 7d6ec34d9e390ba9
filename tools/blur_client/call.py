"""One blur call: its attempts, and an upload if the photo is too large for a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from requests_toolbelt import MultipartEncoder

from blur_client.errors import ImageTooLargeError, NotFoundError
from blur_client.form import photo_form
from blur_client.responses import (
    is_image,
    json_object,
    parse_blur_result,
    parse_document,
    parse_error,
    redirect_target,
)
from blur_client.urls import absolute_url

if TYPE_CHECKING:
    from requests import Response

    from blur_client.form import OnUpload
    from blur_client.responses import BlurResult
    from blur_client.source import Photo
    from blur_client.transport import Form, Transport

BLUR_PATH = "v2/rembg/blur/"
UPLOADS_PATH = "v2/uploads"
PRESIGNED_FORM_KEYS = {"upload_id", "url", "fields"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BlurRequest:
    """A photo, its form fields, and the caller's progress callback."""

    photo: Photo
    fields: Mapping[str, str]
    idempotency_key: str
    on_upload: OnUpload | None = None


class BlurCall:
    """The attempts of one request; the id of a finished upload is kept for the next attempt."""

    def __init__(
        self, transport: Transport, url: str, request: BlurRequest, *, by_upload: bool
    ) -> None:
        """Prepare a call; with `by_upload`, the photo is sent as an upload, not in the request."""
        self._transport = transport
        self._url = url
        self._request = request
        self._can_upload = request.photo.content_type is not None
        self._by_upload = by_upload and self._can_upload
        self._upload_id: str | None = None

    def attempt(self) -> BlurResult:
        """Send the request; if it is too large, upload the photo and send the upload's id.

        Raises:
            BlurClientError: the attempt failed; `retry_policy.is_retryable` decides on a retry.

        """
        if self._by_upload and self._upload_id is None:
            self._upload()
        try:
            return self._blur()
        except ImageTooLargeError as error:
            is_upload_suggested = UPLOADS_PATH in error.message
            if self._by_upload or not (is_upload_suggested and self._can_upload):
                raise
        self._by_upload = True
        return self.attempt()

    def _blur(self) -> BlurResult:
        response = self._send_photo() if self._upload_id is None else self._send_upload_id()
        if link := redirect_target(response):
            return parse_blur_result(response, self._fetch_result(link))
        if not is_image(response):
            raise parse_error(response)
        return parse_blur_result(response, response)

    def _send_photo(self) -> Response:
        request = self._request
        with photo_form(request.fields, "image", request.photo, request.on_upload) as form:
            return self._post(form)

    def _send_upload_id(self) -> Response:
        form = MultipartEncoder({**self._request.fields, "upload_id": self._upload_id})
        return self._post(form)

    def _post(self, form: Form) -> Response:
        headers = {"Idempotency-Key": self._request.idempotency_key}
        return self._transport.send_to_api(
            "POST", self._endpoint(BLUR_PATH), form=form, headers=headers
        )

    def _fetch_result(self, link: str) -> Response:
        """Get the image from the link in a 303 response."""
        image = self._transport.send_without_key("GET", link)
        if not is_image(image):
            raise parse_error(image)
        return image

    def _upload(self) -> None:
        """Upload the photo if the API has a route for uploads.

        Otherwise the request contains the photo.
        """
        photo = self._request.photo
        declared = {"content_type": photo.content_type, "bytes": photo.size_bytes}
        response = self._transport.send_to_api("POST", self._endpoint(UPLOADS_PATH), json=declared)
        keys = json_object(response).keys()
        if response.status_code == HTTPStatus.CREATED and keys >= PRESIGNED_FORM_KEYS:
            url, fields, upload_id = parse_document(
                response, lambda document: _parse_presigned(document, response.url)
            )
            self._send_to_storage(url, fields)
            self._upload_id = upload_id
            return
        error = parse_error(response)
        if not isinstance(error, NotFoundError):
            raise error
        self._by_upload = self._can_upload = False

    def _send_to_storage(self, url: str, fields: Mapping[str, str]) -> None:
        request = self._request
        with photo_form(fields, "file", request.photo, request.on_upload) as form:
            response = self._transport.send_without_key("POST", url, form=form)
        if not HTTPStatus.OK <= response.status_code < HTTPStatus.MULTIPLE_CHOICES:
            raise parse_error(response)

    def _endpoint(self, path: str) -> str:
        return urljoin(self._url, path)


def _parse_presigned(
    document: Mapping[str, Any], response_url: str
) -> tuple[str, dict[str, str], str]:
    """Return the form's absolute URL and its fields, and the id of the upload."""
    url = absolute_url(response_url, document["url"])
    return url, dict(document["fields"]), str(document["upload_id"])
