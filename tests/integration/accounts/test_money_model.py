"""Compare the stores with a model of the ledger, for any order of calls, repeats and crashes.

Like the stores, this model of the ledger uses the table of state changes in `hold_states`. Two
servers, each with a store, use one account, and their clocks differ by at most `CLOCK_SKEW_US`. A
call ends on the server that started it; all other steps happen on either server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, initialize, invariant, multiple, rule
from tests.integration.accounts.customer import Customer, entry, key_record, open_account
from tests.integration.accounts.ledger_model import Call
from tests.integration.accounts.two_clocks import TICK_US, TwoClocks, run_orders, servers, skews

from blur.accounts.admin_errors import OverdrawnError
from blur.accounts.audit import differences
from blur.accounts.connect import open_account_store
from blur.accounts.hold_states import (
    PRICE_LOCATION,
    AccountField,
    HoldEvent,
    HoldState,
    credits_charged,
    event_at,
    next_state,
)
from blur.accounts.model import SECOND_US, EntryKind, Instant, LedgerEntry
from blur.errors import InsufficientCreditsError, InvalidApiKeyError

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore

EXAMPLES = {"sqlite": 100, "dynamodb": 15}
"""The number of random sequences for each store. With DynamoDB Local, one takes a second."""


class Ledger(TwoClocks):
    """One account and its calls, with the amounts that the account should have."""

    calls = Bundle("calls")
    lines = Bundle("lines")
    opened: tuple[AccountStore, AccountStore]

    def __init__(self) -> None:
        """Start without an account: `begin` creates the account."""
        super().__init__()
        self.known: list[Call] = []
        self.credits_in = 0
        self.key_is_valid = True

    @initialize(
        credits_in=st.integers(0, 20),
        skew_us=skews,
    )
    def begin(self, credits_in: int, skew_us: int) -> None:
        self.skew_us = skew_us
        self.customer = open_account(self.opened[0], credits_in)
        self.credits_in = credits_in

    def amount(self, amount: AccountField) -> int:
        """Return the sum that the account should have in `amount`, such as `AccountField.HELD`."""
        return sum(call.hold.price for call in self.known if PRICE_LOCATION[call.state] is amount)

    @property
    def balance(self) -> int:
        """Return the credits that can be spent."""
        return self.credits_in - self.amount(AccountField.USED) - self.amount(AccountField.HELD)

    @rule(target=calls, price=st.integers(0, 6), server=servers)
    def reserve(self, price: int, server: int) -> object:
        store, now_us = self.opened[server], self.clock_us(server)
        hold = self.customer.hold(price, now_us=now_us)
        if not self.key_is_valid:
            with pytest.raises(InvalidApiKeyError):
                store.reserve(hold, now_us=now_us)
            return multiple()
        if self.balance < price:
            with pytest.raises(InsufficientCreditsError):
                store.reserve(hold, now_us=now_us)
            return multiple()
        status = store.reserve(hold, now_us=now_us)
        call = Call(hold, server)
        self.known.append(call)
        assert (status.credits_charged, status.credits_left) == (price, self.balance)
        return call

    @rule(call=calls)
    def repeat_the_reserve(self, call: Call) -> None:
        is_known = not self.is_over(call) and call.is_remembered(self.now_us)
        if self.key_is_valid and is_known and self.is_callers(call):
            now_us = self.clock_us(call.server)
            status = self.opened[call.server].reserve(call.hold, now_us=now_us)
            assert status.credits_charged == call.hold.price
            assert status.credits_left == self.balance

    @rule(call=calls)
    def settle(self, call: Call) -> None:
        now_us = self.clock_us(call.server)
        status = self.opened[call.server].settle(call.hold, now_us=now_us)
        self.apply(call, HoldEvent.SETTLE)
        if self.is_over(call) or call.is_remembered(self.now_us):
            assert status.credits_charged == credits_charged(call.state, call.hold, now_us)
        assert status.credits_left == self.balance

    @rule(call=calls)
    def refund(self, call: Call) -> None:
        status = self.opened[call.server].refund(call.hold, now_us=self.clock_us(call.server))
        self.apply(call, HoldEvent.REFUND)
        assert status.credits_charged == 0
        assert status.credits_left == self.balance

    @rule(call=calls)
    def settle_only_after_the_end(self, call: Call) -> None:
        while self.now_us < self.end_us(call) + 15 * SECOND_US:
            self.pass_time(Instant(self.now_us + TICK_US))
        status = self.opened[call.server].settle(call.hold, now_us=self.clock_us(call.server))
        assert status.credits_left == self.balance

    @rule()
    def wait_until_the_last_second_of_a_hold(self) -> None:
        """Wait until one second before a hold's expiry by the first server's clock.

        By the second server's clock, the hold might have expired then.
        """
        ends = {self.end_us(call) for call in self.known if call.state is HoldState.HELD}
        # If another hold expires at another time, a later `wait` could end within the clock skew of
        # that time, and the model does not know which server's clock decides.
        if len(ends) == 1:
            last_us = Instant(ends.pop() - SECOND_US)
            self.pass_time(max(self.now_us, last_us))

    @rule(ticks=st.integers(1, 3))
    def wait(self, ticks: int) -> None:
        self.pass_time(Instant(self.now_us + ticks * TICK_US))

    @rule(target=lines, credits_in=st.integers(1, 10), server=servers)
    def top_up(self, credits_in: int, server: int) -> LedgerEntry:
        line = entry(self.customer.account_id, credits_in, at_us=self.clock_us(server))
        self.opened[server].append_entry(line)
        self.credits_in += credits_in
        return line

    @rule(target=lines, credits_out=st.integers(1, 10), server=servers)
    def take_back(self, credits_out: int, server: int) -> object:
        account_id, store = self.customer.account_id, self.opened[server]
        now_us = self.clock_us(server)
        line = entry(account_id, -credits_out, EntryKind.ADJUSTMENT, at_us=now_us)
        # Appending an entry releases no expired holds, but reading the account does.
        store.read_account(account_id, now_us=now_us)
        if credits_out > self.balance:
            with pytest.raises(OverdrawnError):
                store.append_entry(line)
            return multiple()
        store.append_entry(line)
        self.credits_in -= credits_out
        return line

    @rule(line=lines, server=servers)
    def repeat_the_entry(self, line: LedgerEntry, server: int) -> None:
        self.opened[server].append_entry(line)

    @rule(server=servers)
    def revoke_the_key(self, server: int) -> None:
        self.opened[server].revoke_key(self.customer.account_id, self.customer.digest)
        self.key_is_valid = False

    @rule(server=servers)
    def issue_a_new_key(self, server: int) -> None:
        if not self.key_is_valid:
            key = key_record(self.customer.account_id)
            self.opened[server].add_key(key, now_us=self.clock_us(server))
            self.customer = Customer(self.customer.account_id, key.digest)
            self.key_is_valid = True

    @invariant()
    def every_credit_is_accounted_for(self) -> None:
        if not hasattr(self, "customer"):
            return
        server = self.checking_server()
        account_id, now_us = self.customer.account_id, self.clock_us(server)
        read = self.opened[server].read_with_ledger(account_id, now_us=now_us)
        account = read.account
        assert account.balance >= 0
        assert account.granted - account.used == account.balance + account.held
        used, held = self.amount(AccountField.USED), self.amount(AccountField.HELD)
        assert (account.granted, account.used) == (self.credits_in, used)
        assert (account.balance, account.held) == (self.balance, held)
        settled = sum(call.state is HoldState.SETTLED for call in self.known)
        assert sum(month.calls for month in account.usage.values()) == settled
        assert list(differences(account, read.entries)) == []

    def pass_time(self, now_us: Instant) -> None:
        """Move the clock forward, and let holds expire."""
        self.now_us = now_us
        for call in self.known:
            if self.is_over(call):
                call.state = next_state(call.state, HoldEvent.EXPIRE)

    def apply(self, call: Call, event: HoldEvent) -> None:
        """Apply an event to a call in the model."""
        now_us = self.clock_us(call.server)
        after = next_state(call.state, event_at(event, call.hold.expires_us, now_us))
        if after is not call.state:
            call.state, call.ended_us = after, self.now_us

    def is_over(self, call: Call) -> bool:
        """Return whether the hold's expiry has passed; the state of the call does not matter."""
        return self.end_us(call) <= self.now_us

    def end_us(self, call: Call) -> Instant:
        """Return the hold's expiry by the first server's clock."""
        return Instant(call.hold.expires_us - call.server * self.skew_us)

    def is_callers(self, call: Call) -> bool:
        """Return whether the call's credits were reserved with the current key."""
        return call.hold.key_digest == self.customer.digest


@pytest.mark.timeout(600)
def test_no_order_of_calls_repeats_and_crashes_loses_or_creates_a_credit(
    store: AccountStore, location: str
) -> None:
    other = open_account_store(location)

    class LedgerOfThisStore(Ledger):
        opened = (store, other)

    run_orders(LedgerOfThisStore, EXAMPLES[location.partition(":")[0]])
    other.close()
