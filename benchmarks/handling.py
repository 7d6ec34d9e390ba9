"""Measure a call without its imaging steps: event, base64, multipart, accounts and response."""

from __future__ import annotations

import io
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from aws_lambda_powertools import Logger
from events import make
from PIL import Image
from subjects import MODELS

from bgblur.serving.proxy_events import InvocationContext
from blur.account_status import RateLimit
from blur.accounts import keys
from blur.accounts.model import EntryKind, KeyRecord, LedgerEntry
from blur.accounts.sqlite.account_store import SqliteAccountStore
from blur.app import build_app
from blur.clock import now
from blur.credits import whole
from blur.imaging.blur_options import STEPS
from blur.settings import Settings

if TYPE_CHECKING:
    from blur.imaging.matting.session import Model

REQUEST_BYTES = 4_400_000


def overhead_ms(model: Model, rounds: int) -> float:
    """Return the median time of a call, minus the imaging steps in the call's `Server-Timing`."""
    del model  # the handler opens its own model, as on Lambda
    event = make.blur(image=large_photo())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "accounts.db"
        fund(path)
        settings = Settings(accounts=f"sqlite:{path}", model_dir=MODELS)
        handler = build_app(settings, logger=Logger(service="bench", stream=io.StringIO()))
        took = []
        for _ in range(rounds + 1):
            started = time.perf_counter()
            answer = handler(event, InvocationContext())
            whole_ms = 1000 * (time.perf_counter() - started)
            took.append(whole_ms - steps_ms(answer["multiValueHeaders"]["Server-Timing"][0]))
        return statistics.median(took[1:])


def steps_ms(timing: str) -> float:
    """Return the total time of the imaging steps in a `Server-Timing` header, in milliseconds."""
    durations = dict(item.strip().split(";dur=") for item in timing.split(","))
    return sum(float(durations[step]) for step in STEPS)


def large_photo() -> bytes:
    """Return a JPEG of about `REQUEST_BYTES`: the sample photo, enlarged and very noisy."""
    with Image.open(make.PHOTO) as sample:
        pixels = np.asarray(sample.convert("RGB").resize((2400, 1800)), np.float32)
    grained = pixels + np.random.default_rng(0).normal(0, 24, pixels.shape)
    image = Image.fromarray(grained.clip(0, 255).astype(np.uint8))
    for quality in range(100, 50, -1):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        if file.tell() <= REQUEST_BYTES:
            return file.getvalue()
    raise AssertionError


def fund(path: Path) -> None:
    """Create the account and the API key that the sample events use, with enough credits."""
    key, at_us, store = keys.parse(make.FUNDED), now(), SqliteAccountStore(path)
    store.create_account(key.account_id, "bench", now_us=at_us)
    entry = LedgerEntry(key.account_id, key.account_id, EntryKind.GRANT, whole(10_000), at_us)
    store.append_entry(entry)
    limit = RateLimit(per_minute=60_000, burst=10_000)
    store.add_key(
        KeyRecord(
            key.digest,
            key.account_id,
            key.kind,
            key.prefix,
            at_us,
            None,
            revoked=False,
            limit=limit,
        ),
        now_us=at_us,
    )
    store.close()
