"""The settings of everything that runs outside Lambda: the same, with other defaults."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from blur.settings import Settings

LOCAL_MODEL_DIR = Path(__file__).parents[2] / "build" / "models"
"""Where `make model` puts the weights in this checkout, wherever the command is called."""
LOCAL_MEDIA = Path("var/media")
LOCAL_SITE = Path(__file__).parents[2] / "site"


def settings(environ: Mapping[str, str]) -> Settings:
    """Read the environment; without a layer at /opt, take the checkout's own model folder.

    Uploads go to a folder beside the accounts, for there is a server here to receive them.

    Raises:
        ValueError: a setting has a value that it cannot have.

    """
    local = {"BLUR_MEDIA": f"folder:{LOCAL_MEDIA}"}
    if not Path("/opt/models").is_dir():
        local["BLUR_MODEL_DIR"] = str(LOCAL_MODEL_DIR)
    if not Path("/opt/site").is_dir():
        local["BLUR_SITE_DIR"] = str(LOCAL_SITE)
    return Settings.from_environ({**local, **environ})
