"""The right connection is closed to make space for a new connection."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from bgblur.serving.connections import ConnectionTable


@dataclass(eq=False)
class Connection:
    """A connection without a socket."""

    address: str
    since_s: float = 0
    has_key: bool = False
    is_answering: bool = False
    is_stalled: bool = False
    is_closed: bool = False

    def evict(self) -> None:
        self.is_closed = True


def closed(table: ConnectionTable, connections: list[Connection]) -> list[Connection]:
    """Add a connection from another address, and return the closed ones among `connections`."""
    assert table.admit(Connection("elsewhere"))
    return [each for each in connections if each.is_closed]


def table_of(connections: list[Connection], *, per_address: int = 0) -> ConnectionTable:
    table = ConnectionTable(per_address=per_address, most=len(connections))
    assert all(map(table.admit, connections))
    return table


def test_the_longest_idle_connection_of_the_address_with_the_most_connections_is_closed() -> None:
    few, many = [Connection("a")], [Connection("b", 3), Connection("b", 2), Connection("b", 4)]
    assert closed(table_of(few + many), few + many) == [many[1]]


def test_connections_with_a_key_are_closed_last() -> None:
    with_key = [Connection("a", has_key=True), Connection("a", has_key=True)]
    without = Connection("b", 9, is_answering=True)
    assert closed(table_of([*with_key, without]), [*with_key, without]) == [without]
    assert len(closed(table_of(with_key), with_key)) == 1


@pytest.mark.parametrize("per_address", [0, 2])
def test_a_new_connection_is_rejected_while_all_other_connections_have_requests_with_a_key(
    per_address: int,
) -> None:
    busy = [Connection("a", has_key=True, is_answering=True) for _ in range(2)]
    table = table_of(busy, per_address=per_address)
    assert not table.admit(Connection("a"))
    busy[1].is_stalled = True
    assert table.admit(Connection("a"))
    assert [each.is_closed for each in busy] == [False, True]


def test_an_address_with_too_many_connections_loses_its_longest_idle_connection() -> None:
    one, other = [Connection("a", n) for n in range(2)], Connection("b")
    table = ConnectionTable(per_address=2, most=10)
    assert all(map(table.admit, [*one, other]))
    assert table.admit(Connection("a"))
    assert [each.is_closed for each in [*one, other]] == [True, False, False]


def test_a_removed_connection_does_not_count_and_can_be_removed_twice() -> None:
    table = ConnectionTable(per_address=1, most=1)
    for _ in range(3):
        connection = Connection("a")
        assert table.admit(connection)
        table.remove(connection)
        table.remove(connection)
        assert not connection.is_closed
