"""The ledger against a model of it, through any order of calls, repeats and deaths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from tests.integration.accounts.customer import (
    START,
    Customer,
    entry,
    key_record,
    open_account,
)

from blur.accounts.audit import differences
from blur.accounts.model import SECOND_US, Claim, EntryKind, Hold, Instant, LedgerEntry
from blur.accounts.store import OverdrawnError
from blur.errors import InsufficientCreditsError, InvalidApiKeyError

if TYPE_CHECKING:
    from blur.accounts.store import AccountStore

# A minute's hold is alive 40 s after it was taken and 20 s past its end at 80 s: never near
# enough to its end for a store's allowance for clocks that differ to matter.
TICK_US = 40 * SECOND_US
EXAMPLES = {"sqlite": 100, "dynamodb": 25}
"""Orders that are tried: as many as take some seconds."""


@dataclass
class Call:
    """What the model knows of one call."""

    claim: Claim
    hold: Hold
    state: str = "held"
    """`held`, `settle`, `refund` or `expired`."""


class Ledger(RuleBasedStateMachine):
    """One account, its calls, and what should have become of every credit."""

    calls = Bundle("calls")
    lines = Bundle("lines")
    opened: AccountStore

    def __init__(self) -> None:
        """Start without an account: `begin` opens it."""
        super().__init__()
        self.store = self.opened
        self.now_us = START
        self.known: list[Call] = []
        self.credits_in = 0
        self.used = 0
        self.settled_calls = 0
        self.key_is_valid = True

    @initialize(credits_in=st.integers(0, 20))
    def begin(self, credits_in: int) -> None:
        self.customer = open_account(self.store, credits_in)
        self.credits_in = credits_in

    @property
    def held(self) -> int:
        """Sum of what the model has on hold."""
        return sum(call.claim.price for call in self.known if call.state == "held")

    @property
    def balance(self) -> int:
        """What the model could spend."""
        return self.credits_in - self.used - self.held

    @rule(target=calls, price=st.integers(0, 6))
    def reserve(self, price: int) -> object:
        claim = self.customer.claim(price)
        if not self.key_is_valid:
            with pytest.raises(InvalidApiKeyError):
                self.store.reserve(claim, now_us=self.now_us)
            return multiple()
        if self.balance < price:
            with pytest.raises(InsufficientCreditsError):
                self.store.reserve(claim, now_us=self.now_us)
            return multiple()
        reservation = self.store.reserve(claim, now_us=self.now_us)
        call = Call(claim, reservation.hold)
        self.known.append(call)
        assert reservation.standing.credits_left == self.balance
        return call

    @rule(call=calls)
    def repeat_the_reserve(self, call: Call) -> None:
        if self.key_is_valid and not self.is_over(call) and self.is_callers(call):
            again = self.store.reserve(call.claim, now_us=self.now_us)
            assert again.hold == call.hold

    @rule(call=calls)
    def settle(self, call: Call) -> None:
        standing = self.store.settle(call.hold, now_us=self.now_us)
        if call.state == "held":
            call.state = "settle"
            self.used += call.claim.price
            self.settled_calls += 1
        if not self.is_over(call):
            expected = call.claim.price if call.state == "settle" else 0
            assert standing.credits_charged == expected
        assert standing.credits_left == self.balance

    @rule(call=calls)
    def refund(self, call: Call) -> None:
        standing = self.store.refund(call.hold, now_us=self.now_us)
        if call.state == "held":
            call.state = "refund"
        assert standing.credits_charged == 0
        assert standing.credits_left == self.balance

    @rule(call=calls)
    def settle_only_after_the_end(self, call: Call) -> None:
        late = Instant(call.hold.expires_us + 20 * SECOND_US)
        if self.now_us < late:
            self.pass_time(late)
        standing = self.store.settle(call.hold, now_us=self.now_us)
        assert standing.credits_left == self.balance

    @rule(ticks=st.integers(1, 3))
    def wait(self, ticks: int) -> None:
        self.pass_time(Instant(self.now_us + ticks * TICK_US))

    @rule(target=lines, credits_in=st.integers(1, 10))
    def top_up(self, credits_in: int) -> LedgerEntry:
        line = entry(self.customer.account_id, credits_in, at_us=self.now_us)
        self.store.append_entry(line)
        self.credits_in += credits_in
        return line

    @rule(target=lines, credits_out=st.integers(1, 10))
    def take_back(self, credits_out: int) -> object:
        account_id = self.customer.account_id
        line = entry(account_id, -credits_out, EntryKind.ADJUSTMENT, at_us=self.now_us)
        # Writes by the ledger bring no holds home; looking at the account does.
        self.store.account(account_id, now_us=self.now_us)
        if credits_out > self.balance:
            with pytest.raises(OverdrawnError):
                self.store.append_entry(line)
            return multiple()
        self.store.append_entry(line)
        self.credits_in -= credits_out
        return line

    @rule(line=lines)
    def repeat_the_entry(self, line: LedgerEntry) -> None:
        self.store.append_entry(line)

    @rule()
    def revoke_the_key(self) -> None:
        self.store.revoke_key(self.customer.account_id, self.customer.digest)
        self.key_is_valid = False

    @rule()
    def issue_a_new_key(self) -> None:
        if not self.key_is_valid:
            key = key_record(self.customer.account_id)
            self.store.add_key(key, now_us=self.now_us)
            self.customer = Customer(self.customer.account_id, key.digest)
            self.key_is_valid = True

    @invariant()
    def every_credit_is_accounted_for(self) -> None:
        if not hasattr(self, "customer"):
            return
        account = self.store.account(self.customer.account_id, now_us=self.now_us)
        assert account.balance >= 0
        assert account.granted - account.used == account.balance + account.held
        assert (account.granted, account.used) == (self.credits_in, self.used)
        assert (account.balance, account.held) == (self.balance, self.held)
        assert sum(month.calls for month in account.usage.values()) == self.settled_calls
        assert list(differences(account, self.store.entries(account.account_id))) == []

    def pass_time(self, now_us: Instant) -> None:
        """Let the holds expire whose time has come."""
        self.now_us = now_us
        for call in self.known:
            if call.state == "held" and self.is_over(call):
                call.state = "expired"

    def is_over(self, call: Call) -> bool:
        """Tell whether the hold's time has run out, whatever became of it."""
        return call.hold.expires_us <= self.now_us

    def is_callers(self, call: Call) -> bool:
        """Tell whether the key that took the hold is the present one."""
        return call.claim.key_digest == self.customer.digest


def test_no_order_of_calls_repeats_and_deaths_loses_or_invents_a_credit(
    store: AccountStore, location: str
) -> None:
    class LedgerOfThisStore(Ledger):
        opened = store

    run_state_machine_as_test(
        LedgerOfThisStore,
        settings=settings(
            max_examples=EXAMPLES[location.partition(":")[0]],
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
