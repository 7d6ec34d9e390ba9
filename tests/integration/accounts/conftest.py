"""Accounts in the store under test; tests with `store` run once against each store."""

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
