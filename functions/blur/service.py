"""The use case: reserve the price, compute the image, then settle the hold or refund it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Generic

from blur.accounts import idempotency
from blur.accounts.lost_calls import StartedCall
from blur.accounts.model import SECOND_US, Hold, Instant, KeyKind, Weight
from blur.accounts.repeats import identify_repeat
from blur.errors import ApiError, InsufficientCreditsError
from blur.image_requests import Output
from blur.imaging import blur_options
from blur.imaging.removal import options as removal
from blur.measurements import Measurements
from blur.prices import charged_price
from blur.timing import MILLISECOND_NS, Stopwatch, before_timeout

if TYPE_CHECKING:
    from blur.account_status import AccountStatus
    from blur.accounts.idempotency import Reservation
    from blur.accounts.idempotency_key import IdempotencyKey
    from blur.accounts.keys import ApiKey
    from blur.accounts.model import AccountView
    from blur.accounts.ports import CallStore
    from blur.credits import Credits
    from blur.engine import Engine
    from blur.forms import PaidForm
    from blur.image_requests import ImageRequest
    from blur.prices import PriceRange, Prices
    from blur.storage.large_results import Results
    from blur.storage.ports import Link
    from blur.timing import Deadline

STEPS = ("reserve", "read", *blur_options.STEPS, "store", "settle")
"""The steps of a call. If the price depends on the form, `read` comes before `reserve`."""
REMOVAL_STEPS = ("read", "reserve", *removal.STEPS, "store", "settle")
"""The steps of a call to `POST /v1.0/removebg`."""


@dataclass(frozen=True, slots=True)
class CallResult(Generic[Output]):
    """The image, the account's status after the call, and whether the call is a replay."""

    output: Output
    status: AccountStatus
    replayed: bool
    durations_ms: Mapping[str, float] = field(default_factory=dict)
    """The time of each step, and of the whole call."""
    link: Link | None = None
    """Set if the image is in storage, because it is too large for the response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageService:
    """The use cases of the API, without HTTP; stores, clocks and the models are passed in."""

    store: CallStore
    engine: Callable[[], Engine]
    results: Results
    prices: Prices
    hold_ttl_s: int
    deadline_margin_s: int
    dedupe_s: int = 0
    """How long a repeated call without an `Idempotency-Key` counts as a copy; 0 turns this off."""
    ordinary_cpu_ms: int
    """The CPU time of an ordinary photo. In the rate limit, an uncharged call that takes n times as
    much CPU time counts as n requests, rounded up."""
    clock: Callable[[], Instant]
    ticks: Callable[[], int]
    """Return the nanoseconds of a monotonic clock."""
    cpu_ticks: Callable[[], int]
    """Return the CPU time of this process in nanoseconds."""
    new_hold_id: Callable[[], str]
    sleep: Callable[[float], None] = time.sleep
    on_start: Callable[[StartedCall], None] = lambda _: None  # called before each reservation

    def run(  # noqa: PLR0913 - it gets the call, its parser, and the state of the client
        self,
        key: ApiKey,
        parse: Callable[[], PaidForm[Output]],
        *,
        prices: PriceRange,
        form_first: bool = False,
        left_ms: int,
        idempotency_key: IdempotencyKey | None = None,
        is_client_connected: Callable[[], bool] = lambda: True,
        measured: Measurements | None = None,
    ) -> CallResult[Output]:
        """Compute one image and charge once; `left_ms` is the time until the process is stopped.

        `parse` reads the form; then the image is loaded. These two steps take time and memory, so
        they are done after the reservation. But if the price depends on the form, or `form_first`
        is true, the form is parsed before the reservation, and only the image is loaded later.
        `measured` receives the time of each step, even if the call fails, and the photo's size.

        Raises:
            ApiError: nothing was charged; its `account_status` is set if it is known.

        """
        measured, cpu_started_ns = measured or Measurements(), self.cpu_ticks()
        watch = measured.watch = Stopwatch(self.ticks)
        deadline = before_timeout(self.clock, left_ms=left_ms, margin_s=self.deadline_margin_s)
        form, price = None, prices.lowest
        if form_first or not prices.is_fixed:
            watch.step("read")
            form = self._parse_unpaid(key, parse, price)
            price = form.price(self.prices)
            idempotency_key = idempotency_key or form.derived_key(self.dedupe_s * SECOND_US)
        watch.step("reserve")
        hold = self._start(self._hold(key, price), idempotency_key)
        reservation = idempotency.reserve(self.store, hold, idempotency_key, now_us=self.clock())
        try:
            watch.step("read")
            request = (form or parse()).load()
            reservation = self._identify(reservation, request, deadline, is_client_connected)
            output = self._render(request, deadline, watch, key)
            watch.step("store")
            link = request.store_if_large(output, self.results, now_us=self.clock())
        except BaseException as error:
            weight = self._weight(reservation.status, cpu_started_ns)
            status = idempotency.rollback(
                self.store, reservation, now_us=self.clock(), weight=weight, failed=True
            )
            if isinstance(error, ApiError):
                error.add_account_status(status)
            raise
        watch.step("settle")
        # Only a client that sends an Idempotency-Key can get its image after it has disconnected.
        can_repeat = idempotency_key is not None and not idempotency_key.is_derived
        is_delivered = can_repeat or is_client_connected()
        charge = partial(idempotency.commit, pixels=output.photo_pixels)
        end = charge if is_delivered else idempotency.rollback
        is_free = not is_delivered or reservation.is_replay or reservation.hold.price == 0
        weight = self._weight(reservation.status, cpu_started_ns) if is_free else None
        status = end(self.store, reservation, now_us=self.clock(), weight=weight)
        measured.finish(status, output.photo_pixels)
        return CallResult(output, status, reservation.is_replay, measured.durations_ms, link)

    @contextmanager
    def authorized(self, key: ApiKey) -> Iterator[AccountStatus]:
        """Authenticate and count a free request; add the account's status to errors in the block.

        Raises:
            InvalidApiKeyError, RateLimitError: the key is rejected; the `with` block does not run.

        """
        status = self.store.authorize(key.account_id, key.digest, now_us=self.clock())
        try:
            yield status
        except ApiError as error:
            error.add_account_status(status)
            raise

    def account(self, key: ApiKey) -> AccountView:
        """Return the key's account.

        Raises:
            InvalidApiKeyError: the key is not valid.
            RateLimitError: the key has reached its rate limit.

        """
        return self.store.get_account(key.account_id, key.digest, now_us=self.clock())

    def _parse_unpaid(
        self, key: ApiKey, parse: Callable[[], PaidForm[Output]], lowest_price: Credits
    ) -> PaidForm[Output]:
        """Parse the form of a call that is not authenticated yet.

        Raises:
            ApiError: the key is not valid, has reached its rate limit or has too few credits for
            the lowest price; if the key has none of these problems, the error of the form.

        """
        try:
            return parse()
        except ApiError as error:
            status = self.store.authorize(key.account_id, key.digest, now_us=self.clock())
            price = charged_price(key.kind, lowest_price)
            if status.credits_left < price:
                raise InsufficientCreditsError(price, status) from error
            error.add_account_status(status)
            raise

    def _hold(self, key: ApiKey, price: Credits) -> Hold:
        """Return the hold of a new call."""
        return Hold(
            hold_id=self.new_hold_id(),
            account_id=key.account_id,
            key_digest=key.digest,
            price=charged_price(key.kind, price),
            expires_us=self._after(self.hold_ttl_s),
        )

    def _start(self, hold: Hold, idempotency_key: IdempotencyKey | None) -> Hold:
        self.on_start(StartedCall(hold, idempotency_key))
        return hold

    def _identify(
        self,
        reservation: Reservation,
        request: ImageRequest[Output],
        deadline: Deadline,
        is_client_connected: Callable[[], bool],
    ) -> Reservation:
        """If the call has an idempotency key, check whether the call is the first with this key."""
        if reservation.key is None:
            return reservation
        fingerprint = request.fingerprint()
        if not reservation.key.is_derived:
            return idempotency.identify(self.store, reservation, fingerprint, now_us=self.clock())

        def new_hold(key: IdempotencyKey) -> Hold:
            hold_id, expires_us = self.new_hold_id(), self._after(self.hold_ttl_s)
            hold = replace(reservation.hold, hold_id=hold_id, expires_us=expires_us)
            return self._start(hold, key)

        def pause(seconds: float) -> bool:
            deadline.check()
            if is_connected := is_client_connected():
                self.sleep(seconds)
            return is_connected

        return identify_repeat(
            self.store, reservation, fingerprint, new_hold=new_hold, pause=pause, clock=self.clock
        )

    def _render(
        self, request: ImageRequest[Output], deadline: Deadline, watch: Stopwatch, key: ApiKey
    ) -> Output:
        def begin(step: str) -> None:
            deadline.check()
            watch.step(step)

        watermarked = key.kind is KeyKind.TEST
        return request.render(self.engine(), watermarked=watermarked, on_step=begin)

    def _weight(self, status: AccountStatus, cpu_started_ns: int) -> Weight | None:
        """Return the weight of an uncharged call; None for up to `ordinary_cpu_ms` of CPU time."""
        cpu_ns = self.cpu_ticks() - cpu_started_ns
        photos = -(-cpu_ns // (self.ordinary_cpu_ms * MILLISECOND_NS))
        return Weight(photos - 1, status.rate.limit) if photos > 1 else None

    def _after(self, seconds: int) -> Instant:
        return Instant(self.clock() + seconds * SECOND_US)
