"""The ASGI application that stands where API Gateway stands.

Photos go to the worker pool, whose processes have the model. All other requests go to the inline
handler, which does not wait for photos.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from bgblur.serving.body import Message, Reader, Receive, chunks, header, with_timeout
from bgblur.serving.proxy import (
    ClientDisconnected,
    ClientState,
    Reply,
    from_answer,
    to_request,
)
from bgblur.serving.uploads import receive_upload
from blur.accounts import keys
from blur.api import response
from blur.delivery.folder import UPLOAD_PATH, FolderStore
from blur.errors import ApiError, InternalError, InvalidApiKeyError, OverloadedError

if TYPE_CHECKING:
    from bgblur.serving.proxy import Request

LOGGER = logging.getLogger(__name__)
PHOTO_PATH = "/v2/rembg/blur"
Send = Callable[[Message], Awaitable[None]]


class PhotoPool(Protocol):
    """The pool of worker processes that answer photo requests."""

    def require_place(self, account: str = "") -> None:
        """Raise `OverloadedError` if the queue has no place for a request of this account."""

    async def answer(self, request: Request, *, account: str, client: ClientState) -> Reply:
        """Return a worker's answer.

        Raises:
            ApiError: the request failed.
            ClientDisconnected: the client left before a worker began.

        """
        ...


class Inline(Protocol):
    """The handler of all other requests: `inline.InlineHandler`."""

    async def answer(self, request: Request, *, account: str, client: ClientState) -> Reply:
        """Return the answer; raise the errors that a pool raises."""
        ...


class ServerApp:
    """Reads requests, has them answered, and sends the answers: never anything but one."""

    def __init__(
        self,
        pool: PhotoPool,
        inline: Inline,
        *,
        max_body_bytes: int,
        folder: FolderStore | None = None,
    ) -> None:
        """Keep the pool for photos, and the handler for all other requests.

        A `folder` makes this server the place where its uploads arrive, as a bucket would be.
        """
        self._pool = pool
        self._inline = inline
        self._folder = folder
        self._reader = Reader(max_body_bytes)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        unlimited, receive, request_id = receive, with_timeout(receive), str(uuid.uuid4())
        try:
            reply = await self._reply(scope, receive, unlimited, request_id)
        except ClientDisconnected:
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

    async def _reply(
        self, scope: Mapping[str, Any], receive: Receive, unlimited: Receive, request_id: str
    ) -> Reply:
        method, path = scope["method"].upper(), scope["path"]
        if self._folder and (method, path) == ("POST", UPLOAD_PATH):
            content_type = header(scope, b"content-type").decode("latin-1")
            return from_answer(await receive_upload(self._folder, content_type, chunks(receive)))
        is_photo = (method, path.rstrip("/")) == ("POST", PHOTO_PATH)
        account = account_of(scope)
        if is_photo:
            self._pool.require_place(account)
        with self._reader.place() as body:
            await self._reader.read(scope, receive, body)
            request = to_request(scope, bytes(body), request_id=request_id)
            answer = self._pool.answer if is_photo else self._inline.answer
            if self._reader.skips(scope):  # asking for more would send 100 Continue
                return await answer(request, account=account, client=ClientState())
            async with watch(unlimited) as client:
                return await answer(request, account=account, client=client)

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
        except ClientDisconnected:
            return
        await send({"type": "http.response.body"})


def account_of(scope: Mapping[str, Any]) -> str:
    """Return the account id in the request's key, or nothing if the key is not valid."""
    try:
        return keys.parse(header(scope, b"apikey").decode("latin-1")).account_id
    except InvalidApiKeyError:
        return ""


@asynccontextmanager
async def watch(receive: Receive) -> AsyncIterator[ClientState]:
    """Watch a client whose body is complete, and set `gone` when it disconnects."""
    client = ClientState()

    async def wait_for_disconnect() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        client.gone.set()

    task = asyncio.create_task(wait_for_disconnect())
    try:
        yield client
    finally:
        task.cancel()


def refusal(error: ApiError, request_id: str) -> Reply:
    """Return an error of the contract as an HTTP response."""
    return from_answer(response.proxied(response.error(error, f"req_{request_id}")))


async def _begin(reply: Reply, send: Send) -> None:
    """Send an answer whole, by its length, but leave the exchange open."""
    await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
    await send({"type": "http.response.body", "body": reply.body, "more_body": True})
