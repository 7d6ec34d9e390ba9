"""The use case: reserve the price, blur the photo, then settle the hold or refund it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING

from blur.accounts import idempotency
from blur.accounts.model import SECOND_US, Hold, Instant, KeyKind, Weight
from blur.credits import ZERO, Credits
from blur.errors import ApiError
from blur.imaging import pipeline
from blur.imaging.pipeline import BlurredPhoto, blur_photo
from blur.timing import MILLISECOND_NS, Stopwatch, before_timeout

if TYPE_CHECKING:
    from blur.account_status import AccountStatus
    from blur.accounts.idempotency import IdempotencyKey
    from blur.accounts.keys import ApiKey
    from blur.accounts.model import AccountView
    from blur.accounts.ports import CallStore
    from blur.imaging.encode.encoder import EncodedImage
    from blur.imaging.matting.matte import Predictor
    from blur.imaging.options import BlurOptions
    from blur.storage.large_results import Results
    from blur.storage.ports import Link
    from blur.timing import Deadline

STEPS = ("reserve", "read", *pipeline.STEPS, "store", "settle")
"""The steps of a call, in the order of `Server-Timing`."""

ALWAYS_IN_FINGERPRINT = ("radius_px", "kernel", "mode", "output", "quality")
"""The first fields of the options. A later field is in a fingerprint only if its value differs from
its default, so that adding it changes no fingerprint of a request that was sent before."""


@dataclass(frozen=True, slots=True)
class BlurRequest:
    """An image and its blur options."""

    image: bytes = field(repr=False)
    options: BlurOptions

    def fingerprint(self) -> str:
        """Return the SHA-256 of the image and of all parameters that shape the result."""
        digest = hashlib.sha256(json.dumps(_identifying(self.options)).encode())
        digest.update(self.image)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class BlurResult:
    """The image, the account's status after the call, and whether it repeats a paid call."""

    image: EncodedImage
    status: AccountStatus
    replayed: bool
    depth: str
    """The depth that was used, one of `modes.DEPTHS`."""
    durations_ms: Mapping[str, float] = field(default_factory=dict)
    """The time of each step, and of the whole call."""
    link: Link | None = None
    """Set if the image is in storage, because it is too large for the response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlurService:
    """The use cases of the API, without HTTP; stores, clocks and the model are passed in."""

    store: CallStore
    model: Callable[[], Predictor]
    """Return the model; it is opened once."""
    people: Callable[[], Predictor | None] = lambda: None
    """Return the network for people, if it is installed; it is opened once."""
    results: Results
    price: Credits
    hold_ttl_s: int
    max_pixels: int
    deadline_margin_s: int
    ordinary_cpu_ms: int
    """CPU time of an ordinary photo: an uncharged call counts as one request for each of these."""
    clock: Callable[[], Instant]
    ticks: Callable[[], int]
    """Return the nanoseconds of a monotonic clock."""
    cpu_ticks: Callable[[], int]
    """Return the CPU time of this process in nanoseconds."""
    new_hold_id: Callable[[], str]

    def blur(
        self,
        key: ApiKey,
        read: Callable[[], BlurRequest],
        *,
        left_ms: int,
        idempotency_key: IdempotencyKey | None = None,
        is_client_connected: Callable[[], bool] = lambda: True,
    ) -> BlurResult:
        """Blur one photo and charge once; `left_ms` is the time until Lambda stops the process.

        `read` parses the request. It is called after the price is reserved, because parsing a
        form and fetching an upload take time and memory.

        Raises:
            ApiError: nothing was charged; `account_status` is set if the key is valid.

        """
        watch, cpu_begun_ns = Stopwatch(self.ticks), self.cpu_ticks()
        deadline = before_timeout(self.clock, left_ms=left_ms, margin_s=self.deadline_margin_s)
        watch.step("reserve")
        hold = self._hold(key)
        reservation = idempotency.reserve(self.store, hold, idempotency_key, now_us=self.clock())
        try:
            watch.step("read")
            request = read()
            fingerprint = request.fingerprint() if idempotency_key else ""
            reservation = idempotency.identify(
                self.store, reservation, fingerprint, now_us=self.clock()
            )
            image, depth = self._render(
                request, deadline, watch, watermarked=key.kind is KeyKind.TEST
            )
            watch.step("store")
            link = self._store_if_large(image, request)
        except BaseException as error:
            weight = self._weight(reservation.status, cpu_begun_ns)
            status = idempotency.rollback(
                self.store, reservation, now_us=self.clock(), weight=weight
            )
            if isinstance(error, ApiError):
                error.add_account_status(status)
            raise
        watch.step("settle")
        # Without an Idempotency-Key a client that has disconnected cannot get its picture.
        is_delivered = idempotency_key is not None or is_client_connected()
        end = idempotency.commit if is_delivered else idempotency.rollback
        is_free = not is_delivered or reservation.is_replay or hold.price == 0
        weight = self._weight(reservation.status, cpu_begun_ns) if is_free else None
        status = end(self.store, reservation, now_us=self.clock(), weight=weight)
        replayed = reservation.is_replay
        return BlurResult(image, status, replayed, depth, watch.durations_ms(), link)

    @contextmanager
    def authorized(self, key: ApiKey) -> Iterator[AccountStatus]:
        """Authenticate and count a free request; errors in its context get the account's status.

        Raises:
            InvalidApiKeyError, RateLimitError: before any error in the request itself.

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
            InvalidApiKeyError, RateLimitError: as for every call.

        """
        return self.store.get_account(key.account_id, key.digest, now_us=self.clock())

    def _hold(self, key: ApiKey) -> Hold:
        """Return the hold for a call that starts now."""
        return Hold(
            hold_id=self.new_hold_id(),
            account_id=key.account_id,
            key_digest=key.digest,
            price=self.price if key.kind is KeyKind.LIVE else ZERO,
            expires_us=Instant(self.clock() + self.hold_ttl_s * SECOND_US),
        )

    def _weight(self, status: AccountStatus, cpu_begun_ns: int) -> Weight | None:
        """Return the extra requests that an uncharged call counts as, by its CPU time."""
        cpu_ns = self.cpu_ticks() - cpu_begun_ns
        photos = -(-cpu_ns // (self.ordinary_cpu_ms * MILLISECOND_NS))
        return Weight(photos - 1, status.rate.limit) if photos > 1 else None

    def _render(
        self, request: BlurRequest, deadline: Deadline, watch: Stopwatch, *, watermarked: bool
    ) -> BlurredPhoto:
        def begin(step: str) -> None:
            deadline.check()
            watch.step(step)

        return blur_photo(
            request.image,
            request.options,
            model=self.model(),
            people=self.people(),
            max_pixels=self.max_pixels,
            watermarked=watermarked,
            on_step=begin,
        )

    def _store_if_large(self, image: EncodedImage, request: BlurRequest) -> Link | None:
        options = request.options
        return self.results.store_if_large(
            image.data,
            content_type=image.content_type,
            file_name=f"{options.mode}.{options.output}",
            now_us=self.clock(),
        )


def _identifying(options: BlurOptions) -> dict[str, object]:
    """Return the options that are part of a fingerprint."""
    values = {each.name: (getattr(options, each.name), each.default) for each in fields(options)}
    return {
        name: value
        for name, (value, default) in values.items()
        if name in ALWAYS_IN_FINGERPRINT or default is MISSING or value != default
    }
