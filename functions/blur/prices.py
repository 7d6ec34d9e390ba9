"""The prices of blurred photos, removed backgrounds, previews, and `subject=person`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from blur.accounts.model import KeyKind
from blur.credits import ZERO

if TYPE_CHECKING:
    from blur.credits import Credits
    from blur.imaging.blur_options import BlurOptions
    from blur.settings import Settings


class PriceRange(NamedTuple):
    """The lowest and the highest price of a route."""

    lowest: Credits
    highest: Credits

    @property
    def is_fixed(self) -> bool:
        """Whether all calls have the same price, which is then known before the form is read."""
        return self.lowest == self.highest


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The prices of calls with live keys."""

    image: Credits
    preview: Credits
    """The price of a preview of a removed background. `removebg.parameters.is_preview` decides
    whether a call is a preview."""
    person: Credits
    """The price of a photo with `subject=person`."""

    @classmethod
    def of(cls, settings: Settings) -> Prices:
        """Return the prices that the settings define."""
        return cls(
            image=settings.price,
            preview=settings.price_preview,
            person=settings.person_price(),
        )

    @property
    def blur(self) -> PriceRange:
        """The prices of `POST /v2/rembg/blur/`."""
        return PriceRange(min(self.image, self.person), max(self.image, self.person))

    @property
    def removal(self) -> PriceRange:
        """The prices of `POST /v1.0/removebg`."""
        return PriceRange(min(self.image, self.preview), max(self.image, self.preview))

    def blur_price(self, options: BlurOptions) -> Credits:
        """Return the price of a call to `POST /v2/rembg/blur/`."""
        return self.person if options.subject == "person" else self.image

    def removal_price(self, *, is_preview: bool) -> Credits:
        """Return the price of a call to `POST /v1.0/removebg`."""
        return self.preview if is_preview else self.image


def charged_price(kind: KeyKind, price: Credits) -> Credits:
    """Return the charge for a call with a key of this kind; calls with test keys are free."""
    return price if kind is KeyKind.LIVE else ZERO
