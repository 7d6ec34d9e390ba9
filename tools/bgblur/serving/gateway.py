"""The ASGI application that stands where API Gateway stands.

Photos go to the crew, whose processes have the model. All else, the page, the account, health,
is answered at once by a handler in this process, whatever the photos are waiting for.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

from bgblur.serving.body import GoneError, Message, Reader, Receive, chunks, header, impatient
from bgblur.serving.proxy import InvocationContext, Reply, from_answer, to_event, to_request
from bgblur.serving.uploads import receive_upload
from blur.api import response
from blur.delivery.folder import UPLOAD_PATH, FolderStore
from blur.errors import ApiError, InternalError, OverloadedError

if TYPE_CHECKING:
    from bgblur.serving.proxy import Request

LOGGER = logging.getLogger(__name__)
PHOTO_PATH = "/v2/rembg/blur"
Handler = Callable[[Mapping[str, Any], Any], Mapping[str, Any]]
Send = Callable[[Message], Awaitable[None]]


class Photographers(Protocol):
    """Who answers requests that take long: `crew.Crew`."""

    def require_place(self) -> None:
        """Raise `OverloadedError` if one more could not be taken."""

    async def answer(self, request: Request) -> Reply:
        """Answer; raise an `ApiError` if that fails."""
        ...


class Gateway:
    """Reads requests, has them answered, and sends the answers: never anything but one."""

    def __init__(
        self,
        crew: Photographers,
        desk: Handler,
        *,
        max_body_bytes: int,
        folder: FolderStore | None = None,
    ) -> None:
        """Keep who answers: the crew for photos, the handler `desk` for all that is quick.

        A `folder` makes this server the place where its uploads arrive, as a bucket would be.
        """
        self._crew = crew
        self._desk = desk
        self._folder = folder
        self._reader = Reader(max_body_bytes)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="desk")

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        receive, request_id = impatient(receive), str(uuid.uuid4())
        try:
            reply = await self._reply(scope, receive, request_id)
        except GoneError:
            return
        except OverloadedError as error:
            await self._refuse(error, scope, receive, send, request_id)
            return
        except ApiError as error:
            reply = refusal(error, request_id)
        except Exception:
            LOGGER.exception("%s: the server broke", request_id)
            reply = refusal(InternalError(), request_id)
        await _begin(reply, send)
        await send({"type": "http.response.body"})

    async def _reply(self, scope: Mapping[str, Any], receive: Receive, request_id: str) -> Reply:
        method, path = scope["method"].upper(), scope["path"]
        if self._folder and (method, path) == ("POST", UPLOAD_PATH):
            content_type = header(scope, b"content-type").decode("latin-1")
            return from_answer(await receive_upload(self._folder, content_type, chunks(receive)))
        is_photo = (method, path.rstrip("/")) == ("POST", PHOTO_PATH)
        if is_photo:
            self._crew.require_place()
        with self._reader.place() as body:
            await self._reader.read(scope, receive, body)
            request = to_request(scope, bytes(body), request_id=request_id)
            return await (self._crew.answer(request) if is_photo else self._at_the_desk(request))

    async def _at_the_desk(self, request: Request) -> Reply:
        loop = asyncio.get_running_loop()
        event = to_event(request)
        answer = await loop.run_in_executor(self._thread, self._desk, event, InvocationContext())
        return from_answer(answer)

    async def _refuse(
        self,
        error: OverloadedError,
        scope: Mapping[str, Any],
        receive: Receive,
        send: Send,
        request_id: str,
    ) -> None:
        """Answer before the body is there, then read on: many clients listen only at its end."""
        await _begin(refusal(error, request_id), send)
        try:
            await self._reader.drain(scope, receive)
        except GoneError:
            return
        await send({"type": "http.response.body"})


def refusal(error: ApiError, request_id: str) -> Reply:
    """Return an error of the contract as an HTTP response."""
    return from_answer(response.proxied(response.error(error, f"req_{request_id}")))


async def _begin(reply: Reply, send: Send) -> None:
    """Send an answer whole, by its length, but leave the exchange open."""
    await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
    await send({"type": "http.response.body", "body": reply.body, "more_body": True})
