"""API keys: how keys are created, and how typos are found without the store.

    bb_live_<account id>_<secret><checksum>

The account id has 12 base62 characters. The account id is public, and names the account that a
store reads. The secret is 256 random bits in 43 base62 characters. The checksum is the CRC-32 of
all characters before it, written as 6 base62 characters, as in GitHub's tokens
(https://github.blog/engineering/behind-githubs-new-authentication-token-formats/); it detects
typos, but gives no protection. A store keeps the SHA-256 of the text, not the text; because the
secret has 256 random bits, a salt or a slow hash would not make the digest safer.
"""

from __future__ import annotations

import re
import string
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from blur.accounts.model import KeyKind
from blur.errors import InvalidApiKeyError

Entropy = Callable[[int], bytes]
"""Returns the given number of random bytes, like `secrets.token_bytes`."""

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
ACCOUNT_ID_LENGTH = 12
SECRET_LENGTH = 43
CHECK_LENGTH = 6
SHOWN_SECRET = 4
IDS = len(ALPHABET) ** ACCOUNT_ID_LENGTH

_ACCOUNT_ID = re.compile(rf"[0-9A-Za-z]{{{ACCOUNT_ID_LENGTH}}}")
_KEY = re.compile(
    rf"(?P<signed>bb_(?P<kind>live|test)_(?P<account_id>{_ACCOUNT_ID.pattern})_"
    rf"[0-9A-Za-z]{{{SECRET_LENGTH}}})(?P<check>[0-9A-Za-z]{{{CHECK_LENGTH}}})"
)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The parts of a valid key's text; the text itself is not kept, so no log can show it."""

    kind: KeyKind
    account_id: str
    digest: str
    """SHA-256 of the whole text in hexadecimal, by which a store finds the key."""
    prefix: str
    """The text up to the secret's fourth character, by which people identify the key."""


def new_account_id(entropy: Entropy) -> str:
    """Return a random account id of about 71 bits.

    The id is 128 random bits modulo 62**12, so all ids have almost the same probability: the
    probabilities differ by less than one part in 2**56.
    """
    return _base62(int.from_bytes(entropy(16)) % IDS, ACCOUNT_ID_LENGTH)


def mint(kind: KeyKind, account_id: str, entropy: Entropy) -> str:
    """Return a new key's text, which is shown once and not stored.

    Raises:
        ValueError: the account id is not 12 base62 characters.

    """
    if not _ACCOUNT_ID.fullmatch(account_id):
        message = f"{account_id!r} is not an account id"
        raise ValueError(message)
    secret = _base62(int.from_bytes(entropy(32)), SECRET_LENGTH)
    signed = f"bb_{kind}_{account_id}_{secret}"
    return signed + _check(signed)


def parse(text: str) -> ApiKey:
    """Parse a key's text without the store, in a time that grows linearly with the text's length.

    Raises:
        InvalidApiKeyError: the text is not a key, or its checksum is wrong.

    """
    match = _KEY.fullmatch(text)
    if match is None or match["check"] != _check(match["signed"]):
        raise InvalidApiKeyError
    shown = len(text) - SECRET_LENGTH - CHECK_LENGTH + SHOWN_SECRET
    digest = sha256(text.encode()).hexdigest()
    return ApiKey(KeyKind(match["kind"]), match["account_id"], digest, text[:shown])


def _check(signed: str) -> str:
    return _base62(zlib.crc32(signed.encode()), CHECK_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))
