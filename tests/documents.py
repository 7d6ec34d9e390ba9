"""The Markdown documents of the project, and their code blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A code block: its text, and its position in the document."""

    document: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """Return the commands in a block of `sh`, without their comments."""
        lines = self.text.replace("\\\n", " ").splitlines()
        stripped = (re.sub(r"(^|\s+)#\s.*", "", line).strip() for line in lines)
        return [re.sub(r"\s+", " ", line) for line in stripped if line]


def documents() -> list[str]:
    """Return the paths of all documents, relative to the root of the project."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")]
    return sorted(str(page.relative_to(ROOT)) for page in pages)


def read(document: str) -> str:
    return (ROOT / document).read_text("utf-8")


def blocks(document: str, *languages: str) -> list[Block]:
    """Return a document's blocks in any of `languages`, or all blocks if no language is given."""
    text = read(document)
    found = [
        Block(document, text.count("\n", 0, match.start()) + 1, match[1], match[2])
        for match in FENCED.finditer(text)
    ]
    return [block for block in found if not languages or block.language in languages]
