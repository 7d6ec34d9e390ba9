"""The stores under test. Each test that asks for `store` runs once against each of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from tests.integration.accounts.customer import MakeAccount, open_account

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore


@pytest.fixture
def make_account(store: AccountStore) -> MakeAccount:
    return partial(open_account, store)
