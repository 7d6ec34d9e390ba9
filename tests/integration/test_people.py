"""The real neural networks for people and for faces, with missing and damaged files."""

from __future__ import annotations

import shutil
from io import BytesIO, StringIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from aws_lambda_powertools import Logger
from click.testing import CliRunner
from PIL import Image
from tests.unit.imaging.pictures import astronaut, flat, noise, sample_photo, saved

from bgblur.cli import main
from blur.app import build_app
from blur.engine import new_engine
from blur.errors import NoSubjectError
from blur.imaging.blur_options import BlurOptions
from blur.imaging.matting.matte import find_matte, predict_person
from blur.imaging.matting.models import FACES, MODELS, PEOPLE, ModelDamagedError
from blur.imaging.matting.session import Model, open_faces_model, open_model, open_people_model
from blur.imaging.pipeline import blur_photo
from blur.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from blur.imaging.arrays import RgbU8


@pytest.fixture(scope="module")
def people(model_dir: Path) -> Model:
    opened = open_people_model(model_dir, threads=1)
    assert opened is not None
    return opened


@pytest.fixture
def without_people(model_dir: Path, tmp_path: Path) -> Path:
    """Return a folder with only the default model."""
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copy(model_dir / MODELS["u2netp-light"].file, folder)
    return folder


@pytest.mark.parametrize("name", ["u2netp", "u2netp-light"])
def test_person_in_a_portrait_is_found_with_and_without_the_network_for_people(
    name: str, model_dir: Path, people: Model
) -> None:
    model = open_model(MODELS[name], model_dir, threads=1)
    for helper in (None, people):
        matte = find_matte(model, astronaut(), people=helper)
        assert matte[100, 230] == 255
        assert matte[60, 30] == 0


def test_cutout_with_subject_person_contains_the_person_but_not_the_background(
    people: Model,
) -> None:
    data = saved(Image.fromarray(astronaut()), "JPEG")
    options = BlurOptions(radius_px=0, mode="cutout", subject="person")
    result = blur_photo(data, options, model=people, people=people, max_pixels=1_000_000)
    alpha = np.asarray(Image.open(BytesIO(result.image.data)))[..., 3]
    assert (alpha[90:130, 210:250] == 255).all()
    assert alpha[60, 30] == 0


@pytest.mark.parametrize(
    "photo",
    [noise(300, 400), flat(300, 400, (120, 90, 80)), sample_photo("rocket")],
    ids=["noise", "uniform", "rocket"],
)
def test_with_subject_person_a_photo_without_a_person_is_rejected(
    photo: RgbU8, people: Model
) -> None:
    with pytest.raises(NoSubjectError, match="person"):
        predict_person(people, photo)


def test_missing_network_for_people_is_logged_at_the_start_and_photos_are_blurred_without_it(
    without_people: Path, tmp_path: Path
) -> None:
    log = StringIO()
    logger = Logger(service="absent-network", stream=log)
    accounts = f"sqlite:{tmp_path / 'accounts.db'}"
    build_app(Settings(model_dir=without_people, accounts=accounts), logger=logger)
    assert "network for people" in log.getvalue()
    (tmp_path / "photo.jpg").write_bytes(saved(Image.fromarray(astronaut()), "JPEG"))
    done = CliRunner().invoke(
        main,
        ["blur", str(tmp_path / "photo.jpg"), "-r", "5", "-o", str(tmp_path / "out.png")],
        env={"BLUR_MODEL_DIR": str(without_people)},
    )
    assert done.exit_code == 0, done.output
    assert "network for people" in done.output
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == (512, 512)


def test_start_with_all_neural_networks_logs_no_missing_network(
    model_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    build_app(Settings(model_dir=model_dir, accounts=f"sqlite:{tmp_path / 'accounts.db'}"))
    assert "network for" not in caplog.text


def test_start_without_the_network_for_faces_logs_only_that_this_network_is_missing(
    without_people: Path, model_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copy(model_dir / PEOPLE.file, without_people)
    build_app(Settings(model_dir=without_people, accounts=f"sqlite:{tmp_path / 'accounts.db'}"))
    assert "network for faces" in caplog.text
    assert "network for people" not in caplog.text
    assert open_faces_model(without_people, threads=1) is None


DAMAGED = {"empty": b"", "zeros": bytes(999), "text": b"version https://git-lfs.github.com/spec/v1"}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_network_for_faces_is_logged_once_and_not_used(
    name: str, without_people: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (without_people / FACES.file).write_bytes(DAMAGED[name])
    engine = new_engine(Settings(model_dir=without_people, accounts=f"sqlite:{tmp_path / 'a.db'}"))
    assert [engine.faces(), engine.faces()] == [None, None]
    (error,) = [line.getMessage() for line in caplog.records if line.levelname == "ERROR"]
    assert FACES.file in error
    assert "make model" in error


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize("file", [PEOPLE.file, MODELS["u2netp-light"].file])
def test_a_damaged_network_for_subjects_or_people_stops_the_server_and_the_command(
    name: str, file: str, without_people: Path, tmp_path: Path
) -> None:
    (without_people / file).write_bytes(DAMAGED[name])
    accounts = f"sqlite:{tmp_path / 'accounts.db'}"
    with pytest.raises(ModelDamagedError, match=file):
        build_app(Settings(model_dir=without_people, accounts=accounts))
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(saved(Image.fromarray(astronaut()), "JPEG"))
    done = CliRunner().invoke(
        main, ["blur", str(photo), "-r", "5"], env={"BLUR_MODEL_DIR": str(without_people)}
    )
    assert done.exit_code == 2
    assert "is damaged" in done.output


def test_the_highest_score_of_the_network_for_faces_is_at_the_face(model_dir: Path) -> None:
    faces = open_faces_model(model_dir, threads=1)
    assert faces is not None
    scores = faces.predict(astronaut())
    row, column = np.unravel_index(scores.argmax(), scores.shape)
    assert scores.shape == (48, 48)
    assert scores.max() > 0.9
    assert float(row) * 512 / 48 == pytest.approx(110, abs=25)
    assert float(column) * 512 / 48 == pytest.approx(225, abs=25)
    assert faces.predict(noise(300, 400)).max() < 0.5


def test_each_network_for_people_or_faces_takes_less_than_4_mb_with_its_original_file(
    model_dir: Path,
) -> None:
    for pattern, converted in (("selfie*", PEOPLE), ("face*", FACES)):
        sizes = [path.stat().st_size for path in model_dir.glob(pattern)]
        assert (model_dir / converted.file).is_file()
        assert sum(sizes) < 4_000_000
