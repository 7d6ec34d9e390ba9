"""Checks the project's English: finds the phrases of prose.toml and prints what to write instead.

It reads docstrings, comments, messages, the names of tests and the documents, since all of them
are read by people. Vale would do the same, but its packages on PyPI and npm download a binary
when they are installed; proselint and write-good have fixed lists of phrases.

    make prose
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

ROOT = Path(__file__).parents[1]
LIST = Path(__file__).with_suffix(".toml")
WORD = re.compile(r"[A-Za-z][A-Za-z'-]*")
SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|PRAGMA|WITH|ALTER|DROP|SET|BEGIN)\b")


@dataclass(frozen=True, slots=True)
class Passage:
    """Text that people read, and the line of the file where it starts."""

    line: int
    text: str

    @property
    def words(self) -> int:
        """The number of its words."""
        return len(WORD.findall(self.text))


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase that the project does not use."""

    pattern: re.Pattern[str]
    instead: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A phrase in a file."""

    path: str
    line: int
    found: str
    instead: str

    def __str__(self) -> str:
        """Show the finding as a compiler would."""
        return f"{self.path}:{self.line}: {self.found!r}: {self.instead}"


@dataclass(frozen=True, slots=True)
class Rules:
    """The phrases, and the texts in which they are allowed."""

    phrases: tuple[Phrase, ...]
    allowed: re.Pattern[str]

    def findings(self, path: str, passage: Passage) -> Iterator[Finding]:
        """Find the phrases of a passage, except inside an allowed text."""
        spans = [match.span() for match in self.allowed.finditer(passage.text)]
        for phrase in self.phrases:
            for match in phrase.pattern.finditer(passage.text):
                if not any(start <= match.start() and match.end() <= end for start, end in spans):
                    line = passage.line + passage.text.count("\n", 0, match.start())
                    found = " ".join(match[0].split())
                    yield Finding(path, line, found, phrase.instead)


def read_rules(text: str) -> Rules:
    """Read a list of phrases."""
    table = tomllib.loads(text)
    phrases = [Phrase(_pattern(phrase), instead) for phrase, instead in table["phrases"].items()]
    allowed = "|".join(f"(?:{text})" for text in table["allowed"])
    return Rules(tuple(phrases), _compile(allowed or "(?!)"))


def _pattern(phrase: str) -> re.Pattern[str]:
    return _compile(rf"(?<![\w-])(?:{phrase})(?![\w-])")


def _compile(pattern: str) -> re.Pattern[str]:
    """Compile a pattern in which a space also matches the end of a line."""
    return re.compile(pattern.replace(" ", r"\s+"), re.IGNORECASE)


def passages(path: str, text: str) -> Iterator[Passage]:
    """Split a file into the passages that people read."""
    for passage in _reader(path)(text):
        if WORD.search(passage.text):
            yield passage


def _reader(path: str) -> Callable[[str], Iterable[Passage]]:
    for ending, reader in READERS.items():
        if path.endswith(ending):
            return reader
    return _comments


def _python(text: str) -> Iterator[Passage]:
    yield from _python_comments(text)
    tree = ast.parse(text)
    inner = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                if name.startswith("test_"):
                    yield Passage(node.lineno, name.removeprefix("test_").replace("_", " "))
            case ast.JoinedStr():
                yield from _message(node.lineno, "".join(map(_fixed, node.values)))
            case ast.Constant(value=str() as value) if id(node) not in inner:
                yield from _message(node.lineno, value)


def _fixed(part: ast.expr) -> str:
    return part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "{}"


def _message(line: int, value: str) -> Iterator[Passage]:
    """Yield a string literal if it is a sentence or part of one, not code, a header or a key."""
    letters = sum(char.isalpha() or char.isspace() for char in value)
    if len(value.split()) > 1 and letters > 0.75 * len(value) and not SQL.match(value):
        yield Passage(line, _without_code(value))


def _python_comments(text: str) -> Iterator[Passage]:
    """Yield comments; those of adjacent lines are one passage."""
    lines: list[str] = []
    last = -1
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            line = token.start[0]
            if lines and line != last + 1:
                yield _joined(last, lines)
                lines = []
            lines.append(token.string.lstrip("#! "))
            last = line
    if lines:
        yield _joined(last, lines)


def _joined(last: int, lines: list[str]) -> Passage:
    return Passage(last - len(lines) + 1, _without_code("\n".join(lines)))


def _markdown(text: str) -> Iterator[Passage]:
    """Yield the paragraphs of a document, without blocks of code and the targets of links."""
    text = re.sub(r"^```.*?^```", _blank, text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"\[([^]]*)\]\([^)\s]*\)", r"\1", text)
    yield from _paragraphs(text)


def _paragraphs(text: str) -> Iterator[Passage]:
    for match in re.finditer(r"(?:^.*\S.*\n?)+", text, re.MULTILINE):
        yield Passage(text.count("\n", 0, match.start()) + 1, _without_code(match[0]))


def _html(text: str) -> Iterator[Passage]:
    shown = re.sub(r"<(?:style|script)\b.*?</(?:style|script)>", _blank, text, flags=re.DOTALL)
    spoken = re.sub(
        r"""<[^>]*?(?:alt|title|aria-label|content|placeholder)="([^"]*)"[^>]*>""", r" \1 ", shown
    )
    yield from _paragraphs(re.sub(r"<[^>]*>", _blank, spoken))


