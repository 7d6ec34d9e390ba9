"""All environments, and the bounded queue before them.

Beyond a queue that is full, waiting helps nobody: whoever waits longest has often gone when
his turn comes, and is worked for all the same. So the next one is told at once when to come
again, before anything is held or charged.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bgblur.serving.child import StartError
from blur.errors import InternalError, LostError, OverloadedError

if TYPE_CHECKING:
    from bgblur.serving.environment import Environment
    from bgblur.serving.proxy import ClientState, Reply, Request

LOGGER = logging.getLogger(__name__)
RESTART_PAUSE_S = 1.0
WEIGHT = 0.2
"""How much the latest request tells of how long the next ones take."""


class Crew:
    """Environments that take requests in the order of their coming."""

    def __init__(self, environments: Sequence[Environment], *, queue: int) -> None:
        """Take environments, of which none has to be started, and how many requests may wait."""
        self._environments = environments
        self._idle: asyncio.Queue[Environment] = asyncio.Queue()
        self._places = len(environments) + queue
        self._taken = 0
        self._typical_s = 1.0
        self._restarts: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Start every environment.

        Raises:
            StartError: one does not start.

        """
        await asyncio.gather(*(environment.start() for environment in self._environments))
        for environment in self._environments:
            self._idle.put_nowait(environment)

    def require_place(self, account: str = "") -> None:  # noqa: ARG002 - one queue for all
        """Go on only while one more request can be taken.

        Raises:
            OverloadedError: all environments are busy and the queue is full.

        """
        if self._taken >= self._places:
            wait_s = self._taken * self._typical_s / len(self._environments)
            raise OverloadedError(retry_after_s=max(1, math.ceil(wait_s)))

    async def answer(
        self,
        request: Request,
        *,
        account: str = "",
        client: ClientState | None = None,  # noqa: ARG002 - a request that waits is not dropped yet
    ) -> Reply:
        """Let the next environment that is free answer.

        Raises:
            OverloadedError: as for `require_place`.
            LostError: the environment's process died of the request, or hung.
            InternalError: it does not start again.

        """
        self.require_place(account)
        self._taken += 1
        try:
            environment = await self._idle.get()
            return await self._answer(environment, request)
        finally:
            self._taken -= 1

    async def _answer(self, environment: Environment, request: Request) -> Reply:
        began_s = time.monotonic()
        try:
            reply = await environment.answer(request)
        except LostError:
            LOGGER.error("%s: its process ended", request.request_id)  # noqa: TRY400
            self._replace(environment)
            raise
        except StartError as error:
            LOGGER.error("%s: no process starts: %s", request.request_id, error)  # noqa: TRY400
            self._replace(environment)
            raise InternalError from error
        self._typical_s += WEIGHT * (time.monotonic() - began_s - self._typical_s)
        self._idle.put_nowait(environment)
        return reply

    def _replace(self, environment: Environment) -> None:
        restart = asyncio.create_task(self._restart(environment))
        self._restarts.add(restart)
        restart.add_done_callback(self._restarts.discard)

    async def _restart(self, environment: Environment) -> None:
        while True:
            try:
                await environment.restart()
            except StartError as error:
                LOGGER.error("it does not start again: %s", error)  # noqa: TRY400
                await asyncio.sleep(RESTART_PAUSE_S)
            else:
                self._idle.put_nowait(environment)
                return

    def close(self) -> None:
        """End every process."""
        for environment in self._environments:
            environment.close()
