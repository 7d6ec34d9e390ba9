"""How accounts share the slots of a queue and the time of the workers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.clocks import SecondsClock

from bgblur.serving.fair_queue import KEEP_SHARE_S, FairQueue


def add(queue: FairQueue[str], account: str, count: int, start: int = 0) -> list[str]:
    """Add items while the queue has a slot; return the items that the queue removed for them."""
    removed = []
    for number in range(start, start + count):
        if queue.has_slot(account):
            lost = queue.add(account, f"{account}{number}")
            removed += [lost] if lost else []
    return removed


def taken(queue: FairQueue[str], count: int, *, used_s: float = 1.0) -> list[str]:
    """Take `count` items from the queue; each item uses a worker for `used_s` seconds."""
    items = []
    for _ in range(count):
        item = queue.pop()
        assert item
        queue.finish(item[0], used_s)
        items.append(item)
    return items


def test_one_account_alone_can_use_every_slot() -> None:
    queue: FairQueue[str] = FairQueue(4)
    assert add(queue, "a", 9) == []
    assert queue.used_slots == 4
    assert not queue.has_slot("a")
    assert taken(queue, 4) == ["a0", "a1", "a2", "a3"]
    assert queue.pop() is None


@pytest.mark.parametrize("working", [0, 1, 2])
def test_a_second_account_can_always_get_half_of_the_slots_of_the_queue(working: int) -> None:
    queue: FairQueue[str] = FairQueue(8, workers=2)
    add(queue, "a", 8)
    for _ in range(working):
        queue.pop()
    assert add(queue, "b", 8) == ["a7", "a6", "a5", "a4"]
    assert not queue.has_slot("a")
    assert not queue.has_slot("b")
    assert queue.used_slots == 8


def test_a_slot_is_taken_from_the_account_with_the_most_slots() -> None:
    queue: FairQueue[str] = FairQueue(6)
    add(queue, "a", 2)
    add(queue, "b", 4)
    assert queue.add("c", "c0") == "b3"


def test_a_new_account_gets_no_slot_of_a_full_queue_if_each_account_has_only_one_slot() -> None:
    queue: FairQueue[str] = FairQueue(3)
    for account in "abc":
        add(queue, account, 1)
    assert not queue.has_slot("d")


def test_the_slots_of_requests_in_progress_are_not_given_to_another_account() -> None:
    queue: FairQueue[str] = FairQueue(2, workers=2)
    add(queue, "a", 2)
    queue.pop()
    queue.pop()
    assert not queue.has_slot("b")


def test_accounts_take_turns_even_if_all_requests_of_one_account_arrive_first() -> None:
    queue: FairQueue[str] = FairQueue(9)
    add(queue, "a", 4)
    add(queue, "b", 2)
    assert taken(queue, 6) == ["a0", "b0", "a1", "b1", "a2", "a3"]
    add(queue, "a", 3)
    add(queue, "b", 3)
    assert taken(queue, 6, used_s=0) == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_accounts_with_slow_and_fast_requests_get_equal_shares_of_the_worker_time() -> None:
    queue: FairQueue[str] = FairQueue(30)
    add(queue, "slow", 2)
    add(queue, "b", 20)
    order = []
    for _ in range(20):
        item = queue.pop()
        assert item
        account = "slow" if item.startswith("slow") else "b"
        queue.finish(account, 10.0 if account == "slow" else 1.0)
        order.append(account)
    assert order.count("slow") == 2
    assert order[:12].count("b") >= 10


def test_with_two_workers_a_second_account_always_gets_one_worker() -> None:
    queue: FairQueue[str] = FairQueue(9, workers=2)
    add(queue, "a", 5)
    add(queue, "b", 3)
    assert {queue.pop(), queue.pop()} == {"a0", "b0"}
    queue.finish("b", 0.1)
    assert queue.pop() == "b1"
    queue.finish("b", 99.0)
    assert queue.pop() == "b2"


def test_after_a_request_a_worker_stays_free_for_the_same_account_for_a_short_time() -> None:
    clock = SecondsClock()
    queue: FairQueue[str] = FairQueue(9, workers=2, clock=clock)
    add(queue, "large", 6)
    add(queue, "b", 1)
    assert {queue.pop(), queue.pop()} == {"large0", "b0"}
    queue.finish("b", 0.1)
    clock.now_s += 0.9 * KEEP_SHARE_S
    assert queue.pop() is None
    queue.finish("large", 1)
    assert queue.pop() == "large1"
    add(queue, "b", 1)
    assert queue.pop() == "b0"
    queue.finish("b", 0.1)
    clock.now_s += KEEP_SHARE_S
    assert queue.pop() == "large2"


def test_four_workers_are_divided_between_the_active_accounts() -> None:
    queue: FairQueue[str] = FairQueue(20, workers=4)
    add(queue, "a", 9)
    assert [queue.pop() for _ in range(2)] == ["a0", "a1"]
    add(queue, "b", 5)
    assert [queue.pop() for _ in range(3)] == ["b0", "b1", None]


def test_an_account_whose_items_are_added_later_takes_turns_with_the_first_account() -> None:
    queue: FairQueue[str] = FairQueue(9)
    add(queue, "a", 9)
    assert taken(queue, 3) == ["a0", "a1", "a2"]
    add(queue, "b", 3)
    assert sorted(taken(queue, 4)) == ["a3", "a4", "b0", "b1"]


def test_an_item_that_is_put_back_is_the_next_item_of_its_account() -> None:
    queue: FairQueue[str] = FairQueue(3)
    add(queue, "a", 3)
    assert queue.pop() == "a0"
    queue.put_back("a", "a0")
    assert queue.used_slots == 3
    assert queue.pop() == "a0"


def test_only_a_waiting_item_can_be_removed_and_only_once() -> None:
    queue: FairQueue[str] = FairQueue(3)
    add(queue, "a", 2)
    assert queue.pop() == "a0"
    assert not queue.remove("a", "a0")
    assert queue.remove("a", "a1")
    assert not queue.remove("a", "a1")
    assert not queue.remove("b", "b0")
    queue.finish("a", 1)
    assert queue.used_slots == 0


@given(st.integers(1, 6), st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60))
def test_no_sequence_of_steps_exceeds_the_number_of_slots_or_loses_an_item(
    slots: int, steps: list[tuple[str, bool]]
) -> None:
    queue: FairQueue[str] = FairQueue(slots)
    inside: set[str] = set()
    for number, (account, adds) in enumerate(steps):
        if adds and queue.has_slot(account):
            removed = queue.add(account, f"{account}{number}")
            inside.add(f"{account}{number}")
            inside.discard(removed or "")
        elif not adds and (item := queue.pop()):
            queue.finish(item[0], 1)
            inside.remove(item)
        assert queue.used_slots == len(inside) <= slots
    while item := queue.pop():
        queue.finish(item[0], 1)
        inside.remove(item)
    assert not inside
