"""Replaces the imported code of the running process by a mutant."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from tests.mutants.mutation import CONSTANT

if TYPE_CHECKING:
    from tests.mutants.mutation import Mutant


def inject(mutant: Mutant, module: ModuleType) -> None:
    """Replace the function or constant in the module by the function or constant of the mutant.

    Raises:
        Exception: any error of the mutant while it is imported.

    """
    fresh: dict[str, object] = {"__name__": module.__name__, "__file__": module.__file__}
    exec(compile(mutant.source, str(module.__file__), "exec"), fresh)  # noqa: S102 - runs the mutant's code
    if mutant.is_constant:
        # Also set the constants that are computed from this constant.
        for name in filter(CONSTANT.fullmatch, fresh):
            _set_constant(name, vars(module)[name], fresh[name])
        return
    old, new = (_function(mutant.place, names) for names in (vars(module), fresh))
    old.__code__ = new.__code__
    old.__defaults__ = new.__defaults__
    old.__kwdefaults__ = new.__kwdefaults__


def _function(qualified_name: str, namespace: Mapping[str, Any]) -> FunctionType:
    """Return the function without its decorators."""
    first, *more = qualified_name.split(".")
    value = namespace[first]
    for name in more:
        value = vars(value)[name]
    function = inspect.unwrap(getattr(value, "fget", None) or value)
    assert isinstance(function, FunctionType)
    return function


def _set_constant(name: str, old: object, new: object) -> None:
    """Set the constant in its module, and in all modules that import it."""
    if old == new:
        return
    for module in list(sys.modules.values()):
        if vars(module).get(name) is old:
            setattr(module, name, new)
