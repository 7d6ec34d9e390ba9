"""One photo's way to the service, in as many attempts as it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from requests_toolbelt import MultipartEncoder

from blur_client.answers import is_picture, json_object, to_blurred, to_error
from blur_client.errors import ImageTooLargeError, NotFoundError
from blur_client.form import photo_form

if TYPE_CHECKING:
    from requests import Response

    from blur_client.answers import Blurred
    from blur_client.form import OnUpload
    from blur_client.source import Photo
    from blur_client.transport import Form, Transport

BLUR_PATH = "v2/rembg/blur/"
UPLOADS_PATH = "v2/uploads"
OFFERED = {"upload_id", "url", "fields"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A photo, what is to be done to it, and who wants to know how it goes."""

    photo: Photo
    fields: Mapping[str, str]
    idempotency_key: str
    on_upload: OnUpload | None = None


class Call:
    """An order on its way, and what earlier attempts have achieved."""

    def __init__(self, transport: Transport, url: str, order: Order, *, by_upload: bool) -> None:
        """Prepare a call; `by_upload` begins with the route for large photos."""
        self._transport = transport
        self._url = url
        self._order = order
        self._can_upload = order.photo.content_type is not None
        self._by_upload = by_upload and self._can_upload
        self._upload_id: str | None = None

    def attempt(self) -> Blurred:
        """Try once; what was uploaded stays uploaded for the next attempt.

        Raises:
            BlurClientError: it failed; `patience.may_pass` tells whether for good.

        """
        if self._by_upload and self._upload_id is None:
            self._upload()
        try:
            return self._blur()
        except ImageTooLargeError as error:
            shown_the_way = UPLOADS_PATH in error.message
            if self._by_upload or not (shown_the_way and self._can_upload):
                raise
        self._by_upload = True
        return self.attempt()

    def _blur(self) -> Blurred:
        answer = self._send_photo() if self._upload_id is None else self._send_upload_id()
        if answer.status_code == HTTPStatus.SEE_OTHER and "Location" in answer.headers:
            return to_blurred(answer, self._follow(answer))
        if not is_picture(answer):
            raise to_error(answer)
        return to_blurred(answer, answer)

    def _send_photo(self) -> Response:
        order = self._order
        with photo_form(order.fields, "image", order.photo, order.on_upload) as form:
            return self._post(form)

    def _send_upload_id(self) -> Response:
        form = MultipartEncoder({**self._order.fields, "upload_id": self._upload_id})
        return self._post(form)

    def _post(self, form: Form) -> Response:
        headers = {"Idempotency-Key": self._order.idempotency_key}
        return self._transport.to_api("POST", self._at(BLUR_PATH), form=form, headers=headers)

    def _follow(self, answer: Response) -> Response:
        """Fetch the result from its link; a repeated call would get a new one for nothing."""
        link = urljoin(answer.url, answer.headers["Location"])
        picture = self._transport.elsewhere("GET", link)
        if not is_picture(picture):
            raise to_error(picture)
        return picture

    def _upload(self) -> None:
        """Send the photo the way of large ones, if the service has it."""
        photo = self._order.photo
        declared = {"content_type": photo.content_type, "bytes": photo.size_bytes}
        answer = self._transport.to_api("POST", self._at(UPLOADS_PATH), json=declared)
        offer = json_object(answer)
        if answer.status_code == HTTPStatus.CREATED and offer.keys() >= OFFERED:
            self._send_to_bucket(urljoin(answer.url, offer["url"]), offer["fields"])
            self._upload_id = offer["upload_id"]
            return
        error = to_error(answer)
        if not isinstance(error, NotFoundError):
            raise error
        self._by_upload = self._can_upload = False

    def _send_to_bucket(self, url: str, fields: Mapping[str, str]) -> None:
        order = self._order
        with photo_form(fields, "file", order.photo, order.on_upload) as form:
            answer = self._transport.elsewhere("POST", url, form=form)
        if not HTTPStatus.OK <= answer.status_code < HTTPStatus.MULTIPLE_CHOICES:
            raise to_error(answer)

    def _at(self, path: str) -> str:
        return urljoin(self._url, path)
