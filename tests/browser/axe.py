"""Checks a page with axe, the checker of accessibility, in the light and in the dark theme."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import axe_playwright_python

if TYPE_CHECKING:
    from playwright.sync_api import Page

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text("utf-8")
MARK_DISTINCT = """() => {
  const properties = ["color", "background-color", "background-image", "opacity", "font-size",
    "font-weight", "text-shadow", "filter", "mix-blend-mode", "position", "visibility"];
  const known = new Map();
  const styleOf = (element, pseudo) => {
    const style = getComputedStyle(element, pseudo);
    return properties.map((name) => style.getPropertyValue(name)).join();
  };
  const mark = (element, around) => {
    const drawn = ["::before", "::after"].filter(
      (pseudo) => getComputedStyle(element, pseudo).content !== "none");
    const styles = [undefined, ...drawn].map((pseudo) => styleOf(element, pseudo));
    const look = [around, element.localName, element.className, ...styles].join();
    element.toggleAttribute("data-distinct", element.id !== "" || !known.has(look));
    if (!known.has(look)) known.set(look, known.size);
    for (const child of element.children) mark(child, known.get(look));
  };
  mark(document.documentElement, "");
  axe.configure({ rules: [{ id: "color-contrast", selector: "[data-distinct]" }] });
}"""
"""A script with which axe measures the contrast of only one of the elements that look the same.

Elements look the same if they and everything around them have the same colours and fonts. axe needs
10 ms for the contrast of each element, and the API reference has thousands of texts.
"""
COLOUR_RULES = ["color-contrast", "link-in-text-block"]
"""The rules that axe runs by default and that depend on colours."""
PLACES = """() => JSON.stringify([...document.querySelectorAll("*")].map((element) => {
  const { x, y, width, height } = element.getBoundingClientRect();
  const { visibility, opacity, textDecorationLine } = getComputedStyle(element);
  return [x, y, width, height, visibility, opacity, textDecorationLine];
}))"""


def run_axe(page: Page, options: dict[str, Any]) -> list[str]:
    """Return the serious problems that axe finds on the page, each with the problem's element."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    page.evaluate(MARK_DISTINCT)
    found = page.evaluate("(options) => axe.run(options).then((ran) => ran.violations)", options)
    return [
        f"{each['id']}: {node['html']}"
        for each in found
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]


def serious(page: Page) -> list[str]:
    """Return the serious problems that axe finds on the page, in the light and in the dark theme.

    In the dark theme only the rules about colours run: every element has the same place as in the
    light theme, so the other rules would find the same problems.
    """
    found = run_axe(page, {"resultTypes": ["violations"]})
    places = page.evaluate(PLACES)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(PLACES) == places, "the dark theme changes more than colours"
    found += run_axe(page, {"resultTypes": ["violations"], "runOnly": COLOUR_RULES})
    page.emulate_media(color_scheme="light")
    return found
