"""Read the settings from environment variables."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from blur.credits import Credits, whole
from blur.settings import Settings, usable_cpus, variable_of

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


def test_without_environment_variables_the_defaults_are_used() -> None:
    assert Settings.from_environ({"PATH": "/bin"}) == Settings()


def test_environment_variables_set_the_fields_of_the_settings() -> None:
    settings = Settings.from_environ(
        {"BLUR_MODEL_DIR": "/models", "BLUR_PRICE": "3", "BLUR_FETCH_URLS": "yes"}
    )
    assert (settings.model_dir, settings.price) == (Path("/models"), whole(3))
    assert settings.fetch_urls
    assert not Settings.from_environ({"BLUR_FETCH_URLS": "no"}).fetch_urls


def test_prices_are_read_as_quarters_of_a_credit() -> None:
    assert Settings().price == whole(1)
    assert Settings().price_preview == Credits(1)
    prices = {"BLUR_PRICE": "1.5", "BLUR_PRICE_PREVIEW": "0", "BLUR_PRICE_PERSON": "0.75"}
    settings = Settings.from_environ(prices)
    assert (settings.price, settings.price_preview, settings.price_person) == (6, 0, 3)


def test_subject_person_has_no_separate_price_if_the_setting_is_empty() -> None:
    assert Settings().price_person is None
    assert Settings.from_environ({"BLUR_PRICE_PERSON": ""}).price_person is None
    assert Settings.from_environ({"BLUR_PRICE_PERSON": "0"}).price_person == 0


def test_subject_person_has_the_price_of_an_image_unless_it_has_its_own_price() -> None:
    assert Settings.from_environ({"BLUR_PRICE": "3"}).person_price() == whole(3)
    prices = {"BLUR_PRICE": "3", "BLUR_PRICE_PERSON": "0"}
    assert Settings.from_environ(prices).person_price() == 0


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("BLUR_PRICE", "one", r"is not a number of credits: whole, or with \.25, \.5 or \.75"),
        ("BLUR_PRICE", "", "is not a number of credits"),
        ("BLUR_PRICE", "0.1", "is not a number of credits"),
        ("BLUR_PRICE_PREVIEW", "", "is not a number of credits"),
        ("BLUR_PRICE_PREVIEW", "-0.25", "at least 0"),
        ("BLUR_PRICE_PERSON", "1000000.25", "at most 1000000"),
        ("BLUR_PRICE", "-1", "at least 0"),
        ("BLUR_PRICE", "1" + 40 * "0", "at most 1000000"),
        ("BLUR_RATE_PER_MINUTE", "60000001", "at most 60000000"),
        ("BLUR_INFERENCE_THREADS", "1025", "at most 1024"),
        ("BLUR_RATE_BURST", "200000000000", "at most 10000000"),
        ("BLUR_HOLD_TTL_S", "86401", "at most 86400"),
        ("BLUR_REMOVEBG_DEDUPE_S", "-1", "at least 0"),
        ("BLUR_REMOVEBG_DEDUPE_S", "86401", "at most 86400"),
        ("BLUR_HOLD_TTL_S", "0", "more than 0"),
        ("BLUR_HOLD_TTL_S", "5", "more than BLUR_DEADLINE_MARGIN_S"),
        ("BLUR_PUBLIC_URL", "api.example", "http:// or https://"),
        ("BLUR_PUBLIC_URL", "https://api.example?a=b", "http:// or https://"),
        ("BLUR_PUBLIC_URL", "https://user@api.example", "http:// or https://"),
        ("BLUR_PUBLIC_URL", "https://", "http:// or https://"),
        ("BLUR_FETCH_URLS", "true", "is not yes or no"),
        ("BLUR_PRIZE", "1", "unknown setting BLUR_PRIZE"),
    ],
)
def test_the_error_for_an_invalid_variable_names_the_variable(
    variable: str, value: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        Settings.from_environ({variable: value})
    assert variable in str(caught.value)


LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "blur", "BLUR_MEDIA": "s3:media"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"BLUR_MEDIA": ""}, "BLUR_MEDIA must be s3:<bucket> on Lambda, .* more than 6 MB"),
        ({"BLUR_MEDIA": "folder:/tmp/media"}, "BLUR_MEDIA must be s3:<bucket> on Lambda"),
        ({"BLUR_HOLD_TTL_S": "32"}, "must be at least 5 s more than BLUR_TIMEOUT_S"),
        ({"BLUR_HOLD_TTL_S": "24", "BLUR_TIMEOUT_S": "20"}, "BLUR_HOLD_TTL_S must be at least"),
    ],
)
def test_settings_that_could_lose_a_charged_result_are_rejected_only_on_lambda(
    changed: dict[str, str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Settings.from_environ(LAMBDA | changed)
    elsewhere = {name: value for name, value in (LAMBDA | changed).items() if name[:4] == "BLUR"}
    assert Settings.from_environ(elsewhere).price == whole(1)


@pytest.mark.parametrize(
    "changed",
    [{}, {"BLUR_HOLD_TTL_S": "33"}, {"BLUR_HOLD_TTL_S": "25", "BLUR_TIMEOUT_S": "20"}],
)
def test_on_lambda_a_bucket_and_a_hold_at_least_5_s_longer_than_the_timeout_are_accepted(
    changed: dict[str, str],
) -> None:
    assert Settings.from_environ(LAMBDA | changed).media == "s3:media"


def test_without_a_setting_for_the_number_of_threads_every_cpu_is_used() -> None:
    assert Settings(inference_threads=3).threads() == 3
    assert Settings().threads() == usable_cpus() >= 1


def test_every_setting_is_in_the_documentation_with_its_default() -> None:
    rows = re.findall(r"^\| `(BLUR_\w+)` \| `([^`]*)` \|", OPERATIONS.read_text(), re.MULTILINE)
    documented = dict(rows)
    assert documented.keys() == {variable_of(field.name) for field in fields(Settings)}
    assert Settings.from_environ(documented) == Settings()


@pytest.mark.parametrize("text", ["/blur", "blur/", "a/b", "a b", "x" * 101])
def test_a_base_path_with_a_slash_a_space_or_over_100_characters_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="BLUR_BASE_PATH must be one part of a path"):
        Settings.from_environ({"BLUR_BASE_PATH": text})
    assert Settings.from_environ({"BLUR_BASE_PATH": "blur-1.0"}).base_path == "blur-1.0"
