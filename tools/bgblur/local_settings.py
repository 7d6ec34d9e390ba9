"""The settings of `bgblur`, whose defaults differ from those on Lambda."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from blur.settings import Settings

CHECKOUT = Path(__file__).parents[2]
DATA = Path(__file__).with_name("data")
"""The folder with the models and the page in an installed package; a checkout does not have it."""


def models() -> Path:
    """Return the folder with the ONNX files, in the wheel or in the checkout."""
    return _first(DATA / "models", CHECKOUT / "build" / "models")


def site() -> Path:
    """Return the page's folder, in the wheel or in the checkout."""
    return _first(DATA / "site", CHECKOUT / "site")


def settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings from the environment, with defaults for this machine.

    By default, accounts and uploads are in the data folder.

    Raises:
        ValueError: a setting is invalid.

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
    """Return the folder for accounts and uploads, which does not depend on the current folder.

    A checkout has its own folder, `var`. An installed package uses the XDG data folder:
    https://specifications.freedesktop.org/basedir-spec/latest/
    """
    if (CHECKOUT / "pyproject.toml").is_file():
        return CHECKOUT / "var"
    base = Path(environ.get("XDG_DATA_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".local" / "share") / "background-blur"


def _first(installed: Path, checkout: Path) -> Path:
    return installed if installed.is_dir() else checkout
