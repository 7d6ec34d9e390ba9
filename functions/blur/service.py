"""The use case: hold the price, blur the photo, settle; or give the credit back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from blur.accounts import once
from blur.accounts.model import SECOND_US, AccountStatus, Claim, Instant, KeyKind
from blur.deadline import before_timeout
from blur.delivery.store import Result
from blur.errors import ApiError
from blur.imaging.pipeline import blur_photo
from blur.stopwatch import Stopwatch

if TYPE_CHECKING:
    from blur.accounts.keys import ApiKey
    from blur.accounts.model import AccountView
    from blur.accounts.store import CallStore
    from blur.deadline import Deadline
    from blur.delivery.results import Results
    from blur.delivery.store import Link
    from blur.imaging.encode.encoder import Encoded
    from blur.imaging.matting.matte import Predictor
    from blur.imaging.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked to be done to which image."""

    image: bytes = field(repr=False)
    recipe: Recipe
    idempotency_key: str | None = None

    def fingerprint(self) -> str:
        """Return the SHA-256 of the image and of everything that shapes the result."""
        digest = hashlib.sha256(json.dumps(asdict(self.recipe)).encode())
        digest.update(self.image)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Picture:
    """The result, where the key stands after it, and whether it was paid for before."""

    image: Encoded
    standing: AccountStatus
    replayed: bool
    durations_ms: Mapping[str, float] = field(default_factory=dict)
    """How long each step took, and the whole."""
    link: Link | None = None
    """Where the image is kept, if it is too large to be answered with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlurService:
    """The calls of the API on values; what differs by where it runs is passed in."""

    store: CallStore
    model: Callable[[], Predictor]
    """Gives the model, which it opens but once."""
    results: Results
    price: int
    hold_ttl_s: int
    max_pixels: int
    deadline_margin_s: int
    clock: Callable[[], Instant]
    ticks: Callable[[], int]
    """Nanoseconds that never go back, to measure with."""
    new_hold_id: Callable[[], str]

    def blur(self, key: ApiKey, order: Order, *, left_ms: int) -> Picture:
        """Blur one photo and charge for it once; `left_ms` is the time until the process is ended.

        Raises:
            ApiError: nothing was charged; `standing` is set where the key is good.

        """
        watch = Stopwatch(self.ticks)
        deadline = before_timeout(self.clock, left_ms=left_ms, margin_s=self.deadline_margin_s)
        call = once.begin(self.store, self._claim(key), _ticket(order), now_us=self.clock())
        try:
            image = self._render(order, deadline, watch, stamped=key.kind is KeyKind.TEST)
            durations_ms = watch.durations_ms()
            link = self._keep(image, order)
        except BaseException as error:
            standing = once.abandon(self.store, call, now_us=self.clock())
            if isinstance(error, ApiError):
                error.standing = standing
            raise
        standing = once.finish(self.store, call, now_us=self.clock())
        return Picture(image, standing, call.hold is None, durations_ms, link)

    def count(self, key: ApiKey) -> AccountStatus:
        """Authenticate and count a request that cannot be carried out.

        Raises:
            InvalidApiKeyError, RateLimitError: these outrank what is wrong with the request.

        """
        return self.store.authorize(key.account_id, key.digest, now_us=self.clock())

    def account(self, key: ApiKey) -> AccountView:
        """Show the key's account.

        Raises:
            InvalidApiKeyError, RateLimitError: as for any call.

        """
        return self.store.inquire(key.account_id, key.digest, now_us=self.clock())

    def _claim(self, key: ApiKey) -> Claim:
        return Claim(
            account_id=key.account_id,
            key_digest=key.digest,
            hold_id=self.new_hold_id(),
            price=self.price if key.kind is KeyKind.LIVE else 0,
            hold_ttl_us=self.hold_ttl_s * SECOND_US,
        )

    def _render(
        self, order: Order, deadline: Deadline, watch: Stopwatch, *, stamped: bool
    ) -> Encoded:
        def begin(step: str) -> None:
            deadline.check()
            watch.step(step)

        return blur_photo(
            order.image,
            order.recipe,
            model=self.model(),
            max_pixels=self.max_pixels,
            stamped=stamped,
            on_step=begin,
        )

    def _keep(self, image: Encoded, order: Order) -> Link | None:
        result = Result(
            image.data, image.content_type, f"{order.recipe.mode}.{order.recipe.output}"
        )
        return self.results.link_to(result, now_us=self.clock())


def _ticket(order: Order) -> once.Ticket | None:
    if order.idempotency_key is None:
        return None
    return once.Ticket(order.idempotency_key, order.fingerprint())
