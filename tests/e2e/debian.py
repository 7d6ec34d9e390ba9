"""Installs the programs that the tests in containers need, with Debian's packages.

    python -m tests.e2e.debian

The packages stay installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess

PACKAGES = {
    "caddy": "caddy",
    "debootstrap": "debootstrap",
    "docker": "docker.io",
    "docker-compose": "docker-compose",
    "dockerd": "docker.io",
    "nginx": "nginx-light",
    "systemd-analyze": "systemd",
}
"""Each command, and the package that contains it."""


def install_missing() -> None:
    """Install the packages of all missing commands; this needs root."""
    missing = sorted({name for command, name in PACKAGES.items() if not shutil.which(command)})
    if missing:
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "--quiet=2"], check=True, env=quiet)
        install = ["apt-get", "install", "--yes", "--quiet=2", "--no-install-recommends"]
        subprocess.run([*install, *missing], check=True, env=quiet)


if __name__ == "__main__":
    install_missing()
