"""The demo account of `bgblur serve --demo`, for a first call without any setup."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from bgblur.local_settings import site
from blur.accounts import keys
from blur.accounts.admin_errors import UnknownAccountError
from blur.accounts.model import EntryKind, KeyKind
from blur.credits import Credits, whole
from blur.errors import InvalidApiKeyError

if TYPE_CHECKING:
    from blur.account_status import RateLimit
    from blur.accounts.admin import AccountAdmin

CREDITS = whole(1000)
REFILL_BELOW = whole(100)


def key_file(accounts: str, data_folder: Path) -> Path:
    """Return the path of the file with the demo key; `accounts` is the value of `BLUR_ACCOUNTS`.

    Each database has its own file, so that a server never overwrites another server's key.
    """
    scheme, _, name = accounts.partition(":")
    if scheme == "sqlite":
        database = Path(name)
        return database.with_name(f"{database.name}.demo-key")
    return data_folder / f"{scheme}-{name}.demo-key"


def demo_key(admin: AccountAdmin, key_file: Path, *, limit: RateLimit) -> str:
    """Return the demo key. Create the demo account if it is missing; add credits if few are left.

    Other keys are shown once, and only their digests are stored. The demo key itself is stored in
    `key_file` with mode 0600, because it can only spend the credits of the demo account.
    """
    text = key_file.read_text().strip() if key_file.exists() else ""
    if not _is_known(admin, text):
        account_id = admin.create_account("demo", credits=CREDITS)
        text, _ = admin.issue_key(account_id, KeyKind.LIVE, limit=limit)
        key_file.parent.mkdir(parents=True, exist_ok=True)
        key_file.unlink(missing_ok=True)  # an old file can have different permissions
        key_file.touch(mode=0o600)
        key_file.write_text(f"{text}\n")
    _refill(admin, keys.parse(text).account_id)
    return text


def curl_line(api_key: str, base_url: str) -> str:
    """Return a shell command that blurs the sample photo."""
    words = ["curl", "-sS", "--fail-with-body", "-H", f"ApiKey: {api_key}"]
    words += ["-F", f"image=@{site() / 'sample.jpg'}", "-F", "radius=12"]
    words += [f"{base_url}/v2/rembg/blur/", "-o", "blurred.part"]
    print_error = "{ cat blurred.part; rm -f blurred.part; false; } 2>/dev/null"
    return f"{shlex.join(words)} && mv -f blurred.part blurred.png || {print_error}"


def _is_known(admin: AccountAdmin, text: str) -> bool:
    try:
        key = keys.parse(text)
        account = admin.store.read_account(key.account_id, now_us=admin.now_us)
    except (InvalidApiKeyError, UnknownAccountError):
        return False
    return any(k.digest == key.digest and k.is_valid(admin.now_us) for k in account.keys)


def _refill(admin: AccountAdmin, account_id: str) -> None:
    account = admin.store.read_account(account_id, now_us=admin.now_us)
    if account.balance < REFILL_BELOW:
        missing = Credits(CREDITS - account.balance)
        admin.add_ledger_entry(account_id, EntryKind.TOP_UP, missing, "demo refill")
