"""Compare the stores of jobs with a model, for any order of deliveries, repeats and killed workers.

Two servers, each with a store, work on one job, and their clocks differ by at most `CLOCK_SKEW_US`.
An object can be delivered to both servers any number of times. An attempt that never ends stands
for a killed worker.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, initialize, invariant, multiple, rule
from tests.integration.accounts.customer import entry
from tests.integration.accounts.two_clocks import TICK_US, TwoClocks, run_orders, servers, skews
from tests.integration.jobs.job_model import SOURCES, Attempt, Expected, ExpectedJob
from tests.integration.jobs.job_owner import JobOwner, open_job, read_exact

from blur.accounts.connect import open_account_store
from blur.accounts.model import Instant
from blur.credits import ZERO, Credits
from blur.errors import InsufficientCreditsError, InvalidApiKeyError
from blur.jobs.connect import open_job_store
from blur.jobs.model import JobState, ObjectState

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore
    from blur.jobs.ports import JobStore

EXAMPLES = {"sqlite": 60, "dynamodb": 12}
"""The number of random sequences for each store. With DynamoDB Local, one takes a second."""
sources = st.sampled_from(SOURCES)
final_states = st.sampled_from([state for state in ObjectState if state.has_ended])


@dataclass(frozen=True)
class Server:
    """The stores of one server."""

    accounts: AccountStore
    jobs: JobStore


class Bulk(TwoClocks):
    """One account with one job and its objects, and the balance and holds that should result."""

    attempts = Bundle("attempts")
    opened: tuple[Server, Server]
    owner: JobOwner

    def __init__(self) -> None:
        """Start without an account: `begin` creates the account."""
        super().__init__()
        self.job = ExpectedJob()
        self.key_is_valid = True

    @initialize(
        credits_in=st.integers(0, 12),
        skew_us=skews,
    )
    def begin(self, credits_in: int, skew_us: int) -> None:
        self.skew_us = skew_us
        self.credits_in = credits_in
        self.owner = open_job(self.opened[0].accounts, self.opened[0].jobs, credits_in)

    @property
    def held(self) -> int:
        """Return the sum of all holds."""
        objects = self.job.objects.values()
        return sum(each.price for each in objects if each.is_held(self.now_us))

    @property
    def balance(self) -> int:
        """Return the credits that can be spent."""
        used = sum(each.charged for each in self.job.objects.values())
        return self.credits_in - used - self.held

    @rule(target=attempts, source=sources, price=st.integers(0, 4), server=servers)
    def deliver(self, source: str, price: int, server: int) -> object:
        """Reserve an object's price, as a worker does if the object has no final row.

        Do nothing if the object has ended, or if the job is over and the object has no hold. In
        these cases, it depends on the store whether the object gets another hold;
        `deliver_after_the_end` tests these cases.
        """
        known, now_us = self.job.objects[source], self.clock_us(server)
        if known.row and known.row.has_ended:
            return multiple()
        if self.job.is_over and not known.is_held(self.now_us):
            return multiple()
        hold, jobs = self.owner.hold(source, price, now_us=now_us), self.opened[server].jobs
        if not self.key_is_valid:
            with pytest.raises(InvalidApiKeyError):
                jobs.reserve_object(hold, now_us=now_us)
            return multiple()
        if not known.is_held(self.now_us) and self.balance < price:
            with pytest.raises(InsufficientCreditsError):
                jobs.reserve_object(hold, now_us=now_us)
            return multiple()
        jobs.reserve_object(hold, now_us=now_us)
        if not known.is_held(self.now_us):
            known.price = Credits(price)
        known.held_us = self.now_us
        return Attempt(source, hold, server)

    @rule(attempt=attempts, state=final_states)
    def end(self, attempt: Attempt, state: ObjectState) -> None:
        """Write the object's final row, possibly repeatedly and with different final states."""
        known = self.job.objects[attempt.source]
        has_changed = self.opened[attempt.server].jobs.end_object(
            self.owner.row(attempt.source, state),
            attempt.hold,
            now_us=self.clock_us(attempt.server),
        )
        is_held, known.held_us = known.is_held(self.now_us), None
        assert has_changed == self.can_end(known)
        if has_changed:
            known.row = state
            known.charged = known.price if is_held and state is ObjectState.DONE else ZERO

    @rule(source=sources, state=final_states, server=servers)
    def end_without_a_hold(self, source: str, state: ObjectState, server: int) -> None:
        """Write an object's final row without a hold, as for the objects of a cancelled job."""
        known = self.job.objects[source]
        row = self.owner.row(source, state)
        jobs = self.opened[server].jobs
        has_changed = jobs.end_object(row, None, now_us=self.clock_us(server))
        assert has_changed == self.can_end(known)
        if has_changed:
            known.row = state

    @rule(source=sources, server=servers)
    def deliver_after_the_end(self, source: str, server: int) -> None:
        """Deliver an ended object again, to a worker that has not read the object's final row."""
        known, now_us = self.job.objects[source], self.clock_us(server)
        if self.can_end(known) or known.is_held(self.now_us) or not self.key_is_valid:
            return
        hold, jobs = self.owner.hold(source, 1, now_us=now_us), self.opened[server].jobs
        if self.balance >= 1:
            jobs.reserve_object(hold, now_us=now_us)
        assert not jobs.end_object(self.owner.row(source), hold, now_us=now_us)

    @rule(source=sources, server=servers)
    def park(self, source: str, server: int) -> None:
        known = self.job.objects[source]
        jobs = self.opened[server].jobs
        is_parked = jobs.park_object(self.owner.job_id, source, now_us=self.clock_us(server))
        assert is_parked == self.can_end(known)
        if is_parked:
            known.row = ObjectState.WAITING

    @rule(server=servers)
    def close(self, server: int) -> None:
        job = self.opened[server].jobs.close_job(self.owner.job_id, now_us=self.clock_us(server))
        if self.job.state is JobState.OPEN:
            self.job.state = JobState.CLOSED
        assert job.state is self.job.state

    @rule(server=servers)
    def cancel(self, server: int) -> None:
        job = self.opened[server].jobs.cancel_job(self.owner.job_id, now_us=self.clock_us(server))
        if self.job.state is not JobState.DONE:
            self.job.state = JobState.CANCELLED
        assert job.state is self.job.state

    @rule(received=st.integers(0, len(SOURCES)), server=servers)
    def end_job(self, received: int, server: int) -> None:
        job, jobs = self.job, self.opened[server].jobs
        if not job.is_over and job.state is not JobState.OPEN:
            job.listed = received
            job.is_over = job.ended >= max(received, job.number())
            if job.is_over and job.state is JobState.CLOSED:
                job.state = JobState.DONE
        now_us = self.clock_us(server)
        is_over = jobs.end_job(self.owner.job_id, received=received, now_us=now_us)
        assert is_over == job.is_over

    @rule(ticks=st.integers(1, 3))
    def wait(self, ticks: int) -> None:
        self.now_us = Instant(self.now_us + ticks * TICK_US)

    @rule(credits_in=st.integers(1, 8), server=servers)
    def top_up(self, credits_in: int, server: int) -> None:
        line = entry(self.owner.customer.account_id, credits_in, at_us=self.clock_us(server))
        self.opened[server].accounts.append_entry(line)
        self.credits_in += credits_in

    @rule(server=servers)
    def revoke_the_key(self, server: int) -> None:
        customer = self.owner.customer
        self.opened[server].accounts.revoke_key(customer.account_id, customer.digest)
        self.key_is_valid = False

    @invariant()
    def account_job_and_rows_agree_with_the_model(self) -> None:
        if not hasattr(self, "owner"):
            return
        expected = {
            source: (each.row, each.charged)
            for source, each in self.job.objects.items()
            if each.row
        }
        number = self.checking_server()
        server, now_us = self.opened[number], self.clock_us(number)
        read = read_exact(server.accounts, server.jobs, self.owner, now_us)
        assert (read.account.balance, read.account.held) == (self.balance, self.held)
        assert {row.source: (row.state, row.charged) for row in read.rows} == expected
        job = read.job
        assert job.counts.received == max(self.job.number(), self.job.listed)
        assert (job.state, job.ended_us is not None) == (self.job.state, self.job.is_over)

    def can_end(self, known: Expected) -> bool:
        """Return whether the object can get a final row."""
        return not self.job.is_over and not (known.row and known.row.has_ended)


@pytest.mark.timeout(600)
def test_no_order_of_deliveries_and_worker_kills_charges_an_object_twice_or_loses_a_row(
    store: AccountStore, jobs: JobStore, location: str
) -> None:
    other = Server(open_account_store(location), open_job_store(location))

    class BulkOfThisStore(Bulk):
        opened = (Server(store, jobs), other)

    run_orders(BulkOfThisStore, EXAMPLES[location.partition(":")[0]])
    other.accounts.close()
    other.jobs.close()
