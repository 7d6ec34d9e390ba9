"""The embedded server: uvicorn, the ASGI application, and worker processes.

The event loop reads and writes sockets; the handler runs in processes of its own, each of
which answers one event at a time: what a Lambda environment does and what the handler expects.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import uvicorn

from bgblur.serving.asgi import ServerApp
from bgblur.serving.crew import Crew
from bgblur.serving.environment import Environment
from bgblur.serving.protocol import Protocol
from bgblur.serving.sweeper import sweeping
from blur.delivery.connect import connect
from blur.delivery.folder import FolderStore
from blur.handler import build
from blur.settings import Settings, usable_cpus

if TYPE_CHECKING:
    from bgblur.serving.key_link import Application

BACKLOG = 2048
"""Connections that the system keeps until they are taken; uvicorn's default."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many processes blur photos, and how many photos may wait for them."""

    workers: int
    queue: int


class AnnouncingServer(uvicorn.Server):
    """A server that starts its crew first, and says so once it really listens."""

    def __init__(self, config: uvicorn.Config, crew: Crew, announce: Callable[[int], None]) -> None:
        """Keep what is to be started, and what is to be called with the port after that."""
        super().__init__(config)
        self._crew = crew
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the crew, take connections, announce."""
        await self._crew.start()
        await super().startup(sockets)
        if not self.should_exit:
            self._announce(self.servers[0].sockets[0].getsockname()[1])


def serve(  # noqa: PLR0913 - each is named where it is given
    settings: Settings,
    *,
    host: str,
    port: int,
    capacity: Capacity,
    announce: Callable[[int], None],
    middleware: Callable[[Application], Application] = lambda application: application,
) -> None:
    """Serve until SIGTERM or SIGINT; requests that were accepted are answered first.

    `middleware` wraps the ASGI application, which lets a command add a route of its own.

    Raises:
        OSError: the port is taken, or there is no such address.
        StartError: a process does not start: the model is missing, or a setting is wrong.
        ValueError: a setting is wrong.

    """
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    with (
        socket.create_server((host, port), family=family, backlog=BACKLOG) as listening,
        closing(Crew(environments(settings, capacity.workers), queue=capacity.queue)) as crew,
        sweeping(folder := upload_folder(settings)),
        suppress(KeyboardInterrupt),  # uvicorn raises it again once all is done
    ):
        config = configuration(middleware(server_app(settings, crew, folder)))
        AnnouncingServer(config, crew, announce).run([listening])


def upload_folder(settings: Settings) -> FolderStore | None:
    """Return the folder that uploads arrive in; None where a bucket takes them, or nothing."""
    uploads = connect(settings.media).uploads
    return uploads if isinstance(uploads, FolderStore) else None


def server_app(settings: Settings, crew: Crew, folder: FolderStore | None) -> ServerApp:
    """Return what answers: the crew for photos, and a handler in this process for all else."""
    desk = build(settings, opens_model=False, with_metrics=False)
    return ServerApp(crew, desk, max_body_bytes=settings.max_body_bytes, folder=folder)


def environments(settings: Settings, workers: int) -> list[Environment]:
    """Return the crew's environments, which share the CPUs out among them.

    One that takes longer for a photo than the photo's hold lives is ended: by then the
    credit is home again.
    """
    threads = settings.inference_threads or max(1, usable_cpus() // workers)
    each = replace(settings, inference_threads=threads)
    return [Environment(each, longest_s=settings.hold_ttl_s) for _ in range(workers)]


def configuration(application: Any) -> uvicorn.Config:  # noqa: ANN401 - ASGI
    """Return uvicorn's settings: HTTP/1.1 in Python, no word of what it is, no access log."""
    return uvicorn.Config(
        application,
        http=Protocol,
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
    )
