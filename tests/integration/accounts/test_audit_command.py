"""`bgblur accounts audit` during calls and top-ups, on every store."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from tests.integration.accounts.customer import MakeAccount, entry
from tests.integration.accounts.spending import now, with_retries

from bgblur.account_commands import accounts

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore


@pytest.mark.parametrize("of", ["one account", "all accounts"])
def test_audit_finds_no_difference_while_top_ups_and_calls_arrive(
    store: AccountStore,
    location: str,
    make_account: MakeAccount,
    monkeypatch: pytest.MonkeyPatch,
    of: str,
) -> None:
    monkeypatch.setenv("BLUR_ACCOUNTS", location)
    customer = make_account(credits=100)
    over = Event()

    def work() -> None:
        while not over.is_set():
            with_retries(partial(store.append_entry, entry(customer.account_id, 2, at_us=now())))
            now_us = now()
            hold = customer.hold(now_us=now_us)
            with_retries(partial(store.reserve, hold, now_us=now_us))
            with_retries(partial(store.settle, hold, now_us=now()))

    audited = [customer.account_id] if of == "one account" else []
    with ThreadPoolExecutor(2) as pool:
        workers = [pool.submit(work) for _ in range(2)]
        try:
            audits = [
                CliRunner().invoke(accounts, ["audit", *audited, "--json"]) for _ in range(10)
            ]
        finally:
            over.set()
        for worker in workers:
            worker.result()
    failed = [audit.output for audit in audits if audit.exit_code]
    assert failed == []
    assert [json.loads(audit.output)["differences"] for audit in audits] == [[]] * 10
