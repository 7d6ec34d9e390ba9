"""Fixtures of the attack tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.attack.attacks import Accounts
from tests.attack.target import Target, quick_networks
from tests.integration.running import environment
from tests.trials import size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.attack.decoder_processes import DecoderProcess


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Iterator[Target]:
    """Return a handler that all tests of a module share and attack."""
    with pytest.MonkeyPatch.context() as patch:
        quick_networks(patch)
        yield Target(tmp_path_factory.mktemp("target"), model_dir)


@pytest.fixture(scope=size("module", full="function"))
def decoders(model_dir: Path) -> Iterator[list[DecoderProcess]]:
    """Return processes that open malicious files.

    At small size, the tests of a module share the processes, because each start takes seconds of
    CPU time. At full size, each test starts new processes, so that its peak memory is its own.
    """
    from tests.attack.decoder_processes import decoder_processes  # noqa: PLC0415 - loads the decoders, which few tests need

    with decoder_processes(model_dir) as started:
        yield started


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> dict[str, str]:
    """Return the environment of the attacked servers."""
    return environment(tmp_path_factory.mktemp("accounts"), model_dir, BLUR_MEDIA="")


@pytest.fixture(scope="module")
def accounts(env: dict[str, str]) -> Accounts:
    """Return the accounts of the attacked servers."""
    return Accounts(env)
