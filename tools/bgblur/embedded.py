"""The settings of everything that runs outside Lambda: the same, with other defaults."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from blur.settings import Settings

LOCAL_MODEL_DIR = Path("build/models")
"""Where `make model` puts the weights in a checkout."""


def settings(environ: Mapping[str, str]) -> Settings:
    """Read the environment; without a layer at /opt, take the checkout's own model folder.

    Raises:
        ValueError: a setting has a value that it cannot have.

    """
    local = {} if Path("/opt/models").is_dir() else {"BLUR_MODEL_DIR": str(LOCAL_MODEL_DIR)}
    return Settings.from_environ({**local, **environ})
