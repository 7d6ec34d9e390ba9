"""When the dispatcher stops, each photo in progress is finished, or waits again for a worker."""

from __future__ import annotations

import asyncio

from tests.unit.bgblur.serving.fake_workers import Fleet, run, until
from tests.unit.bgblur.serving.job_dispatcher.conftest import objects, serving

from blur.errors import UnavailableError
from blur.jobs.runner import Outcome


def test_stop_does_not_wait_until_a_failed_release_of_a_photo_is_retried() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(1)
        fleet.outcomes = [Outcome.RETRY]
        async with serving(fleet, size=1) as server:
            await until(lambda: fleet.processed == ["0"])
            server.queue.failures = [UnavailableError("down")]
            fleet.can_end.set()
            await server.dispatcher.stop(20)
            assert server.queue.refused

    run(test)


def test_a_stopping_server_finishes_the_photos_in_progress_and_starts_no_others() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(9)
        async with serving(fleet) as server:
            await until(lambda: fleet.processed == ["0"])
            stop = asyncio.create_task(server.dispatcher.stop(20))
            await asyncio.sleep(0.02)
            assert not stop.done()
            fleet.can_end.set()
            await stop
            server.dispatcher.add()
            await asyncio.sleep(0.05)
            assert fleet.processed == ["0"]
            assert (server.queue.released, server.queue.parked) == ([], [])

    run(test)


def test_a_stop_ends_the_leases_of_unfinished_photos_and_does_not_count_their_attempts() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(9)
        async with serving(fleet, size=3, limit=2) as server:
            await until(lambda: len(fleet.processed) == 2)
            await server.dispatcher.stop(0.01)
            assert sorted(server.queue.parked) == ["0", "1"]
            assert server.queue.released == []

    run(test)
