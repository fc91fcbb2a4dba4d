"""How much work one condition may do. Standard library only."""

from __future__ import annotations

from typing import Any

MAX_COST = 50_000
_CHARACTERS_PER_UNIT = 16


class BudgetSpent(Exception):
    """The condition asked for more than it may have."""


class Budget:
    """Counts what a condition costs: one unit a node, one an element, one per 16 characters or digits.

    Values are charged with everything they hold, as often as they hold it, so that nested copies of one list cannot
    make a cheap expression dear.

    Examples
    --------
    >>> Budget(10).size([["a"] * 3] * 2)
    9
    """

    def __init__(self, limit: int = MAX_COST) -> None:
        self._left = limit

    def charge(self, units: int) -> None:
        """Take units from the budget.

        Raises
        ------
        BudgetSpent
            If not so many are left.
        """
        self._left -= units
        if self._left < 0:
            raise BudgetSpent

    def charge_value(self, value: Any) -> None:
        """Take the size of a value from the budget.

        Raises
        ------
        BudgetSpent
            If not so much is left.
        """
        self.charge(self.size(value))

    def size(self, value: Any) -> int:
        """Return the size of a value in units.

        Raises
        ------
        BudgetSpent
            If it is more than what is left; the walk stops there.
        """
        total, stack = 0, [value]
        while stack:
            item = stack.pop()
            total += 1
            if isinstance(item, str):
                total += len(item) // _CHARACTERS_PER_UNIT
            elif isinstance(item, int):
                total += item.bit_length() // 64
            elif isinstance(item, dict):
                total += len(item)
                stack.extend(item.values())
            elif isinstance(item, (list, tuple, set, frozenset, range)):
                if total + len(item) > self._left:
                    raise BudgetSpent
                stack.extend(item)
            if total > self._left:
                raise BudgetSpent
        return total
