"""The environment, read once and frozen; everything below receives values."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from blur.bounds import MAX_BURST, MAX_HOLD_TTL_S, MAX_PER_MINUTE, MAX_PRICE
from blur.skew import CLOCK_SKEW_S

ON_LAMBDA = "AWS_LAMBDA_FUNCTION_NAME"
"""A variable that Lambda sets in every environment of a function."""

POSITIVE = (
    "max_pixels",
    "max_body_bytes",
    "max_upload_bytes",
    "max_response_bytes",
    "hold_ttl_s",
    "queue_wait_s",
    "stop_s",
    "timeout_s",
    "rate_per_minute",
    "rate_burst",
    "ordinary_cpu_ms",
)

_PUBLIC_URL = re.compile(
    r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?"
)

AT_MOST = {
    "price": MAX_PRICE,
    "hold_ttl_s": MAX_HOLD_TTL_S,
    "rate_per_minute": MAX_PER_MINUTE,
    "rate_burst": MAX_BURST,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator can set. Each field is the environment variable `BLUR_<FIELD>`."""

    accounts: str = "sqlite:var/accounts.db"
    """Where keys and credits live: `sqlite:<path>` or `dynamodb:<table>`."""
    model: str = "u2netp-light"
    """Name of the model, one of `imaging.matting.models.MODELS`."""
    model_dir: Path = Path("/opt/models")
    """Folder of the ONNX files, where a Lambda layer would mount them."""
    inference_threads: int = 0
    """Threads of one inference; 0 takes every CPU that the process may use."""
    price: int = 1
    """Credits for one image."""
    max_pixels: int = 50_000_000
    """Largest image, width times height, known from its header before decoding."""
    max_body_bytes: int = 20_000_000
    """Largest request body. On Lambda its own limit of 6 MB of JSON binds first."""
    media: str = ""
    """Where large results and uploads go: `s3:<bucket>`, `folder:<path>`, or nothing."""
    max_upload_bytes: int = 50_000_000
    """Largest file that may be uploaded there."""
    public_url: str = ""
    """The URL at which clients reach this server, such as `https://api.example.com`. It is put
    before the paths of upload forms."""
    max_response_bytes: int = 6_291_556
    """Largest proxy response; a result beyond it goes to the bucket, if there is one. The
    default is Lambda's limit, which its own error message names."""
    site_dir: Path = Path("/opt/site")
    """Folder of the page; where there is none, there is no page."""
    hold_ttl_s: int = 120
    """Seconds after which an unsettled hold expires; longer than the longest request."""
    timeout_s: int = 28
    """Seconds after which Lambda ends a call; of no use anywhere else."""
    deadline_margin_s: int = 5
    """Seconds before Lambda's time-out at which a call is given up; 0 gives up none."""
    queue_wait_s: int = 30
    """Seconds that a photo waits for a free worker of the embedded server, then it gets a 503."""
    stop_s: int = 30
    """Seconds that the embedded server has at SIGTERM to finish the requests it has accepted."""
    connections_per_address: int = 256
    """Connections that the embedded server takes from one client address; 0 sets no limit."""
    rate_per_minute: int = 100
    """Requests a minute for each key that has no limit of its own."""
    rate_burst: int = 100
    """Requests that a rested key may send at once."""
    ordinary_cpu_ms: int = 2_000
    """CPU of an ordinary photo. A call that is not charged counts as one request for each."""

    def __post_init__(self) -> None:
        """Refuse a value that would only fail later, in the middle of a request."""
        for name in ("price", "inference_threads", "deadline_margin_s", "connections_per_address"):
            _require(getattr(self, name) >= 0, name, "at least 0")
        for name in POSITIVE:
            _require(getattr(self, name) > 0, name, "more than 0")
        for name, most in AT_MOST.items():
            _require(getattr(self, name) <= most, name, f"at most {most}")
        is_url = not self.public_url or _PUBLIC_URL.fullmatch(self.public_url) is not None
        _require(is_url, "public_url", "http:// or https://, a host, and at most a port and a path")
        longer = self.hold_ttl_s > self.deadline_margin_s
        _require(longer, "hold_ttl_s", f"more than {variable_of('deadline_margin_s')}")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Build the settings from `BLUR_*` variables.

        Raises:
            ValueError: a variable's text does not fit its field, `BLUR_*` is unknown, or the
                settings do not fit Lambda and this is Lambda.

        """
        known = {variable_of(field.name): field for field in fields(cls)}
        given = {name for name in environ if name.startswith("BLUR_")}
        if unknown := sorted(given - known.keys()):
            message = f"unknown setting {', '.join(unknown)}"
            raise ValueError(message)
        values: dict[str, Any] = {}
        for variable in given:
            field = known[variable]
            values[field.name] = _parse(environ[variable], type(field.default), variable)
        settings = cls(**values)
        if ON_LAMBDA in environ:
            settings.require_lambda()
        return settings

    def require_lambda(self) -> None:
        """Reject settings with which Lambda would lose pictures that were charged.

        Raises:
            ValueError: a large result has no place to go, or a hold can end before its call.

        """
        is_bucket = self.media.startswith("s3:")
        _require(is_bucket, "media", "s3:<bucket> on Lambda, which drops answers of more than 6 MB")
        enough = self.hold_ttl_s >= self.timeout_s + CLOCK_SKEW_S
        least = f"at least {variable_of('timeout_s')} and {CLOCK_SKEW_S} s more on Lambda"
        _require(enough, "hold_ttl_s", least)

    def threads(self) -> int:
        """Return how many threads one inference gets."""
        return self.inference_threads or usable_cpus()


def usable_cpus() -> int:
    """Return how many CPUs this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def variable_of(field_name: str) -> str:
    """Return the environment variable that sets a field."""
    return f"BLUR_{field_name.upper()}"


def _parse(text: str, kind: type, variable: str) -> object:
    try:
        return kind(text)
    except ValueError as error:
        expected = "a whole number" if kind is int else f"a valid {kind.__name__}"
        message = f"{variable}={text!r} is not {expected}"
        raise ValueError(message) from error


def _require(holds: bool, name: str, what: str) -> None:  # noqa: FBT001 - reads as an assertion
    if not holds:
        message = f"{variable_of(name)} must be {what}"
        raise ValueError(message)
