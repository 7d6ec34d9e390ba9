"""The settings of everything that runs outside Lambda: the same, with other defaults."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from blur.settings import Settings

CHECKOUT = Path(__file__).parents[2]
DATA = Path(__file__).with_name("data")
"""The model and the page that an installed wheel carries; a checkout has its own."""
LOCAL_MEDIA = Path("var/media")


def models() -> Path:
    """Return the folder of the ONNX files: the wheel's, or the checkout's."""
    return _first(DATA / "models", CHECKOUT / "build" / "models")


def site() -> Path:
    """Return the folder of the page, found in the same order."""
    return _first(DATA / "site", CHECKOUT / "site")


def settings(environ: Mapping[str, str]) -> Settings:
    """Read the environment, with the model and the page of this machine as defaults.

    Uploads go to a folder next to the accounts, since there is a server here to receive them.

    Raises:
        ValueError: a setting has a value that it cannot have.

    """
    local = {
        "BLUR_MEDIA": f"folder:{LOCAL_MEDIA}",
        "BLUR_MODEL_DIR": str(models()),
        "BLUR_SITE_DIR": str(site()),
    }
    return Settings.from_environ({**local, **environ})


def _first(carried: Path, checkout: Path) -> Path:
    return carried if carried.is_dir() else checkout
