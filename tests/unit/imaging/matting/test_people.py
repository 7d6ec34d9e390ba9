from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.unit.imaging.pictures import flat, noise

from blur.errors import NoSubjectError
from blur.imaging.matting.matte import predict_person, predict_subject
from blur.imaging.matting.people import combine, find_people, keep_people

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaF32, RgbU8

SIDE_PX = 320


class Sequence:
    """A predictor that returns the given outputs in order, and records its photos."""

    def __init__(self, *maps: AlphaF32) -> None:
        self.maps = list(maps)
        self.photos: list[RgbU8] = []
        self.side_px = maps[0].shape[0]

    def predict(self, photo: RgbU8) -> AlphaF32:
        self.photos.append(photo)
        return self.maps.pop(0)


def box(top: int, bottom: int, left: int, right: int, value: float = 1) -> AlphaF32:
    """Return a map of probabilities: `value` inside a box, and 0 outside."""
    made = np.zeros((SIDE_PX, SIDE_PX), np.float32)
    made[top:bottom, left:right] = value
    return made


PORTRAIT = box(60, 320, 50, 270)
FACE_ONLY = box(60, 200, 50, 270)


def never() -> AlphaF32:
    pytest.fail("the mirrored photo was used, although it was not needed")


def test_if_the_saliency_map_has_only_the_face_the_whole_portrait_is_added() -> None:
    np.testing.assert_array_equal(combine(FACE_ONLY, PORTRAIT, lambda: PORTRAIT), PORTRAIT)


def test_a_portrait_is_not_added_to_the_map_if_it_is_not_found_in_the_mirrored_photo() -> None:
    np.testing.assert_array_equal(combine(FACE_ONLY, PORTRAIT, lambda: FACE_ONLY), FACE_ONLY)


@pytest.mark.parametrize(
    "people",
    [box(60, 300, 50, 270), box(60, 320, 50, 200), box(0, 0, 0, 0), PORTRAIT * np.float32(0.8)],
    ids=["not at the border", "at a small part of the border", "nobody", "uncertain"],
)
def test_the_network_for_people_does_not_change_the_map_if_the_photo_is_not_clearly_a_portrait(
    people: AlphaF32,
) -> None:
    np.testing.assert_array_equal(combine(FACE_ONLY, people, never), FACE_ONLY)


def test_persons_that_are_not_salient_stay_in_the_background() -> None:
    saliency = box(100, 320, 20, 100)
    people = np.maximum(saliency, box(100, 320, 180, 300))
    np.testing.assert_array_equal(combine(saliency, people, never), saliency)


def test_half_transparent_persons_become_opaque_and_half_transparent_things_transparent() -> None:
    first = box(100, 300, 20, 140)
    both = np.maximum(first, box(100, 300, 140, 260, 0.45))
    person = combine(both, box(100, 300, 20, 260), never)
    assert (person[110:290, 30:250] == 1).all()
    thing = combine(np.maximum(first, box(100, 300, 140, 260, 0.7)), first, never)
    assert (thing[110:290, 150:250] == 0).all()
    assert (thing[110:290, 30:130] == 1).all()


def test_small_regions_in_the_output_of_the_network_for_people_are_removed() -> None:
    people = np.maximum(box(100, 300, 100, 200), box(10, 20, 10, 20))
    assert len(find_people(people)) == 1
    np.testing.assert_array_equal(keep_people(people), box(100, 300, 100, 200))


def test_a_model_with_half_transparent_regions_in_its_map_runs_again_on_the_mirrored_photo() -> (
    None
):
    photo = noise(90, 120)
    seen = np.maximum(box(0, 320, 0, 60), box(60, 260, 150, 300, 0.4))
    seen_mirrored = box(60, 260, 20, 170)
    model = Sequence(seen, seen_mirrored)
    subject = predict_subject(model, photo)
    np.testing.assert_array_equal(model.photos[1], photo[:, ::-1])
    np.testing.assert_array_equal(subject, np.maximum(box(0, 320, 0, 60), box(60, 260, 150, 300)))


def test_a_model_without_half_transparent_regions_in_its_map_runs_only_once() -> None:
    model, people = Sequence(PORTRAIT), Sequence(FACE_ONLY)
    predict_subject(model, noise(90, 120), people=people)
    assert (len(model.photos), len(people.photos)) == (1, 1)


def test_a_person_can_be_found_with_only_the_network_for_people() -> None:
    people = Sequence(np.maximum(PORTRAIT, box(5, 10, 5, 10)))
    np.testing.assert_array_equal(predict_person(people, noise(90, 120)), PORTRAIT)


def test_the_network_for_people_gets_grey_for_transparent_pixels() -> None:
    alpha = np.zeros((90, 120), np.uint8)
    model, people = Sequence(PORTRAIT), Sequence(PORTRAIT)
    predict_subject(model, noise(90, 120), alpha, people=people)
    np.testing.assert_array_equal(people.photos[0], flat(90, 120, (128, 128, 128)))


@pytest.mark.parametrize("value", [0.0, 0.4, np.nan])
def test_with_subject_person_a_photo_without_a_person_is_rejected(value: float) -> None:
    with pytest.raises(NoSubjectError, match="No person"):
        predict_person(Sequence(np.full((256, 256), value, np.float32)), noise(90, 120))


def test_the_outputs_of_two_networks_are_combined_at_the_size_of_the_saliency_map() -> None:
    large = np.zeros((1024, 1024), np.float32)
    large[190:640, 160:860] = 1
    small = np.zeros((256, 256), np.float32)
    small[48:, 40:216] = 1
    subject = predict_subject(
        Sequence(large), noise(90, 120), people=Sequence(small, small[:, ::-1])
    )
    assert subject.shape == (1024, 1024)
    assert (subject[230:, 200:820] == 1).all()
