"""The check of the project's English finds each listed phrase in texts, but not in code."""

from __future__ import annotations

import tomllib

import pytest
from tests.documents import read

import prose
from passages import Passage, passages

RULES = prose.read_rules(read("tools/prose.toml"))
REJECTED = read("tests/unit/prose_rejected.txt").splitlines()
ACCEPTED = read("tests/unit/prose_accepted.txt").splitlines()
SMALL = prose.read_rules(
    "[phrases]\n'odd turn' = 'write this'\n[allowed]\n'the odd turn test' = ''"
)


def found(path: str, text: str) -> list[int]:
    """Return the numbers of the lines of `text` that contain "odd turn"."""
    return [
        finding.line
        for passage in passages(path, text)
        for finding in SMALL.findings(path, passage)
    ]


@pytest.mark.parametrize("sentence", REJECTED)
def test_a_sentence_with_a_listed_phrase_is_reported_with_its_replacement(sentence: str) -> None:
    findings = list(RULES.findings("a.md", Passage(1, sentence)))
    assert findings
    assert all(finding.instead for finding in findings)


@pytest.mark.parametrize("sentence", ACCEPTED)
def test_a_plain_sentence_is_accepted(sentence: str) -> None:
    assert list(RULES.findings("a.md", Passage(1, sentence))) == []


def test_every_listed_phrase_is_found_in_one_of_the_example_sentences() -> None:
    unused = [
        phrase.pattern.pattern
        for phrase in RULES.phrases
        if not any(phrase.pattern.search(sentence) for sentence in REJECTED)
    ]
    assert unused == []


def test_prose_toml_has_a_reason_for_every_text_that_it_allows() -> None:
    allowed = tomllib.loads(read("tools/prose.toml"))["allowed"]
    assert all(len(reason.split()) > 1 for reason in allowed.values())


@pytest.mark.parametrize(
    ("path", "text", "lines"),
    [
        ("a.py", '"""A docstring.\n\nAn odd\nturn.\n"""\n', [3]),
        ("a.py", "def an_odd_turn() -> None: ...\n", [1]),
        ("a.py", "class OddTurn: pass\n", [1]),
        ("a.py", "def f(odd_turn): pass\nf(odd_turn=1)\n", [1]),
        ("a.py", "odd_turn = self.other\n", [1]),
        ("a.py", "ODD_TURN = 1\nself.odd_turn_px = ODD_TURN\n", [1, 2]),
        ("a.py", "import odd_turn\nprint(odd_turn.x)\n", []),
        ("a.py", "x = 1  # an odd turn\n# and an odd\n# turn\n", [1, 2]),
        ("a.py", 'x = 1\nraise ValueError(f"{x} is an odd turn")\n', [2]),
        ("a.py", 'raise ValueError("an odd "\n    "turn")\n', [1]),
        ("a.py", "def test_an_odd_turn() -> None: ...\n", [1]),
        ("a.py", 'x = "SELECT odd turn"\n', []),
        ("a.py", '"""Call `odd turn`."""\n', []),
        ("a.md", "# Title\n\nAn [odd](b.md)\nturn\n", [3]),
        ("a.md", "```\nodd turn\n```\nodd turn\n", [4]),
        ("a.md", "`odd turn`\n", []),
        ("a.html", '<p>An odd <b>turn</b></p>\n<img alt="odd turn">\n', [1, 2]),
        ("a.html", "<script>\nodd turn\n</script>\n<p>odd turn</p>\n", [4]),
        ("a.js", "// an odd\n// turn\nlet x = 'an odd turn';\n", [1, 3]),
        ("a.js", "/** An odd turn. */\nconst y = `an odd ${x} turn`;\n", [1]),
        ("a.yaml", "description: An odd\n  turn\n# odd turn\n", [1, 3]),
        ("a.toml", 'name = "odd turn"  # odd turn\n', [1, 1]),
        ("Makefile", 'run: ## An odd turn\n\t@echo "odd turn"\n\todd turn\n', [1, 2]),
    ],
)
def test_a_phrase_is_found_only_in_the_texts_of_a_file_and_reported_with_its_line(
    path: str, text: str, lines: list[int]
) -> None:
    assert found(path, text) == lines


def test_a_phrase_is_accepted_only_inside_an_allowed_text() -> None:
    assert found("a.md", "the odd turn test\n") == []
    assert found("a.md", "the odd turn test has an odd turn\n") == [1]
