"""The embedded server: uvicorn, the ASGI application, and worker processes.

The event loop reads and writes sockets. Each worker process calls its own handler for one event at
a time, like one of Lambda's execution environments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import uvicorn

from bgblur.serving.access_log import open_access_log
from bgblur.serving.asgi import ServerApp
from bgblur.serving.connections import ConnectionTable
from bgblur.serving.embedded_server import EmbeddedServer
from bgblur.serving.inline import (
    ACCOUNT_QUEUE,
    ACCOUNT_TIMEOUT_S,
    ACCOUNT_WAIT_S,
    InlineHandler,
)
from bgblur.serving.keeper_loop import keeping
from bgblur.serving.known_keys import KnownKeys
from bgblur.serving.listening import listen
from bgblur.serving.local_jobs import LocalJobs, open_keeper, open_local_jobs
from bgblur.serving.metrics import Address, ObjectsState, ServerMetrics
from bgblur.serving.ports import Observe, ReceiveUpload, ignore
from bgblur.serving.protocol import Protocol
from bgblur.serving.proxy_events import RecordedHandler
from bgblur.serving.sweep_loop import sweeping
from bgblur.serving.uploads import receive_upload
from bgblur.serving.worker import Worker, nothing
from bgblur.serving.worker_pool import WorkerPool
from blur.accounts.connect import open_account_store
from blur.app import build_app
from blur.clock import now
from blur.settings import Settings, usable_cpus
from blur.storage.folder import UPLOAD_PATH, FolderStore
from blur.storage.job_folder import JOB_UPLOAD_PATH
from blur.storage.location import open_storage

if TYPE_CHECKING:
    from bgblur.serving.key_link import Application
    from blur.accounts.keys import ApiKey

ACCEPTED_AT_ONCE = 64
"""The number of connections that are accepted in one iteration of the event loop."""

FILES = 4096
"""The number of open files that the process needs for connections."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many processes blur photos, and how many photos can wait for them."""

    workers: int
    queue: int


