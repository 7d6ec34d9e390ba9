"""State machines of two servers with one store. The clocks differ by at most `CLOCK_SKEW_US`."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from tests.integration.accounts.customer import START

from blur.accounts.model import SECOND_US, Instant
from blur.skew import CLOCK_SKEW_US

# After one tick, a hold of one minute is still valid. After two ticks, it expired 20 s ago, more
# than the difference between the clocks plus `CLOCK_SKEW_US`.
TICK_US = 40 * SECOND_US
servers = st.integers(0, 1)
skews = st.sampled_from([-CLOCK_SKEW_US, -SECOND_US, 0, SECOND_US, CLOCK_SKEW_US])


class TwoClocks(RuleBasedStateMachine):
    """The current time of a test, and the clocks of the two servers."""

    def __init__(self) -> None:
        """Set both servers' clocks to the same time."""
        super().__init__()
        self.now_us = START
        self.skew_us = 0
        self._checks = 0

    def clock_us(self, server: int) -> Instant:
        """Return the time by the clock of a server."""
        return Instant(self.now_us + server * self.skew_us)

    def checking_server(self) -> int:
        """Return the server that makes the next check: both take turns, because a check is slow."""
        self._checks += 1
        return self._checks % 2


def run_orders(machine: type[TwoClocks], number: int) -> None:
    """Run a state machine with `number` random sequences of its rules."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=number,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
