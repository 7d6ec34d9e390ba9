"""Putting a mutant into the running process, in place of the code that was imported."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from tests.mutants.mutation import CONSTANT

if TYPE_CHECKING:
    from tests.mutants.mutation import Mutant


def graft(mutant: Mutant, module: ModuleType) -> None:
    """Give the module's function, or its constant, what the mutant has in its place.

    Raises:
        Exception: whatever the mutant raises while it is imported.

    """
    fresh: dict[str, object] = {"__name__": module.__name__, "__file__": module.__file__}
    exec(compile(mutant.source, str(module.__file__), "exec"), fresh)  # noqa: S102 - that is a mutant
    if mutant.is_constant:
        for name in filter(CONSTANT.fullmatch, fresh):  # with those that are made of it
            _set_constant(name, vars(module)[name], fresh[name])
        return
    old, new = (_function(mutant.place, names) for names in (vars(module), fresh))
    old.__code__ = new.__code__
    old.__defaults__ = new.__defaults__
    old.__kwdefaults__ = new.__kwdefaults__


def _function(qualified_name: str, namespace: Mapping[str, Any]) -> FunctionType:
    """Find the function also where a decorator has it."""
    first, *more = qualified_name.split(".")
    found = namespace[first]
    for name in more:
        found = vars(found)[name]
    function = inspect.unwrap(getattr(found, "fget", None) or found)
    assert isinstance(function, FunctionType)
    return function


def _set_constant(name: str, old: object, new: object) -> None:
    """Set the constant in its module, and in those that have it from there."""
    if old == new:
        return
    for module in list(sys.modules.values()):
        if vars(module).get(name) is old:
            setattr(module, name, new)
