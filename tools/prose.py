"""Checks the project's English: finds the phrases of prose.toml and prints what to write instead.

The script reads docstrings, comments, messages, names in Python code and the documents, because
people read all of them. Vale would do the same, but its packages on PyPI and npm download a binary
when they are installed; proselint and write-good have fixed lists of phrases.

    make prose
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from passages import READERS, Passage, passages

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
LIST = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase that the project does not use."""

    pattern: re.Pattern[str]
    instead: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A rejected phrase that was found in a file, and what to write instead."""

    path: str
    line: int
    found: str
    instead: str

    def __str__(self) -> str:
        """Return the finding in the format of a compiler's messages."""
        return f"{self.path}:{self.line}: {self.found!r}: {self.instead}"


@dataclass(frozen=True, slots=True)
class Rules:
    """The phrases, and the texts in which they are allowed."""

    phrases: tuple[Phrase, ...]
    any_phrase: re.Pattern[str]
    """Matches any of the phrases. Most passages have none of them, and one search is faster than
    one search for each phrase."""
    allowed: re.Pattern[str]

    def findings(self, path: str, passage: Passage) -> Iterator[Finding]:
        """Find the phrases in a passage, except inside an allowed text."""
        for phrase in self.phrases if self.any_phrase.search(passage.text) else ():
            for match in phrase.pattern.finditer(passage.text):
                if not self._is_allowed(passage.text, match):
                    line = passage.line + passage.text.count("\n", 0, match.start())
                    found = " ".join(match[0].split())
                    yield Finding(path, line, found, phrase.instead)

    def _is_allowed(self, text: str, found: re.Match[str]) -> bool:
        spans = (match.span() for match in self.allowed.finditer(text))
        return any(start <= found.start() and found.end() <= end for start, end in spans)


def read_rules(text: str) -> Rules:
    """Read a list of phrases."""
    table = tomllib.loads(text)
    phrases = [Phrase(_pattern(phrase), instead) for phrase, instead in table["phrases"].items()]
    any_phrase = _pattern("|".join(table["phrases"]))
    allowed = "|".join(f"(?:{text})" for text in table["allowed"])
    return Rules(tuple(phrases), any_phrase, _compile(allowed or "(?!)"))


def _pattern(phrase: str) -> re.Pattern[str]:
    return _compile(rf"(?<![\w-])(?:{phrase})(?![\w-])")


def _compile(pattern: str) -> re.Pattern[str]:
    """Compile a pattern in which a space also matches the end of a line."""
    return re.compile(pattern.replace(" ", r"\s+"), re.IGNORECASE)


READ = (*READERS, ".in", ".sh", "Makefile", "Dockerfile", ".ci/run")


def files() -> list[str]:
    """Return the project's files that contain English."""
    git = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(git, cwd=ROOT, check=True, capture_output=True, text=True).stdout  # noqa: S603
    paths = sorted(set(listed.split("\0")))
    return [
        path
        for path in paths
        if path.endswith(READ) and (ROOT / path).is_file() and ROOT / path != LIST
    ]


def main() -> None:
    """Print the findings; with `--counts`, their number per 1,000 words for each folder."""
    parser = argparse.ArgumentParser(description=__doc__, usage="prose.py [--counts] [PATH ...]")
    parser.add_argument("--counts", action="store_true", help="print one line for each folder")
    parser.add_argument("paths", nargs="*", help="only files whose path starts with one of these")
    arguments = parser.parse_args()
    rules = read_rules(LIST.read_text("utf-8"))
    words: Counter[str] = Counter()
    findings: list[Finding] = []
    for path in files():
        if arguments.paths and not path.startswith(tuple(arguments.paths)):
            continue
        for passage in passages(path, (ROOT / path).read_text("utf-8")):
            words[_area(path)] += passage.words
            findings += rules.findings(path, passage)
    if arguments.counts:
        _print_counts(words, Counter(_area(each.path) for each in findings))
    else:
        sys.stdout.writelines(f"{finding}\n" for finding in findings)
        sys.exit(bool(findings))


def _area(path: str) -> str:
    return path.partition("/")[0] if "/" in path else "(top)"


def _print_counts(words: Counter[str], found: Counter[str]) -> None:
    lines = ["folder        words  found  per 1,000"]
    for area, number in [*sorted(words.items()), ("all", words.total())]:
        count = found.total() if area == "all" else found[area]
        rate = 1000 * count / max(number, 1)
        lines.append(f"{area:<12}{number:>7}{count:>7}{rate:>11.1f}")
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    main()
