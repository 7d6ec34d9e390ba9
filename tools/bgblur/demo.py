"""The demo account that `make run` begins with, so that the first call needs no set-up."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from bgblur.embedded import site
from blur.accounts import keys
from blur.accounts.model import EntryKind, KeyKind, RateLimit
from blur.accounts.store import UnknownAccountError
from blur.errors import InvalidApiKeyError

if TYPE_CHECKING:
    from blur.accounts.admin import Office

CREDITS = 1000
REFILL_BELOW = 100


def demo_key(office: Office, key_file: Path, *, limit: RateLimit) -> str:
    """Return the demo key, making its account at the first start and refilling it later.

    A key is otherwise shown once and kept nowhere. This one lies in a file of mode 0600
    beside the database, worth no more than the credits of a machine's own demo.
    """
    text = key_file.read_text().strip() if key_file.exists() else ""
    if not _is_known(office, text):
        account_id = office.open_account("demo", credits=CREDITS)
        text, _ = office.issue_key(account_id, KeyKind.LIVE, limit=limit)
        key_file.unlink(missing_ok=True)  # an old file can have another mode
        key_file.touch(mode=0o600)
        key_file.write_text(f"{text}\n")
    _refill(office, keys.parse(text).account_id)
    return text


def curl_line(api_key: str, base_url: str) -> str:
    """Return a command that blurs the sample photo, to be pasted into any shell."""
    words = ["curl", "-sS", "-H", f"ApiKey: {api_key}", "-F", f"image=@{site() / 'sample.jpg'}"]
    words += ["-F", "radius=12", f"{base_url}/v2/rembg/blur/", "-o", "blurred.png"]
    return shlex.join(words)


def _is_known(office: Office, text: str) -> bool:
    try:
        key = keys.parse(text)
        account = office.store.account(key.account_id, now_us=office.now_us)
    except (InvalidApiKeyError, UnknownAccountError):
        return False
    return any(k.digest == key.digest and k.is_valid(office.now_us) for k in account.keys)


def _refill(office: Office, account_id: str) -> None:
    account = office.store.account(account_id, now_us=office.now_us)
    if account.balance < REFILL_BELOW:
        missing = CREDITS - account.balance
        office.enter(account_id, EntryKind.TOP_UP, missing, "demo refill")
