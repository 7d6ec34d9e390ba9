"""The routes of paths, with and without parameters."""

from __future__ import annotations

import pytest

from blur.api.route_paths import RouteMatch, RoutePaths

PATHS = RoutePaths(["/", "/v2/jobs", "/v2/jobs/{job_id}", "/v2/jobs/{job_id}/results/{name}"])


@pytest.mark.parametrize("path", ["/v2/jobs", "/v2/jobs/", "/v2/jobs//"])
def test_a_slash_at_the_end_is_optional(path: str) -> None:
    assert PATHS.find(path) == RouteMatch("/v2/jobs", {})


def test_the_route_of_the_root_is_found() -> None:
    assert PATHS.find("/") == RouteMatch("/", {})


def test_parameters_are_the_parts_of_the_path() -> None:
    assert PATHS.find("/v2/jobs/job_1/") == RouteMatch("/v2/jobs/{job_id}", {"job_id": "job_1"})
    assert PATHS.find("/v2/jobs/a.b/results/%2F") == RouteMatch(
        "/v2/jobs/{job_id}/results/{name}", {"job_id": "a.b", "name": "%2F"}
    )


@pytest.mark.parametrize("path", ["/v2", "/v2/jobs/a/b", "/v2/jobs/a/results", "/v2/jobsx", "//x"])
def test_a_parameter_is_one_part_of_a_path(path: str) -> None:
    assert PATHS.find(path) is None


def test_other_characters_of_a_route_are_literal() -> None:
    paths = RoutePaths(["/v1.0/{name}"])
    assert paths.find("/v1.0/a") is not None
    assert paths.find("/v1x0/a") is None
