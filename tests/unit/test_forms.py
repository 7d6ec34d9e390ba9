"""The parsed options of paid requests: prices, fingerprints and derived idempotency keys."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from blur.accounts.idempotency_key import IdempotencyKey
from blur.accounts.model import SECOND_US
from blur.accounts.repeats import derived_key
from blur.credits import ONE, QUARTER, ZERO
from blur.engine import Engine
from blur.forms import BlurForm, ImageInput, RemovalForm
from blur.image_requests import BlurRequest, RemovalRequest
from blur.imaging.blur_options import BlurOptions
from blur.imaging.removal.options import Margins, RemovalOptions
from blur.imaging.roi import Length, Roi
from blur.prices import Prices

if TYPE_CHECKING:
    import pytest

PHOTO = b"photo"
PX = Length(3, is_percent=False)
OTHER_VALUES: dict[str, Any] = {
    "max_megapixels": 4,
    "roi": Roi(PX, PX, PX, PX),
    "crop": True,
    "crop_margin": Margins(PX, PX, PX, PX),
    "scale": 0.5,
    "position": (0.5, 1.0),
    "channels": "alpha",
    "colour": (1, 2, 3, 4),
    "background": b"background",
    "output": "zip",
}
PRICES = Prices(image=ONE, preview=QUARTER, person=ONE)


def removal(options: RemovalOptions = RemovalOptions(), **changes: Any) -> RemovalForm:  # noqa: ANN401, B008 - values of any type; nothing can change the default object
    values = {"image": ImageInput.of_file(PHOTO), "is_preview": True, **changes}
    return RemovalForm(options=options, **values)


def key_value(form: RemovalForm) -> str:
    key = form.derived_key(SECOND_US)
    assert key is not None
    return key.value


def test_another_photo_or_any_other_option_changes_the_fingerprint_of_a_removal_request() -> None:
    assert set(OTHER_VALUES) == {each.name for each in fields(RemovalOptions)}
    changed = [replace(RemovalOptions(), **{name: value}) for name, value in OTHER_VALUES.items()]
    requests = [RemovalRequest(image=PHOTO, options=each) for each in (RemovalOptions(), *changed)]
    requests.append(RemovalRequest(image=b"other", options=RemovalOptions()))
    assert len({request.fingerprint() for request in requests}) == len(requests)


def test_bytes_moved_from_the_photo_to_the_background_change_the_fingerprint() -> None:
    split = [
        RemovalRequest(image=image, options=replace(RemovalOptions(), background=background))
        for image, background in ((b"ab", b"c"), (b"a", b"bc"), (b"c", b"ab"))
    ]
    assert len({request.fingerprint() for request in split}) == 3


def test_a_blur_request_and_a_removal_request_have_different_fingerprints() -> None:
    blur = BlurRequest(PHOTO, BlurOptions(radius_px=1))
    assert blur.fingerprint() != RemovalRequest(image=PHOTO, options=RemovalOptions()).fingerprint()


def test_the_fingerprint_ignores_type_level_the_byte_limit_and_the_accepted_formats() -> None:
    request = RemovalRequest(image=PHOTO, options=RemovalOptions())
    other = replace(request, has_type=False, max_bytes=1, accepts=lambda _: True)
    assert request.fingerprint() == other.fingerprint()


def test_a_derived_idempotency_key_depends_on_the_options_the_images_and_their_urls() -> None:
    def fetch(_: str) -> bytes:
        raise AssertionError

    forms = [
        removal(),
        removal(replace(RemovalOptions(), crop=True)),
        removal(image=ImageInput.of_file(b"other")),
        removal(image=ImageInput.of_url("https://a.example", fetch)),
        removal(image=ImageInput.of_url("https://b.example", fetch)),
        removal(background=ImageInput.of_file(b"background")),
        removal(background=ImageInput.of_url("https://a.example", fetch)),
    ]
    assert len({key_value(form) for form in forms}) == len(forms)
    assert key_value(removal()) == key_value(removal(is_preview=False, has_type=False, max_bytes=3))


def test_a_url_and_a_file_with_the_same_text_have_different_digests() -> None:
    url = "https://a.example"
    assert (
        ImageInput.of_url(url, lambda _: b"").digest() != ImageInput.of_file(url.encode()).digest()
    )


def test_a_derived_idempotency_key_never_equals_a_clients_key_and_has_a_separate_lifetime() -> None:
    key = derived_key("key_value", remember_us=7)
    assert (key.remember_us, key.is_derived) == (7, True)
    assert " " in key.value
    assert key.scope("digest") != IdempotencyKey("key_value").scope("digest")
    assert removal().derived_key(0) is None


def test_a_blur_request_has_no_derived_idempotency_key() -> None:
    assert BlurForm(BlurOptions(), lambda: PHOTO).derived_key(SECOND_US) is None  # type: ignore[func-returns-value]


def test_photo_and_background_are_fetched_only_when_the_form_is_loaded() -> None:
    fetched = []

    def fetch(url: str) -> bytes:
        fetched.append(url)
        return url.encode()

    form = removal(
        image=ImageInput.of_url("photo", fetch), background=ImageInput.of_url("background", fetch)
    )
    key_value(form)
    assert fetched == []
    request = form.load()
    assert request == RemovalRequest(
        image=b"photo",
        options=replace(RemovalOptions(), background=b"background"),
        accepts=form.accepts,
    )
    assert sorted(fetched) == ["background", "photo"]


def test_files_in_the_request_are_loaded_unchanged() -> None:
    plain = removal(has_type=False, max_bytes=7)
    assert plain.load() == RemovalRequest(
        image=PHOTO,
        options=RemovalOptions(),
        has_type=False,
        max_bytes=7,
        accepts=plain.accepts,
    )
    background = removal(background=ImageInput.of_file(b"background")).load()
    assert isinstance(background, RemovalRequest)
    assert background.options == replace(RemovalOptions(), background=b"background")


def test_a_background_is_removed_with_the_options_of_the_request_and_the_models_of_the_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[Any, ...]] = []
    model, people, faces = object(), object(), object()
    engine: Any = Engine(
        model=lambda: model,  # type: ignore[arg-type, return-value]
        people=lambda: people,  # type: ignore[arg-type, return-value]
        faces=lambda: faces,  # type: ignore[arg-type, return-value]
        max_pixels=5,
    )

    def remove(*args: object, **arguments: object) -> str:
        seen.append((args, arguments))
        return "result"

    monkeypatch.setattr("blur.engine.remove_background", remove)
    request = RemovalRequest(
        image=PHOTO, options=RemovalOptions(), max_bytes=7, accepts=lambda _: True
    )
    on_step = print
    assert request.render(engine, watermarked=True, on_step=on_step) == "result"  # type: ignore[comparison-overlap]
    expected = {
        "model": model,
        "people": people,
        "faces": faces,
        "max_pixels": 5,
        "watermarked": True,
        "on_step": on_step,
        "max_bytes": 7,
        "accepts": request.accepts,
    }
    assert seen == [((PHOTO, RemovalOptions()), expected)]
    replace(request, has_type=False).render(engine, watermarked=True, on_step=on_step)
    assert seen[1:] == [((PHOTO, RemovalOptions()), {**expected, "faces": None})]


def test_the_derived_idempotency_key_of_a_removal_request_is_kept_for_the_given_time() -> None:
    key = removal().derived_key(7 * SECOND_US)
    assert key is not None
    assert key.remember_us == 7 * SECOND_US


def test_the_price_of_a_request_is_known_before_its_image_is_loaded() -> None:
    assert removal().price(PRICES) == QUARTER
    assert removal(is_preview=False).price(PRICES) == ONE
    person = BlurForm(BlurOptions(subject="person"), lambda: PHOTO)
    assert person.price(PRICES) == ONE
    assert person.price(replace(PRICES, person=ZERO)) == ZERO
    assert BlurForm(BlurOptions(), lambda: PHOTO).price(replace(PRICES, person=ZERO)) == ONE
