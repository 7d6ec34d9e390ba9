"""When the drain stops, each photo in progress is finished, parked, or released to be retried."""

from __future__ import annotations

import asyncio

from tests.unit.bgblur.serving.fake_workers import Fleet, run, until
from tests.unit.bgblur.serving.job_drain.conftest import objects, serving

from blur.errors import UnavailableError
from blur.jobs.runner import Outcome


def test_a_stop_does_not_wait_for_a_second_try_to_release_a_photo() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(1)
        fleet.outcomes = [Outcome.RETRY]
        async with serving(fleet, size=1) as server:
            await until(lambda: fleet.processed == ["0"])
            server.queue.failures = [UnavailableError("down")]
            fleet.may_end.set()
            await server.drain.stop(20)
            assert server.queue.refused

    run(test)


def test_a_stop_waits_for_the_photos_in_progress_and_begins_no_others() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(9)
        async with serving(fleet) as server:
            await until(lambda: fleet.processed == ["0"])
            stop = asyncio.create_task(server.drain.stop(20))
            await asyncio.sleep(0.02)
            assert not stop.done()
            fleet.may_end.set()
            await stop
            server.drain.add()
            await asyncio.sleep(0.05)
            assert fleet.processed == ["0"]
            assert (server.queue.released, server.queue.parked) == ([], [])

    run(test)


def test_a_stop_parks_photos_that_are_not_finished_in_time_and_releases_none() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(9)
        async with serving(fleet, size=3, limit=2) as server:
            await until(lambda: len(fleet.processed) == 2)
            await server.drain.stop(0.01)
            assert sorted(server.queue.parked) == ["0", "1"]
            assert server.queue.released == []

    run(test)
