"""Splits files into the passages that people read, each with its line number.

Passages are docstrings, comments, messages, the names that Python code defines, and the text of
documents. Other code, SQL and code in backquotes are left out.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

WORD = re.compile(r"[A-Za-z][A-Za-z'-]*")
CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|PRAGMA|WITH|ALTER|DROP|SET|BEGIN)\b")


@dataclass(frozen=True, slots=True)
class Passage:
    """Text that people read, and the line of the file where it starts."""

    line: int
    text: str

    @property
    def words(self) -> int:
        """The number of words in the passage."""
        return len(WORD.findall(self.text))


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
    nodes = list(ast.walk(ast.parse(text)))
    yield from _names(nodes)
    inner = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        match node:
            case ast.JoinedStr():
                yield from _message(node.lineno, "".join(map(_fixed, node.values)))
            case ast.Constant(value=str() as value) if id(node) not in inner:
                yield from _message(node.lineno, value)


def _names(nodes: list[ast.AST]) -> Iterator[Passage]:
    """Yield each name that a file defines, divided into words, with the line of a definition."""
    lines: dict[str, int] = {}
    for node in nodes:
        match node:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
                | ast.arg(arg=name)
                | ast.Name(id=name, ctx=ast.Store())
                | ast.Attribute(attr=name, ctx=ast.Store())
            ):
                lines[name.removeprefix("test_")] = node.lineno
    for name, line in lines.items():
        yield Passage(line, CAPITAL.sub(" ", name).replace("_", " ").strip())


def _fixed(part: ast.expr) -> str:
    return part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "{}"


def _message(line: int, value: str) -> Iterator[Passage]:
    """Yield a string literal if it is a whole or partial sentence, not code or a key."""
    if len(value.split()) > 1 and not SQL.match(value):
        letters = sum(char.isalpha() or char.isspace() for char in value)
        if letters > 0.75 * len(value):
            yield Passage(line, _without_code(value))


def _python_comments(text: str) -> Iterator[Passage]:
    """Yield comments; comments on adjacent lines are one passage."""
    if "#" not in text:
        return
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
    """Turn adjacent line comments into one block comment with the same number of lines."""
    return "/*" + run.replace("//", "  ").rstrip("\n") + "*/\n"


def _plain(text: str) -> Iterator[Passage]:
    yield from _paragraphs(re.sub(r"^[ \t]*#", "", text, flags=re.MULTILINE))


def _comments(text: str) -> Iterator[Passage]:
    """Yield the comments, each after a `#`, and the texts that `echo` prints."""
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
    """Keep only the line breaks, so that the line numbers of the text after them do not change."""
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
