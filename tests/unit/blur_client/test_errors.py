"""The client's errors, compared with the service's."""

from __future__ import annotations

import blur.errors
from blur_client.errors import ERRORS, ApiError


def service_errors() -> dict[str, type[blur.errors.ApiError]]:
    found = [blur.errors.ApiError]
    for kind in found:
        found += kind.__subclasses__()
    return {kind.code: kind for kind in found if "code" in vars(kind)}


def test_every_code_of_the_service_has_a_class_with_the_same_name() -> None:
    names = {code: kind.__name__ for code, kind in service_errors().items()}
    assert names
    assert {code: ERRORS[code].__name__ for code in names} == names


def test_all_error_classes_are_different_api_errors() -> None:
    assert all(issubclass(kind, ApiError) for kind in ERRORS.values())
    assert len(set(ERRORS.values())) == len(ERRORS)
