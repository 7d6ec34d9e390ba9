"""An account with a job, and the rows and holds of its objects, for the tests of the stores."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.integration.accounts.customer import (
    GENEROUS,
    START,
    TTL_US,
    Customer,
    new_id,
    open_account,
)

from blur.accounts.audit import differences
from blur.accounts.model import Hold, Instant, KeyKind
from blur.credits import Credits
from blur.jobs.model import Job, JobCounts, JobObject, Notification, ObjectState, hold_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blur.account_status import RateLimit
    from blur.accounts.model import Account
    from blur.accounts.ports import AccountStore
    from blur.jobs.ports import JobStore

PRICE = Credits(4)
PIXELS = 12_000_000
SECRET = "whsec_c2VjcmV0"  # noqa: S105 - the text is "secret" in Base64
ALL_STATES = tuple(ObjectState)
FINAL_STATES = tuple(state for state in ObjectState if state.has_ended)


@dataclass(frozen=True)
class JobOwner:
    """A customer and one of its jobs."""

    customer: Customer
    job_id: str

    def hold(
        self, source: str, price: int = PRICE, *, now_us: Instant = START, ttl_us: int = TTL_US
    ) -> Hold:
        """Return the hold for an attempt that starts at `now_us`."""
        return Hold(
            hold_id(self.job_id, source),
            self.customer.account_id,
            self.customer.digest,
            Credits(price),
            Instant(now_us + ttl_us),
        )

    def row(self, source: str, state: ObjectState = ObjectState.DONE) -> JobObject:
        """Return a photo's row with a final state, as a worker writes it."""
        row = JobObject(job_id=self.job_id, source=source, state=state, duration_ms=1500)
        if state is ObjectState.DONE:
            return replace(row, content_type="image/png", pixels=PIXELS)
        if state is ObjectState.FAILED:
            message = "The photo has no subject."
            return replace(row, code="no_subject", message=message, pixels=PIXELS)
        return row


def new_job(customer: Customer, *, created_us: Instant = START, notify: str | None = None) -> Job:
    """Return a job that is not stored yet."""
    return Job(
        job_id=f"job_{secrets.token_hex(12)}",
        account_id=customer.account_id,
        key_digest=customer.digest,
        key_kind=KeyKind.LIVE,
        parameters={"radius": "2%", "mode": "blur"},
        created_us=created_us,
        notification=Notification(url=notify, secret=SECRET) if notify else None,
    )


def open_job(
    store: AccountStore,
    jobs: JobStore,
    credits_in: int = 100,
    *,
    limit: RateLimit = GENEROUS,
    notify: str | None = None,
) -> JobOwner:
    """Open an account with one job."""
    customer = open_account(store, credits_in, limit=limit)
    job = new_job(customer, notify=notify)
    jobs.create_job(job)
    return JobOwner(customer, job.job_id)


def process(
    jobs: JobStore,
    owner: JobOwner,
    source: str,
    state: ObjectState = ObjectState.DONE,
    *,
    now_us: Instant = START,
) -> bool:
    """Reserve the price of an object and write its final state, as a worker does."""
    hold = owner.hold(source, now_us=now_us)
    jobs.reserve_object(hold, now_us=now_us)
    return jobs.end_object(owner.row(source, state), hold, now_us=now_us)


def active(jobs: JobStore, owner: JobOwner) -> list[Job]:
    """Return the owner's job in a list, or an empty list if the job is not active."""
    return [job for job in jobs.list_active() if job.job_id == owner.job_id]


def rows_of(jobs: JobStore, job_id: str) -> Iterator[JobObject]:
    """Yield the rows of all objects of a job, page by page."""
    after = None
    while True:
        page = jobs.list_objects(job_id, states=ALL_STATES, after=after, limit=100)
        yield from page.objects
        after = page.after
        if after is None:
            return


@dataclass(frozen=True)
class Exact:
    """An account, its only job, and the job's rows, which agree."""

    account: Account
    job: Job
    rows: list[JobObject]


def require_exact(store: AccountStore, jobs: JobStore, owner: JobOwner, now_us: Instant) -> Account:
    """Require that account, ledger, job and object rows agree; return the account.

    The account must have made no calls except those of the job.
    """
    return read_exact(store, jobs, owner, now_us).account


def read_exact(store: AccountStore, jobs: JobStore, owner: JobOwner, now_us: Instant) -> Exact:
    """Read all that `require_exact` compares, and require that it agrees."""
    read = store.read_with_ledger(owner.customer.account_id, now_us=now_us)
    assert list(differences(read.account, read.entries)) == []
    rows = list(rows_of(jobs, owner.job_id))
    ids = [row.object_id for row in rows]
    assert ids == sorted(set(ids))
    job = jobs.find_job(owner.job_id)
    counts, charged = job.counts, sum(row.charged for row in rows)
    assert (counts.charged, read.account.used) == (charged, charged)
    assert sum(month.credits for month in read.account.usage.values()) == charged
    states = [row.state for row in rows]
    assert counts == JobCounts(
        received=counts.received,
        done=states.count(ObjectState.DONE),
        failed=states.count(ObjectState.FAILED),
        cancelled=states.count(ObjectState.CANCELLED),
        charged=Credits(charged),
    )
    return Exact(read.account, job, rows)


def new_source() -> str:
    """Return a photo name that no other test uses."""
    return f"{new_id('photo')}.jpg"