JS = re.compile(
    r"""/\*.*?\*/|(?<!:)//[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`""",
    re.DOTALL,
)


def _javascript(text: str) -> Iterator[Passage]:
    text = re.sub(
        r"^(?:[ \t]*//.*\n)+", lambda run: _block_comment(run[0]), text, flags=re.MULTILINE
    )
    for match in JS.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        if match[0].startswith("/"):
            yield Passage(line, _without_code(match[0]))
        else:
            inside = re.sub(r"\$\{[^}]*\}", "{}", match[0][1:-1])
            yield from _message(line, inside)


def _block_comment(run: str) -> str:
    """Turn adjacent line comments into one block, which keeps the lines."""
    return "/*" + run.replace("//", "  ").rstrip("\n") + "*/\n"


def _plain(text: str) -> Iterator[Passage]:
    yield from _paragraphs(re.sub(r"^[ \t]*#", "", text, flags=re.MULTILINE))


def _comments(text: str) -> Iterator[Passage]:
    """Yield comments after `#`, and the text of `echo`."""
    kept = [
        " ".join([*re.findall(r'echo "([^"]*)"', line), *re.findall(r"(?:^|\s)#+ (.*)", line)])
        for line in text.splitlines()
    ]
    yield from _paragraphs("\n".join(kept))


def _toml(text: str) -> Iterator[Passage]:
    kept = [
        " ".join([*re.findall(r'"([^"]* [^"]*)"', line), *re.findall(r"(?:^|\s)#+ (.*)", line)])
        for line in text.splitlines()
    ]
    yield from _paragraphs("\n".join(kept))


def _blank(match: re.Match[str]) -> str:
    """Keep only the ends of lines, so that the numbers of lines stay right."""
    return "\n" * match[0].count("\n")


def _without_code(text: str) -> str:
    """Replace code in backquotes, which is not English."""
    return re.sub(r"`[^`\n]*`", "`code`", text)


READERS: dict[str, Callable[[str], Iterable[Passage]]] = {
    ".py": _python,
    ".md": _markdown,
    ".html": _html,
    ".js": _javascript,
    ".mjs": _javascript,
    ".yaml": _plain,
    ".toml": _toml,
}
READ = (*READERS, ".in", ".sh", "Makefile", "Dockerfile", ".ci/run")


def files() -> list[str]:
    """Return the files of the project that have English in them."""
    git = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(git, cwd=ROOT, check=True, capture_output=True, text=True).stdout  # noqa: S603
    paths = sorted(set(listed.split("\0")))
    return [
        path
        for path in paths
        if path.endswith(READ) and (ROOT / path).is_file() and ROOT / path != LIST
    ]


def main() -> None:
    """Print the findings, or the number per 1,000 words of each folder."""
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
        lines.append(f"{area:<12}{number:>7}{count:>7}{1000 * count / number:>11.1f}")
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    main()
