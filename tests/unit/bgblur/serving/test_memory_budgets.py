"""The limits on the memory for each sender's request bodies and for each client's responses."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from bgblur.serving.memory_budgets import BodyBudget, ResultBudget
from blur.errors import OverloadedError

TOTAL = 600


def fill(budget: BodyBudget, stack: ExitStack, factors: dict[str, float]) -> int:
    """Reserve memory for bodies of 10 bytes until a body is rejected.

    Return the number of reserved bytes.
    """
    taken = 0
    while True:
        memory = stack.enter_context(budget.body(factors))
        try:
            memory.allocate(10)
        except OverloadedError:
            return taken
        taken += 10


def test_one_sender_gets_at_most_half_of_the_memory_so_that_later_senders_get_memory() -> None:
    budget = BodyBudget(TOTAL)
    with ExitStack() as stack:
        assert fill(budget, stack, {"a": 1}) == TOTAL // 2
        assert fill(budget, stack, {"b": 1}) == TOTAL // 4
        assert fill(budget, stack, {"c": 1}) > 0
    assert budget.free_bytes == TOTAL
    with ExitStack() as stack:
        assert fill(budget, stack, {"a": 1}) == TOTAL // 2


def test_a_body_counts_for_account_and_proxy_and_a_proxy_can_use_more_than_an_account() -> None:
    budget = BodyBudget(TOTAL)
    with ExitStack() as stack:
        assert fill(budget, stack, {"account a": 1, "proxy": 3}) == TOTAL // 2
        assert fill(budget, stack, {"account b": 1, "proxy": 3}) == TOTAL // 4
        assert fill(budget, stack, {"account c": 1, "proxy": 3}) == 0
        assert fill(budget, stack, {"account c": 1, "elsewhere": 3}) > 0


def test_a_body_larger_than_the_memory_budget_is_rejected_and_reserves_no_memory() -> None:
    budget = BodyBudget(TOTAL)
    with budget.body({}) as memory:
        with pytest.raises(OverloadedError):
            memory.allocate(TOTAL + 1)
        memory.allocate(TOTAL)
    assert budget.free_bytes == TOTAL


def test_when_memory_is_full_the_oldest_response_of_the_largest_client_is_aborted() -> None:
    budget, aborted = ResultBudget(TOTAL), list[str]()

    def hold(stack: ExitStack, client: str, name: str, size: int) -> None:
        stack.enter_context(budget.track(client, size, lambda: aborted.append(name)))

    with ExitStack() as stack:
        hold(stack, "honest", "honest 1", 100)
        for number in range(7):
            hold(stack, "greedy", f"greedy {number}", 200)
        assert aborted == [f"greedy {number}" for number in range(5)]
        hold(stack, "honest", "honest 2", 90)
        assert aborted[5:] == []
    with ExitStack() as stack:
        hold(stack, "greedy", "all of it", 10 * TOTAL)
        hold(stack, "honest", "honest 3", 1)
    assert aborted[5:] == ["all of it"]
