"""The mutants in `explained.toml`, which no test can detect; each has a reason."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.mutants.mutation import Mutant

TABLE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True)
class Explanation:
    """The reason why no test detects a mutant, or the mutants that match a pattern."""

    file: str
    why: str
    place: str = ""
    """The function or constant; an empty string means any place in the file."""
    before: str = ""
    after: str = ""
    after_like: str = ""
    """A regular expression for the changed line, instead of `before` and `after`."""

    def explains(self, mutant: Mutant) -> bool:
        """Return whether this explanation is for the mutant."""
        if mutant.file != self.file or self.place not in ("", mutant.place):
            return False
        if self.after_like:
            return bool(re.search(self.after_like, mutant.after))
        return (mutant.before, mutant.after) == (self.before, self.after)


def explanations() -> Iterator[Explanation]:
    """Yield the explanations in `explained.toml`."""
    for row in tomllib.loads(TABLE.read_text(encoding="utf-8"))["mutant"]:
        yield Explanation(**row)
