"""The settings: environment variables, parsed once into a frozen object."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, fields
from pathlib import Path
from typing import Any

from blur.account_bounds import MAX_BURST, MAX_DEDUPE_S, MAX_HOLD_TTL_S, MAX_PER_MINUTE, MAX_PRICE
from blur.credits import (
    NUMBER_OF_CREDITS,
    ONE,
    QUARTER,
    Credits,
    format_credits,
    parse_credits,
)
from blur.skew import CLOCK_SKEW_S

ON_LAMBDA = "AWS_LAMBDA_FUNCTION_NAME"
"""A variable that Lambda sets in every environment of a function."""

POSITIVE = (
    "max_pixels",
    "max_body_bytes",
    "removebg_max_body_bytes",
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

_BASE_PATH = re.compile(r"[A-Za-z0-9._~-]{0,100}")

PRICES = ("price", "price_preview", "price_person")
"""The settings that are amounts of credits."""

AT_MOST = {
    "inference_threads": 1_024,  # each thread needs memory
    "hold_ttl_s": MAX_HOLD_TTL_S,
    "removebg_dedupe_s": MAX_DEDUPE_S,
    "rate_per_minute": MAX_PER_MINUTE,
    "rate_burst": MAX_BURST,
}

SWITCH = {"yes": True, "no": False}
EXPECTED = {int: "a whole number", bool: "yes or no"}
"""How error messages describe a valid value, by the type of the setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings. The environment variable `BLUR_<FIELD>` sets a field."""

    accounts: str = "sqlite:var/accounts.db"
    """Where accounts are stored: `sqlite:<path>` or `dynamodb:<table>`."""
    model: str = "u2netp-light"
    """Name of the model, one of `imaging.matting.models.MODELS`."""
    model_dir: Path = Path("/opt/models")
    """Folder with the models' ONNX files; the default is the folder of the model layer."""
    inference_threads: int = 0
    """Threads for one inference; 0 stands for one thread on each available CPU."""
    price: Credits = ONE
    """Credits for one image."""
    price_preview: Credits = QUARTER
    """Credits for a preview: a removed background of at most 0.25 megapixels (see `is_preview`)."""
    price_person: Credits | None = None
    """Credits for an image with `subject=person`; None means `price`."""
    max_pixels: int = 50_000_000
    """Largest image, in pixels: width times height in the file's header, before decoding."""
    max_body_bytes: int = 20_000_000
    """Largest request body, in bytes. Lambda's own limit of 6 MB of JSON is lower."""
    removebg_max_body_bytes: int = 32_000_000
    """Largest body of a request to `/v1.0/removebg`: a file of 22 MB takes 29.3 MB in
    base64, and 31.2 MB in a urlencoded form."""
    removebg_dedupe_s: int = 120
    """For this number of seconds after a call to `/v1.0/removebg`, a call with the same image and
    parameters, but without an `Idempotency-Key`, counts as a copy and is not charged. At most
    86,400; 0 turns this off."""
    media: str = ""
    """Where large results and uploads are stored: `s3:<bucket>`, `folder:<path>`, or empty."""
    max_upload_bytes: int = 50_000_000
    """Largest upload, in bytes."""
    base_path: str = ""
    """The base path of the API's domain in API Gateway, without slashes, or empty."""
    public_url: str = ""
    """The URL at which clients reach this server, such as `https://api.example.com`. Upload
    forms need it."""
    max_response_bytes: int = 6_291_556
    """Largest response in API Gateway's JSON format, in bytes; a larger result is stored in the
    bucket, if there is one. The default is the limit that Lambda's error message states."""
    site_dir: Path = Path("/opt/site")
    """Folder with the files of the page at `/`; without this folder, the server has no page."""
    fetch_urls: bool = False
    """Whether the service fetches images by URL, and sends notifications: `yes` or `no`."""
    hold_ttl_s: int = 120
    """Seconds after which an unsettled hold expires; longer than the longest request."""
    tracing: bool = False
    """Whether Lambda sends traces to X-Ray: `yes` or `no`."""
    timeout_s: int = 28
    """Seconds after which Lambda stops a call; the embedded server does not use this setting."""
    deadline_margin_s: int = 5
    """Seconds before the process's time-out at which a call is stopped; 0 sets no deadline."""
    queue_wait_s: int = 30
    """Seconds that a request waits for a free worker of the embedded server before it gets 503."""
    stop_s: int = 30
    """Seconds that the embedded server has after SIGTERM to finish its requests."""
    connections_per_address: int = 256
    """Connections that the embedded server accepts from one client address; 0 sets no limit."""
    job_workers: int = 0
    """Workers of the embedded server that can process photos of jobs at the same time; 0 stands for
    all workers except one, but at least one."""
    job_free_bytes: int = 1_000_000_000
    """Free bytes that must remain on the disk of the embedded server after an upload to a job;
    after the server stores a result, half as many must remain."""
    rate_per_minute: int = 100
    """Requests per minute of a key that is issued without its own limit."""
    rate_burst: int = 100
    """Requests that a key without its own limit can send at once, after a pause."""
    ordinary_cpu_ms: int = 2_000
    """Milliseconds of CPU time for an ordinary photo. In the rate limit, an uncharged call that
    takes n times as much CPU time counts as n requests, rounded up."""

    def __post_init__(self) -> None:
        """Reject values that would fail later, in a request."""
        for name in PRICES:
            price = getattr(self, name) or 0
            _require(price >= 0, name, "at least 0")
            _require(price <= MAX_PRICE, name, f"at most {format_credits(MAX_PRICE)}")
        for name in (
            "inference_threads",
            "deadline_margin_s",
            "connections_per_address",
            "job_workers",
            "job_free_bytes",
            "removebg_dedupe_s",
        ):
            _require(getattr(self, name) >= 0, name, "at least 0")
        for name in POSITIVE:
            _require(getattr(self, name) > 0, name, "more than 0")
        for name, most in AT_MOST.items():
            _require(getattr(self, name) <= most, name, f"at most {most}")
        is_url = not self.public_url or _PUBLIC_URL.fullmatch(self.public_url) is not None
        _require(is_url, "public_url", "http:// or https://, a host, and at most a port and a path")
        is_part = _BASE_PATH.fullmatch(self.base_path) is not None
        _require(is_part, "base_path", "one part of a path, without slashes")
        longer = self.hold_ttl_s > self.deadline_margin_s
        _require(longer, "hold_ttl_s", f"more than {variable_of('deadline_margin_s')}")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Build the settings from `BLUR_*` variables.

        Raises:
            ValueError: a variable is unknown or not valid, or the process runs on Lambda and
            `require_lambda` rejects the settings.

        """
        known = {variable_of(field.name): field for field in fields(cls)}
        ours = {name for name in environ if name.startswith("BLUR_")}
        if unknown := sorted(ours - known.keys()):
            message = f"unknown setting {', '.join(unknown)}"
            raise ValueError(message)
        values: dict[str, Any] = {}
        for variable in ours:
            field = known[variable]
            values[field.name] = _parse(environ[variable], field, variable)
        settings = cls(**values)
        if ON_LAMBDA in environ:
            settings.require_lambda()
        return settings

    def require_lambda(self) -> None:
        """Reject settings that would make Lambda lose charged images.

        Raises:
            ValueError: large results have no storage, or a hold can expire before its call ends.

        """
        is_bucket = self.media.startswith("s3:")
        _require(
            is_bucket, "media", "s3:<bucket> on Lambda, which drops responses of more than 6 MB"
        )
        enough = self.hold_ttl_s >= self.timeout_s + CLOCK_SKEW_S
        least = f"at least {CLOCK_SKEW_S} s more than {variable_of('timeout_s')} on Lambda"
        _require(enough, "hold_ttl_s", least)

    def person_price(self) -> Credits:
        """Return the price of an image with `subject=person`."""
        return self.price if self.price_person is None else self.price_person

    def threads(self) -> int:
        """Return the number of threads for one inference."""
        return self.inference_threads or usable_cpus()


def usable_cpus() -> int:
    """Return the number of CPUs that this process can use, or all CPUs if that is unknown."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def variable_of(field_name: str) -> str:
    """Return the environment variable that sets a field."""
    return f"BLUR_{field_name.upper()}"


def _parse(text: str, field: Field[Any], variable: str) -> object:
    if not text and field.default is None:
        return None
    parse, expected = _parser(field)
    try:
        return parse(text)
    except ValueError as error:
        message = f"{variable}={text!r} is not {expected}"
        raise ValueError(message) from error


def _parser(field: Field[Any]) -> tuple[Callable[[str], object], str]:
    """Return the function that parses the field's text, and the description of valid text."""
    if field.name in PRICES:
        return parse_credits, NUMBER_OF_CREDITS
    kind = type(field.default)
    parse = _parse_switch if kind is bool else kind
    return parse, EXPECTED.get(kind) or f"a valid {kind.__name__}"


def _parse_switch(text: str) -> bool:
    if text not in SWITCH:
        raise ValueError
    return SWITCH[text]


def _require(holds: bool, name: str, requirement: str) -> None:  # noqa: FBT001 - the condition is first, as in an assert
    if not holds:
        message = f"{variable_of(name)} must be {requirement}"
        raise ValueError(message)
