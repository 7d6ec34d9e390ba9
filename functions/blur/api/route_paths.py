"""The paths of the routes; a path can have parameters, such as `/v2/jobs/{job_id}`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

JOBS_PATH = "/v2/jobs"
"""The path at which jobs are created; all other paths of bulk jobs start with this path and a
slash."""

_PARAMETER = re.compile(r"\\\{(\w+)\\\}")
"""Matches a parameter in a route that `re.escape` has escaped."""


class RouteMatch(NamedTuple):
    """The route that matches a path."""

    route: str
    parameters: Mapping[str, str]
    """The values of the route's parameters in the path, by name."""


class RoutePaths:
    """Finds the route of a path; slashes at the end of the path are ignored."""

    def __init__(self, routes: Iterable[str]) -> None:
        """Compile a pattern for each route that has parameters."""
        known = list(routes)
        self._fixed = {route for route in known if "{" not in route}
        self._patterns = [(pattern_of(route), route) for route in known if "{" in route]

    def find(self, path: str) -> RouteMatch | None:
        """Return the route of a path, or None if there is none."""
        path = path.rstrip("/") or "/"
        if path in self._fixed:
            return RouteMatch(path, {})
        for pattern, route in self._patterns:
            if match := pattern.fullmatch(path):
                return RouteMatch(route, match.groupdict())
        return None


def pattern_of(route: str) -> re.Pattern[str]:
    """Return the pattern of a route's paths; a parameter matches one segment of a path."""
    return re.compile(_PARAMETER.sub(r"(?P<\1>[^/]+)", re.escape(route)))
