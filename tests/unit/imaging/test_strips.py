from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from blur.imaging.strips import (
    STRIP_PX,
    for_each_strip,
    row_strips,
    set_thread_count,
    thread_count,
)

THREE_STRIPS = (3, STRIP_PX)


@pytest.fixture(params=[1, 2, 4], ids="{} threads".format)
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = thread_count()
    set_thread_count(request.param)
    yield request.param
    set_thread_count(before)


@pytest.mark.parametrize("shape", [(1, 1), (1, 10**6), (10**6, 1), (3000, 4000), (7, STRIP_PX + 1)])
def test_strips_cover_every_row_once_and_have_a_limited_size(shape: tuple[int, int]) -> None:
    pieces = row_strips(*shape)
    rows = [row for piece in pieces for row in range(piece.start, piece.stop)]
    assert rows == list(range(shape[0]))
    assert all((one.stop - one.start) * shape[1] <= max(STRIP_PX, shape[1]) for one in pieces)


def test_an_exception_during_the_work_on_a_strip_is_raised() -> None:
    def fail(rows: slice) -> None:
        raise ValueError(rows.start)

    with pytest.raises(ValueError, match="0"):
        for_each_strip((10, 10), fail)


@pytest.mark.usefixtures("threads")
def test_an_index_error_that_a_strip_raises_reaches_the_caller() -> None:
    def fail(rows: slice) -> None:
        raise IndexError(rows.start)

    with pytest.raises(IndexError):
        for_each_strip(THREE_STRIPS, fail)


@pytest.mark.usefixtures("threads")
def test_after_an_exception_no_further_strip_is_processed() -> None:
    started: list[int] = []

    def fail(rows: slice) -> None:
        started.append(rows.start)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - the error has no text
        for_each_strip((100, STRIP_PX), fail)
    assert len(started) <= thread_count()


def test_each_row_is_processed_once_and_the_number_of_threads_is_limited(threads: int) -> None:
    rows: Counter[int] = Counter()
    threads_used = set()

    def count(part: slice) -> None:
        rows.update(range(part.start, part.stop))
        threads_used.add(threading.get_ident())

    for_each_strip((50, STRIP_PX // 2), count)
    assert rows == Counter(range(50))
    assert len(threads_used) <= threads


def test_two_threads_process_strips_at_the_same_time() -> None:
    before = thread_count()
    set_thread_count(2)
    both = threading.Barrier(2, timeout=60)

    def meet(_: slice) -> None:
        both.wait()

    for_each_strip((2, STRIP_PX), meet)
    set_thread_count(before)


@pytest.mark.usefixtures("threads")
def test_nested_strips_in_many_threads_do_not_deadlock() -> None:
    rows: Counter[int] = Counter()

    def outer(_: slice) -> None:
        for_each_strip(THREE_STRIPS, lambda part: rows.update([part.start]))

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(for_each_strip, THREE_STRIPS, outer) for _ in range(8)]:
            done.result(timeout=60)
    assert rows == {0: 24, 1: 24, 2: 24}
