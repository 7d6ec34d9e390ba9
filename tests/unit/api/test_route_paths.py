"""Find the route of a path, and read the parameters of the route from the path."""

from __future__ import annotations

import pytest

from blur.api.route_paths import RouteMatch, RoutePaths

PATHS = RoutePaths(["/", "/v2/jobs", "/v2/jobs/{job_id}", "/v2/jobs/{job_id}/results/{name}"])


@pytest.mark.parametrize("path", ["/v2/jobs", "/v2/jobs/", "/v2/jobs//"])
def test_slashes_at_the_end_of_a_path_are_ignored(path: str) -> None:
    assert PATHS.find(path) == RouteMatch("/v2/jobs", {})


def test_the_root_path_has_a_route() -> None:
    assert PATHS.find("/") == RouteMatch("/", {})


def test_parameters_are_read_from_the_parts_of_the_path_and_stay_percent_encoded() -> None:
    assert PATHS.find("/v2/jobs/job_1/") == RouteMatch("/v2/jobs/{job_id}", {"job_id": "job_1"})
    assert PATHS.find("/v2/jobs/a.b/results/%2F") == RouteMatch(
        "/v2/jobs/{job_id}/results/{name}", {"job_id": "a.b", "name": "%2F"}
    )


@pytest.mark.parametrize("path", ["/v2", "/v2/jobs/a/b", "/v2/jobs/a/results", "/v2/jobsx", "//x"])
def test_a_path_with_missing_or_additional_parts_has_no_route(path: str) -> None:
    assert PATHS.find(path) is None


def test_a_dot_in_a_route_matches_only_a_dot() -> None:
    paths = RoutePaths(["/v1.0/{name}"])
    assert paths.find("/v1.0/a") is not None
    assert paths.find("/v1x0/a") is None
