"""The errors of the API, and the documents that list them."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import blur.job_errors
import blur.parameter_errors  # noqa: F401 - the imports define subclasses of ApiError
from blur.account_status import AccountStatus, RateLimit, RateLimitStatus
from blur.credits import ONE
from blur.errors import ApiError
from blur.removal_errors import RemovalError

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "api.md").read_text()


def leaves(error: type[ApiError]) -> list[type[ApiError]]:
    """Return the error classes that our own routes raise and that have no subclasses."""
    children = [child for child in error.__subclasses__() if child is not RemovalError]
    return [leaf for child in children for leaf in leaves(child)] if children else [error]


@pytest.mark.parametrize("error", leaves(ApiError), ids=lambda error: error.__name__)
def test_an_error_is_documented_with_its_status(error: type[ApiError]) -> None:
    assert f"| {error.status.value} | `{error.code}` |" in DOCS
    assert f"`{error.code}`" in (ROOT / "README.md").read_text()


def test_no_two_error_classes_have_the_same_code() -> None:
    assert set(Counter(error.code for error in leaves(ApiError)).values()) == {1}


def test_the_documentation_has_exactly_the_codes_of_the_error_classes() -> None:
    documented = set(re.findall(r"^\| \d{3} \| `(\w+)` \|", DOCS, re.MULTILINE))
    assert documented == {error.code for error in leaves(ApiError)}


STATUS = AccountStatus(ONE, ONE, RateLimitStatus(RateLimit(60, 10), 9, 1))
ARGUMENTS = {
    "message": "Send a smaller photo.",
    "price": ONE,
    "account_status": STATUS,
    "retry_after_s": 7,
    "allowed": ("GET",),
    "headers": {"X-Header": "value"},
}


def every_class(error: type[ApiError]) -> list[type[ApiError]]:
    children = [found for child in error.__subclasses__() for found in every_class(child)]
    return [error, *children] if hasattr(error, "status") else children


def example(error: type[ApiError]) -> ApiError:
    """Create an error of this class, with an example of each argument."""
    create: Callable[..., ApiError] = error
    return create(**{name: ARGUMENTS[name] for name in inspect.signature(error).parameters})


@pytest.mark.parametrize("error", every_class(ApiError), ids=lambda error: error.__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickled_or_copied_error_equals_the_original(
    error: type[ApiError], protocol: int
) -> None:
    sent = example(error)
    sent.add_account_status(STATUS)
    sent.add_note("a note")
    for received in (pickle.loads(pickle.dumps(sent, protocol)), copy.copy(sent)):  # noqa: S301 - this test pickled the error
        assert type(received) is error
        assert (str(received), received.args) == (str(sent), sent.args)
        assert vars(received) == vars(sent)
