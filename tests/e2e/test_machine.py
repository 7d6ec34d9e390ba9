"""No container is left when a run fails or is terminated."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from events import make
from tests.e2e import machine, programs

if TYPE_CHECKING:
    from tests.e2e.customers import Customer

CALL = """
import json, sys
from pathlib import Path
from tests.e2e import machine, programs
with programs.ended_by_signals():
    machine.invoke(*json.load(sys.stdin), Path(sys.argv[1]))
"""


@pytest.mark.usefixtures("stack")
def test_leftover_containers_are_removed_whether_they_run_or_not() -> None:
    before = machine.containers()
    command = ["docker", "run", "--detach", "--entrypoint", "sh", machine.BASE_IMAGE, "-c"]
    with machine.containers_removed():
        for program in ("exit 1", "exec sleep 600"):
            subprocess.run([*command, program], check=True, stdout=subprocess.DEVNULL)
        assert len(machine.containers() - before) == 2
    assert machine.containers() == before


def test_stopping_an_invocation_removes_its_container(
    customer: Customer, variables: dict[str, str], tmp_path: Path
) -> None:
    before = machine.containers()
    with subprocess.Popen(
        [sys.executable, "-c", CALL, str(tmp_path)],
        cwd=machine.ROOT,
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as call:
        assert call.stdin is not None
        json.dump([make.blur(customer.key), variables], call.stdin)
        call.stdin.close()
        latest = time.monotonic() + programs.START_S
        while machine.containers() == before:
            assert time.monotonic() < latest, "no container was started"
            time.sleep(0.05)
        call.terminate()
    assert machine.containers() == before
