"""What happens to photos of jobs after a result, an error, or a failure of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.bgblur.serving.fake_workers import REPLY, Fleet, run, send, until
from tests.unit.bgblur.serving.job_dispatcher.conftest import objects, serving

from bgblur.serving.job_dispatcher import retry_pause_s
from blur.accounts.model import SECOND_US
from blur.errors import UnavailableError
from blur.jobs.runner import MAX_ATTEMPTS, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blur.jobs.model import JobObject


def test_a_failed_worker_is_replaced_and_its_photo_is_released_for_another_attempt() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(2)
        fleet.outcomes = [EOFError()]
        fleet.can_end.set()
        async with serving(fleet, size=1) as server:
            await until(lambda: len(fleet.processed) == 2)
            await until(lambda: bool(server.queue.released))
            assert server.queue.released == [("0", retry_pause_s(1) * SECOND_US)]
            assert [worker.is_killed for worker in fleet.workers] == [True, False]
            fleet.can_respond.set()
            assert await send(server.pool) == REPLY

    run(test)


def test_a_photo_that_must_be_retried_can_be_claimed_again_after_a_pause() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(1, attempts=2)
        fleet.outcomes = [Outcome.RETRY]
        fleet.can_end.set()
        async with serving(fleet) as server:
            await until(lambda: bool(server.queue.released))
            assert server.queue.released == [("0", retry_pause_s(2) * SECOND_US)]

    run(test)


def test_finished_or_parked_photos_are_not_released_for_another_attempt() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(3)
        fleet.outcomes = [Outcome.ENDED, Outcome.PARKED]
        fleet.can_end.set()
        async with serving(fleet) as server:
            await until(lambda: len(fleet.processed) == 3)
            await server.dispatcher.stop(5)
            assert (server.queue.released, server.queue.parked) == ([], [])

    run(test)


def test_each_finished_photo_is_measured_and_a_failed_measurement_stops_no_worker() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(4)
        fleet.outcomes = [Outcome.RETRY, Outcome.PARKED]
        fleet.can_end.set()
        measured: list[tuple[str, float]] = []

        def observe(row: JobObject, steps_ms: Mapping[str, float]) -> None:
            measured.append((row.source, steps_ms["matte"]))
            raise ZeroDivisionError

        async with serving(fleet, size=1) as server:
            server.dispatcher.observe = observe
            await until(lambda: len(measured) == 2)
            assert measured == [("2", 1.0), ("3", 1.0)]
            fleet.can_respond.set()
            assert await send(server.pool) == REPLY
            assert len(fleet.workers) == 1

    run(test)


@pytest.mark.parametrize("error", [UnavailableError("down"), ZeroDivisionError()])
def test_if_the_store_fails_the_dispatcher_tries_again_until_the_store_responds(
    caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(1)
        fleet.can_end.set()
        async with serving(fleet) as server:
            server.queue.failures = [error]
            await until(lambda: server.queue.asked > 5)
            server.queue.failures = []
            await until(lambda: fleet.processed == ["0"])
        assert sum("cannot be read" in record.message for record in caplog.records) <= 1

    run(test)


def test_a_photo_with_the_outcome_wait_is_parked_and_not_released_for_another_attempt() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(1)
        fleet.outcomes = [Outcome.WAIT]
        fleet.can_end.set()
        async with serving(fleet) as server:
            await until(lambda: server.queue.parked == ["0"])
            assert server.queue.released == []

    run(test)


@pytest.mark.parametrize("outcome", [Outcome.RETRY, Outcome.WAIT])
def test_failed_releases_of_a_photo_are_repeated_and_delay_no_request(
    outcome: Outcome,
) -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(1)
        fleet.outcomes = [outcome]
        fleet.can_respond.set()
        async with serving(fleet, size=1) as server:
            await until(lambda: fleet.processed == ["0"])
            server.queue.failures = [UnavailableError("down")]
            fleet.can_end.set()
            await until(lambda: server.queue.refused > 2)
            assert await send(server.pool) == REPLY
            server.queue.failures = []
            await until(lambda: bool(server.queue.released or server.queue.parked))
            assert len(fleet.workers) == 1

    run(test)


def test_pauses_grow_with_the_attempts_but_the_pause_after_the_last_attempt_is_shorter() -> None:
    pauses = [retry_pause_s(attempts) for attempts in range(1, MAX_ATTEMPTS)]
    assert pauses == sorted(pauses)
    assert retry_pause_s(0) == pauses[0]
    assert retry_pause_s(MAX_ATTEMPTS) == retry_pause_s(99) < pauses[-1]