def serve(  # noqa: PLR0913 - all arguments are passed by name
    settings: Settings,
    *,
    host: str,
    port: int,
    capacity: Capacity,
    announce: Callable[[int], None],
    middleware: Callable[[Application], Application] = lambda application: application,
    metrics_at: Address | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; then finish the accepted requests.

    `middleware` wraps the ASGI application, so that a command can add a route. `metrics_at` is
    the address for Prometheus metrics, if they are enabled.

    Raises:
        ListenError: the port is in use, or the address does not exist.
        OSError: the port of `metrics_at` is in use, or its address does not exist.
        StartError: a process does not start: the model is missing, or a setting is invalid.
        ValueError: a setting is invalid.

    """
    uploads, jobs = upload_folder(settings), open_local_jobs(settings, capacity.workers)
    folders = [folder for folder in (uploads, jobs and jobs.folder) if folder]
    with (
        listen(host, port) as listening,
        closing(jobs) if jobs else nullcontext(),
        closing(photo_pool(settings, capacity, jobs)) as photos,
        closing(account_pool(settings)) as accounts,
        sweeping(folders),
        keeping(open_keeper(settings).run if jobs else None),
        observing(photos, jobs, metrics_at) as observe,
        suppress(KeyboardInterrupt),  # after Ctrl-C, uvicorn stops and then raises SIGINT again
    ):
        open_access_log()
        raise_file_limit()
        receivers = upload_receivers(uploads, jobs)
        application = server_app(settings, photos, accounts, receivers, observe)
        config = configuration(middleware(application), settings, observe)
        dispatcher = jobs.dispatcher if jobs else None
        EmbeddedServer(config, photos, accounts, dispatcher=dispatcher, announce=announce).run(
            [listening]
        )


def raise_file_limit() -> None:
    """Raise the limit for open files to `FILES`, or as far as the system allows."""
    try:
        import resource  # noqa: PLC0415 - Windows does not have this module
    except ImportError:
        return
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
    if limit != resource.RLIM_INFINITY and limit < target:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (target, most))


def upload_folder(settings: Settings) -> FolderStore | None:
    """Return the folder for uploads; None if a bucket receives uploads, or uploads are off."""
    uploads = open_storage(settings.media).uploads
    return uploads if isinstance(uploads, FolderStore) else None


def upload_receivers(
    folder: FolderStore | None, jobs: LocalJobs | None
) -> Mapping[str, ReceiveUpload]:
    """Return, for each upload path, the function that receives its uploads."""
    receivers: dict[str, ReceiveUpload] = {}
    if folder is not None:
        receivers[UPLOAD_PATH] = partial(receive_upload, folder)
    if jobs is not None:
        receivers[JOB_UPLOAD_PATH] = jobs.uploads().receive
    return receivers


@contextmanager
def observing(
    photos: WorkerPool, jobs: LocalJobs | None, metrics_at: Address | None
) -> Iterator[Observe]:
    """Serve metrics until the context ends, if enabled; yield a function that counts responses."""
    if metrics_at is None:
        yield ignore
        return
    metrics = ServerMetrics(photos.state, jobs.dispatcher.state if jobs else ObjectsState)
    if jobs is not None:
        jobs.dispatcher.observe = metrics.observe_object
    with metrics.served(metrics_at):
        yield metrics.observe


def server_app(
    settings: Settings,
    photos: WorkerPool,
    accounts: WorkerPool,
    uploads: Mapping[str, ReceiveUpload],
    observe: Observe = ignore,
) -> ServerApp:
    """Return the ASGI application, with one worker pool for photos and one for account calls."""
    handler = RecordedHandler(
        lambda observe: build_app(settings, opens_model=False, on_lambda=False, observe=observe)
    )
    store = open_account_store(settings.accounts)

    def is_known(key: ApiKey) -> bool:
        return store.has_valid_key(key.account_id, key.digest, now_us=now())

    return ServerApp(
        photos,
        InlineHandler(handler, accounts),
        known_keys=KnownKeys(is_known, store.require_available),
        routes=handler.routes,
        max_body_bytes=settings.max_body_bytes,
        removebg_max_body_bytes=settings.removebg_max_body_bytes,
        uploads=uploads,
        observe=observe,
    )


def photo_pool(settings: Settings, capacity: Capacity, jobs: LocalJobs | None = None) -> WorkerPool:
    """Return the pool that blurs photos, including photos of jobs; its workers share the CPUs.

    A worker is killed when it needs more time than the hold's lifetime. The worker that replaces it
    refunds the call; if it cannot do this, the hold expires.
    """
    threads = settings.inference_threads or max(1, usable_cpus() // capacity.workers)
    each = replace(settings, inference_threads=threads)
    return WorkerPool(
        lambda: Worker(each, name="photo", timeout_s=settings.hold_ttl_s),
        name="photo",
        size=capacity.workers,
        queue=capacity.queue,
        max_wait_s=settings.queue_wait_s,
        next_background_work=jobs.dispatcher.next_work if jobs else nothing,
    )


def account_pool(settings: Settings) -> WorkerPool:
    """Return the pool for account calls, with one worker."""
    return WorkerPool(
        lambda: Worker(settings, name="account", timeout_s=ACCOUNT_TIMEOUT_S, opens_model=False),
        name="account",
        size=1,
        queue=ACCOUNT_QUEUE,
        max_wait_s=ACCOUNT_WAIT_S,
    )


def configuration(
    application: Any,  # noqa: ANN401 - this can be any ASGI application
    settings: Settings,
    observe: Observe = ignore,
) -> uvicorn.Config:
    """Return uvicorn's settings: our protocol class, and a time limit for the shutdown.

    uvicorn's `Server` header and its access log are disabled.
    """
    table = ConnectionTable(per_address=settings.connections_per_address)
    return uvicorn.Config(
        application,
        http=cast("type[Protocol]", partial(Protocol, table=table, observe=observe)),
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
        backlog=ACCEPTED_AT_ONCE,
        server_header=False,
        timeout_graceful_shutdown=settings.stop_s,
    )
