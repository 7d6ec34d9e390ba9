"""Measure the cold start and the memory of the function's container image.

This script needs Docker and the image that `sam build` (or `make e2e`) has built:

    .venv/bin/python benchmarks/cold_start.py [--image blurfunction:latest] [--runs 15]

The script prints the tables of docs/operations.md. Each run is a new container with a read-only
root file system, a writable /tmp and no privileges. A program that writes a file elsewhere fails.
*Ready* is the time from the start of the process until the handler is ready, including Python's own
start. *Peak* is the largest resident set of the process, for photos of 4000 x 3000 pixels. *Warm*
is the median time of five further calls. The container gets as much CPU as Lambda assigns to a
function with this memory: one vCPU for 1,769 MB. On a machine with fewer CPUs, the time and the
cost are upper bounds.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from blur.settings import usable_cpus

PHOTO = Path(__file__).parents[1] / "docs" / "images" / "astronaut.jpg"
BASE = "background-blur-base:latest"
DEPLOYED = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "BLUR_ACCOUNTS": "dynamodb:accounts",
    "BLUR_MEDIA": "s3:media",
}
SIZES = [(1920, 1080), (4000, 3000)]
SHARES = {1769: 1.0, 3008: 1.7, 3538: 2.0, 5307: 3.0}
"""The number of vCPUs that Lambda assigns, by the function's memory in megabytes."""
TWO = min(2, usable_cpus())
"""The number of CPUs of a container that measures a start or a first call."""
GB_SECOND, CALL_FEE = 0.0000166667, 0.20 + 3.50 + 1.75
"""Prices in us-east-1, in dollars: Lambda's price for a GB-second on x86, and the sum of the fees
of Lambda, API Gateway and DynamoDB for a million calls."""
CONFINED = ["--read-only", "--tmpfs", "/tmp", "--network", "none"]  # noqa: S108 - /tmp in the container
CONFINED += ["--user", "65534:65534", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
ALONE = {"BLUR_ACCOUNTS": "sqlite:/tmp/accounts.db"}

INIT = """
import os, time
import blur.lambda_handler
ticks = int(open("/proc/self/stat").read().rpartition(")")[2].split()[19])
print(time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))
"""

CALL = """
import json, resource, secrets, sys, time
from blur.accounts.admin import AccountAdmin
from blur.accounts.connect import open_account_store
from blur.account_status import RateLimit
from blur.accounts.model import KeyKind
from blur.clock import now
from blur.lambda_handler import handler
admin = AccountAdmin(open_account_store("sqlite:/tmp/accounts.db"), secrets.token_bytes, now())
account = admin.create_account("bench", credits=100)
key, _ = admin.issue_key(account, KeyKind.LIVE, limit=RateLimit(100, 100))
class Context:
    aws_request_id = "bench"
    @staticmethod
    def get_remaining_time_in_millis():
        return 60_000
event = json.load(sys.stdin)
event["headers"]["ApiKey"] = key
def call():
    began = time.perf_counter()
    answer = handler(event, Context)
    return answer, time.perf_counter() - began
def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
answer, took_s = call()
first = [answer["statusCode"], len(answer["body"]), took_s, peak_mib()]
del answer
warm_s = sorted(call()[1] for _ in range(5))[2]
print(json.dumps([*first, warm_s, peak_mib()]))
"""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--image", default="blurfunction:latest")
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    inits = [float(run(options.image, INIT, DEPLOYED)) for _ in range(options.runs)]
    first = [Calls.measured(options.image, *SIZES[-1]) for _ in range(3)]
    size, base = image_bytes(options.image), image_bytes(BASE)
    print("| | measured |\n|---|---|")
    print(f"| time until ready, median of {options.runs} | {statistics.median(inits):.2f} s |")
    print(f"| longest time until ready | {max(inits):.2f} s |")
    print(f"| first 4000 x 3000 photo, {first[0].answer} | {first[0].first_s:.2f} s |")
    print(f"| peak memory after one photo | {max(each.peak_mib for each in first):.0f} MiB |")
    print(f"| peak memory after six photos | {max(each.last_peak_mib for each in first):.0f} MiB |")
    print(f"| image size | {size / 1e6:.0f} MB, {(size - base) / 1e6:.0f} MB without its base |")
    heads = (f"{width} x {height}, warm | a million calls" for width, height in SIZES)
    print(f"\n| memory | {' | '.join(heads)} |")
    print("|---" * (1 + 2 * len(SIZES)) + "|")
    for memory_mb, cpus in SHARES.items():
        given = min(cpus, usable_cpus())
        warm_s = [Calls.measured(options.image, *each, cpus=given).warm_s for each in SIZES]
        cells = [f"{each:.2f} s | ${million(each, memory_mb):.0f}" for each in warm_s]
        bound = f", measured with {given:g}" if given < cpus else ""
        print(f"| {memory_mb:,} MB ({cpus:g} vCPU{bound}) | {' | '.join(cells)} |")


def million(call_s: float, memory_mb: int) -> float:
    """Return the cost of a million calls in dollars, without the cost of outgoing data."""
    return 1e6 * call_s * memory_mb / 1024 * GB_SECOND + CALL_FEE


@dataclass(frozen=True)
class Calls:
    """The measurements of a container: a first call and five further calls."""

    answer: str
    first_s: float
    peak_mib: float
    warm_s: float
    last_peak_mib: float

    @classmethod
    def measured(cls, image: str, width: int, height: int, *, cpus: float = TWO) -> Calls:
        """Call the handler in a new container with a photo of this size."""
        given = json.dumps(event(width, height))
        printed = json.loads(run(image, CALL, ALONE, given, cpus=cpus).splitlines()[-1])
        status, length, *rest = printed
        return cls(f"{status} with {length / 1e6:.1f} MB", *rest)


def run(
    image: str, program: str, variables: dict[str, str], given: str = "", *, cpus: float = TWO
) -> str:
    """Run a program in a new container of the image and return its output."""
    environment = [word for item in variables.items() for word in ("--env", "=".join(item))]
    command = ["docker", "run", "--rm", "--interactive", *CONFINED, *environment]
    command += ["--cpus", str(cpus), "--entrypoint", "python3"]
    done = subprocess.run(  # noqa: S603 - runs an image of this project
        [*command, image, "-c", program], input=given, capture_output=True, text=True, check=False
    )
    if done.returncode:
        message = f"the container failed:\n{done.stderr}"
        raise RuntimeError(message)
    return done.stdout


def image_bytes(image: str) -> int:
    """Return the size of an image on disk, uncompressed."""
    command = ["docker", "image", "inspect", "--format", "{{.Size}}", image]
    return int(subprocess.check_output(command, text=True))  # noqa: S603 - inspects an image of this project


def event(width: int, height: int) -> dict[str, Any]:
    """Return the proxy event for a photo with as much noise as a phone's photo."""
    with Image.open(PHOTO) as sample:
        pixels = np.asarray(sample.convert("RGB").resize((width, height)), np.float32)
    grained = pixels + np.random.default_rng(0).normal(0, 3, pixels.shape)
    photo = io.BytesIO()
    Image.fromarray(grained.clip(0, 255).astype(np.uint8)).save(photo, "JPEG", quality=92)
    part = b"--X\r\nContent-Disposition: form-data; name=%s\r\n\r\n%s\r\n"
    body = part % (b"image", photo.getvalue()) + part % (b"radius", b"10") + b"--X--\r\n"
    return {
        "httpMethod": "POST",
        "path": "/v2/rembg/blur/",
        "headers": {"Content-Type": "multipart/form-data; boundary=X"},
        "requestContext": {"requestId": "bench"},
        "body": base64.b64encode(body).decode("ascii"),
        "isBase64Encoded": True,
    }


if __name__ == "__main__":
    main()
