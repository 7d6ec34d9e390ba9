"""The API reference: its content, its layout, and its forms to try the API."""

from __future__ import annotations

import email
import email.policy
import json
import re
from typing import TYPE_CHECKING

from docs.describe import described
from events import make
from tests.browser.visit import Visit, fits, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext
    from tests.integration.storage.conftest import Api


def test_the_reference_shows_every_path_every_form_field_and_error_codes(
    context: BrowserContext, served: Api
) -> None:
    visit = Visit.started(context, served, "/docs")
    visit.page.wait_for_selector("#calls section")
    text = visit.page.inner_text("#work")
    for path, methods in described()["paths"].items():
        assert path in text
        assert {"post", "get"} & set(methods)
    for name in described()["components"]["schemas"]["BlurForm"]["properties"]:
        assert name in text
    for name in described()["components"]["schemas"]["RemovalForm"]["properties"]:
        assert name in text
    for code in ("invalid_quality", "no_subject", "idempotency_conflict", "upload_not_found"):
        assert code in text
    assert "undefined" not in text
    assert not visit.errors


def test_the_first_code_sample_has_the_address_of_this_server_in_four_languages(
    context: BrowserContext, served: Api
) -> None:
    visit = opened(context, served)
    assert visit.page.inner_text("#base") == f"{served.server.url}/"
    for language, word in (
        ("curl", "--fail-with-body"),
        ("python", "requests.post"),
        ("javascript", "FormData"),
        ("php", "curl_init"),
    ):
        visit.page.click(f"#tab-{language}")
        code = visit.page.inner_text("#sample")
        assert word in code
        assert served.server.blur_url in code
        assert served.key not in code


def test_each_error_has_a_meaning_and_a_remedy(context: BrowserContext, served: Api) -> None:
    visit = opened(context, served)
    entries = visit.page.locator("#codes details")
    assert entries.count() > 20
    for text in entries.all_inner_texts():
        meaning, remedy = re.findall(r"(?:Meaning|What to do): (.+)", text)
        assert len(meaning) > 10
        assert len(remedy) > 10
        assert re.search(r"\b[45]\d\d\b", text)


def test_the_reference_shows_the_error_format_of_each_route(
    context: BrowserContext, served: Api
) -> None:
    visit = opened(context, served)
    for section in visit.page.locator("#calls section").all():
        if section.locator("summary:text-is('Errors')").count():
            section.locator("summary:text-is('Errors')").click()
            [shown] = [
                text for text in section.locator("details[open] pre").all_inner_texts()
                if '"error' in text
            ]  # fmt: skip
            document = json.loads(shown)
            if "errors" in document:
                [entry] = document["errors"]
                assert set(entry) == {"title", "code", "detail"}
            else:
                assert set(document["error"]) == {"code", "message", "request_id"}


def test_the_example_request_is_a_valid_multipart_form(
    context: BrowserContext, served: Api
) -> None:
    visit = opened(context, served)
    visit.page.click("#blur summary:text-is('Example request')")
    text = visit.page.inner_text("#blur details[open] pre:has-text('multipart/form-data')")
    head, _, body = text.partition("\n\n")
    form = f"{head.partition(chr(10))[2]}\n\n{body}"
    message = email.message_from_string(form, policy=email.policy.default)
    parts = {
        part.get_param("name", header="content-disposition"): part for part in message.iter_parts()
    }
    assert parts["radius"].get_content().strip() == "12"
    assert parts["image"].get_filename() == "photo.jpg"


def test_the_form_sends_a_real_call_and_shows_its_response(
    context: BrowserContext, served: Api
) -> None:
    visit = opened(context, served)
    before = visit.balance()
    form = visit.page.locator("#blur .try")
    visit.page.click("#blur summary:text-is('Try it')")
    form.locator("[name=ApiKey]").fill(served.key)
    form.locator("[name=image]").set_input_files(
        {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": make.jpeg()}
    )
    form.locator("button").click()
    form.locator(".response img").wait_for()
    assert "HTTP 200" in form.locator(".response pre").inner_text()
    assert visit.balance() == before - 1
    form.locator("[name=radius]").fill("99")
    form.locator("button").click()
    form.locator(".response pre:has-text('invalid_radius')").wait_for()
    visit.page.click("#createUpload summary:text-is('Try it')")
    form = visit.page.locator("#createUpload .try")
    form.locator("[name=ApiKey]").fill(served.key)
    form.locator("[name=content_type]").select_option("image/jpeg")
    form.locator("[name=bytes]").fill("1000")
    form.locator("button").click()
    form.locator(".response pre:has-text('upload_id')").wait_for()
    assert not visit.errors


def test_the_reference_can_request_a_job_whose_id_is_in_the_path(
    context: BrowserContext, served: Api
) -> None:
    visit = opened(context, served)
    create, show = visit.page.locator("#createJob form"), visit.page.locator("#job form")
    visit.page.locator("#createJob .try-it summary").click()
    create.locator("[name=ApiKey]").fill(served.key)
    create.locator("button").click()
    created = create.locator(".response pre:has-text('job_id')")
    created.wait_for()
    job_id = json.loads(created.inner_text())["job_id"]
    visit.page.locator("#job .try-it summary").click()
    show.locator("[name=ApiKey]").fill(served.key)
    show.locator("[name=job_id]").fill(job_id)
    show.locator("[name=limit]").fill("1")
    show.locator("button").click()
    show.locator(".response pre:has-text('failures')").wait_for()
    assert job_id in show.locator(".response").inner_text()
    assert not visit.errors


def test_the_section_that_the_fragment_of_the_url_names_is_opened(
    context: BrowserContext, served: Api
) -> None:
    visit = opened(context, served, "#migrating-from-removebg")
    assert "image_file_b64" in visit.page.inner_text("#migrating-from-removebg")
    code = "".join(visit.page.locator("#migrating-from-removebg pre").all_inner_texts())
    assert f'API_ENDPOINT = "{served.server.url}/v1.0/removebg"' in code
    assert "example.com" not in code
    visit.page.evaluate("location.hash = 'error-no_subject'")
    visit.page.wait_for_selector("#error-no_subject[open]")


def test_reference_fits_a_phone_and_has_a_limited_height(chromium: Browser, served: Api) -> None:
    context = chromium.new_context(viewport={"width": 360, "height": 780})
    visit = opened(context, served)
    assert fits(visit.page)
    tops = "each => each.map(link => link.getBoundingClientRect().top)"
    lines = visit.page.eval_on_selector_all("#contents a", tops)
    assert len(set(lines)) == len(lines), "two entries of the table of contents are on one line"
    # The six routes of jobs have sections of about 650 pixels each.
    height = visit.page.evaluate("document.documentElement.scrollHeight")
    assert height < 12_499 * 0.6 + 6 * 660
    for summary in visit.page.locator("summary").all():
        summary.click()
    assert fits(visit.page)
    assert visit.page.locator("details:not([open])").count() == 0
    context.close()
