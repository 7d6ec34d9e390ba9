"""The settings of everything that runs outside Lambda: the same, with other defaults."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from blur.settings import Settings

CHECKOUT = Path(__file__).parents[2]
DATA = Path(__file__).with_name("data")
"""The model and the page that an installed wheel carries; a checkout has its own."""


def models() -> Path:
    """Return the folder of the ONNX files: the wheel's, or the checkout's."""
    return _first(DATA / "models", CHECKOUT / "build" / "models")


def site() -> Path:
    """Return the folder of the page, found in the same order."""
    return _first(DATA / "site", CHECKOUT / "site")


def settings(environ: Mapping[str, str]) -> Settings:
    """Read the environment, with the model and the page of this machine as defaults.

    Accounts and uploads are in the data folder, unless a variable names another place.

    Raises:
        ValueError: a setting has a value that it cannot have.

    """
    data = data_folder(environ)
    local = {
        "BLUR_ACCOUNTS": f"sqlite:{data / 'accounts.db'}",
        "BLUR_MEDIA": f"folder:{data / 'media'}",
        "BLUR_MODEL_DIR": str(models()),
        "BLUR_SITE_DIR": str(site()),
    }
    return Settings.from_environ({**local, **environ})


def data_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder for accounts and uploads; it does not depend on the current folder.

    A checkout has its own, `var`. An installed package uses the XDG data folder:
    https://specifications.freedesktop.org/basedir-spec/latest/
    """
    if (CHECKOUT / "pyproject.toml").is_file():
        return CHECKOUT / "var"
    base = Path(environ.get("XDG_DATA_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".local" / "share") / "background-blur"


def _first(carried: Path, checkout: Path) -> Path:
    return carried if carried.is_dir() else checkout
