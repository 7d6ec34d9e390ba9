"""Compare this server with rembg's server, `rembg s`: time, bytes, photos per second and memory.

    make bench-server DATA=folder

For the photos in the folder `DATA/photos`, the file sizes of the cutouts are also compared.

Both servers are warm, listen on the loopback address, use all cores of this machine, and return
PNG. rembg has no blur, so the client blurs with Pillow and composites with rembg's mask. In each
round, first one server processes the photo, and then the other server.
"""

from __future__ import annotations

import io
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import report
import requests
from paired import paired, ratio
from PIL import Image, ImageFilter
from rembg_server import TIMEOUT_S, RembgServer, rembg_server
from served import Served, served
from subjects import photo

from blur.settings import usable_cpus

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 5
SIZES = ((4000, 3000), (1920, 1080))
FASTER = {4000: 4, 1920: 2}
"""The targets for each width: the minimum speed of a cutout, as a multiple of rembg's speed."""
MAX_BYTES = 0.9
RADIUS_PX = 10
PHOTOS, CLIENTS, PHOTO_SIZE = 32, 8, (1280, 853)


def ours(server: Served, data: bytes, **fields: str) -> bytes:
    """Return this server's result for a photo."""
    response = requests.post(
        f"{server.url}/v2/rembg/blur/",
        headers={"ApiKey": server.key},
        files={"image": ("photo.jpg", data, "image/jpeg")},
        data=fields,
        timeout=TIMEOUT_S,
    )
    response.raise_for_status()
    return response.content


def blur_with_mask(server: RembgServer, data: bytes) -> bytes:
    """Return a PNG of the photo with its background blurred, using the mask of rembg's server."""
    mask = Image.open(io.BytesIO(server.remove(data, only_mask=True))).convert("L")
    sharp = Image.open(io.BytesIO(data)).convert("RGB")
    file = io.BytesIO()
    blurred = sharp.filter(ImageFilter.GaussianBlur(RADIUS_PX))
    Image.composite(sharp, blurred, mask).save(file, "PNG")
    return file.getvalue()


def compare(peer: RembgServer, server: Served) -> str:
    """Compare the time and the file size of results, with one request at a time."""
    rows = []
    for width, height in SIZES:
        data = photo(width, height)
        cutout = partial(ours, server, data, mode="cutout", radius="0")
        blur = partial(ours, server, data, radius=str(RADIUS_PX))
        rows += [
            _row(f"cutout, {width} x {height}", partial(peer.remove, data), cutout, FASTER[width]),
            _row(f"blur, {width} x {height}", partial(blur_with_mask, peer, data), blur, None),
        ]
    head = ("PNG", "rembg, s", "here, s", "faster", "target", "rembg, MB", "here, MB")
    return report.table((*head, "bytes, here : rembg", "at most"), rows)


def _row(
    name: str, theirs: Callable[[], bytes], here: Callable[[], bytes], target: int | None
) -> tuple[object, ...]:
    sizes = len(theirs()), len(here())
    times = paired(ROUNDS, theirs=theirs, here=here)
    return (
        name,
        *(f"{statistics.median(times[who]):.2f}" for who in ("theirs", "here")),
        f"{ratio(times['theirs'], times['here']):.1f} x",
        f"{target} x" if target else "",
        *(f"{size / 1e6:.2f}" for size in sizes),
        f"{sizes[1] / sizes[0]:.2f} x",
        f"{MAX_BYTES} x" if target else "",
    )


def bytes_of_photos(peer: RembgServer, server: Served, files: list[Path]) -> str:
    """Compare the file sizes of the cutouts of these photos."""
    rows, ratios = [], []
    for path in files:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            size = f"{image.width} x {image.height}"
        theirs, here = peer.remove(data), ours(server, data, mode="cutout", radius="0")
        ratios.append(len(here) / len(theirs))
        megabytes = (f"{len(each) / 1e6:.2f}" for each in (theirs, here))
        rows.append((path.name, size, *megabytes, f"{ratios[-1]:.2f} x", ""))
    mean = statistics.geometric_mean(ratios)
    rows.append((f"mean of {len(files)}", "", "", "", f"{mean:.2f} x", f"{MAX_BYTES} x"))
    return report.table(
        ("cutout, PNG", "pixels", "rembg, MB", "here, MB", "bytes, here : rembg", "at most"), rows
    )


def photos_per_second(work: Callable[[], bytes]) -> float:
    """Return the photos per second while several clients send photos at the same time."""
    started = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda _: work(), range(PHOTOS)))
    return PHOTOS / (time.perf_counter() - started)


def memory_gb(pid: int) -> float:
    """Return the sum of the resident sets of a process and its children, in GB."""
    parent = psutil.Process(pid)
    processes = [parent, *parent.children(recursive=True)]
    total_bytes: int = sum(process.memory_info().rss for process in processes)
    return total_bytes / 1e9


def under_load(peer: RembgServer, server: Served) -> str:
    """Compare the cutouts per second of both servers, and their memory after the run."""
    data = photo(*PHOTO_SIZE)
    rows = []
    for name, pid, work in (
        ("rembg", peer.pid, partial(peer.remove, data)),
        ("here", server.pid, partial(ours, server, data, mode="cutout", radius="0")),
    ):
        work()
        rows.append((name, f"{photos_per_second(work):.1f}", f"{memory_gb(pid):.2f}"))
    width, height = PHOTO_SIZE
    head = f"{PHOTOS} cutouts of {width} x {height} from {CLIENTS} clients"
    return report.table((head, "photos per second", "memory after the run, GB"), rows)


def main() -> None:
    """Measure everything and store the results."""
    files = sorted(Path(sys.argv[1]).glob("*.*g")) if sys.argv[1:] else []
    if not files:
        sys.exit("The photos are missing: make bench-server DATA=folder, with a folder `photos`.")
    workers = str(usable_cpus())
    with rembg_server() as peer, served("--workers", "1") as server:
        times = compare(peer, server)
        sizes = bytes_of_photos(peer, server, files)
    with rembg_server() as peer, served("--workers", workers, "--queue", str(PHOTOS)) as server:
        load = under_load(peer, server)
    report.publish("This server and rembg's server", f"{times}\n\n{sizes}\n\n{load}")


if __name__ == "__main__":
    main()
