"""Count the files that the service can decode, and compare the pixels with other decoders' pixels.

    make bench-files DATA=folder

Every file in the folder tree is decoded as in the service. If ImageMagick and libvips are installed
(Debian's imagemagick and libvips-tools), they decode the file too, and the opaque pixels of the
upright pictures are compared in sRGB. A file *differs* if no other decoder gives similar pixels. A
file is *missed* if the service rejects it and another decoder opens it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from PIL import Image, ImageCms

from blur.errors import ApiError
from blur.imaging.arrays import OPAQUE
from blur.imaging.decode.decoder import decode
from blur.imaging.decode.formats import detect_format
from blur.settings import Settings

if TYPE_CHECKING:
    from blur.imaging.arrays import RgbU8

Reference: TypeAlias = Callable[[Path, Path], list[str]]

NEAR_LEVELS = 6.0
"""The largest mean difference, 0..255, between two correct decoders. Decoders upsample chroma and
map black points and gamuts in different ways."""
WORST = 10
TIMEOUT_S = 60


class Outcome(NamedTuple):
    """The outcome for one file."""

    path: Path
    kind: str
    refusal: str
    """The reason why the file was not opened; empty if it was opened."""
    difference: float | None
    """The mean difference from the most similar picture of another decoder, 0..255, or None."""
    is_missed: bool = False

    @property
    def differs(self) -> bool:
        """Whether our picture differs from the pictures of all other decoders."""
        return self.difference is not None and self.difference > NEAR_LEVELS


def shown(data: bytes) -> RgbU8:
    """Return the decoded picture in sRGB with its alpha, (H, W, 4), as a viewer shows it."""
    photo = decode(data, max_pixels=Settings().max_pixels)
    pixels = photo.pixels
    if photo.icc_profile is not None:
        image = ImageCms.profileToProfile(
            Image.fromarray(pixels),
            ImageCms.getOpenProfile(BytesIO(photo.icc_profile)),
            ImageCms.createProfile("sRGB"),
        )
        pixels = np.asarray(image)
    alpha = np.full(pixels.shape[:2], OPAQUE, np.uint8) if photo.alpha is None else photo.alpha
    return np.dstack((pixels, alpha))


def attempt(path: Path) -> tuple[str, RgbU8 | None]:
    """Return an empty text and the picture of a file, or the reason for the rejection and None."""
    try:
        return "", shown(path.read_bytes())
    except ApiError as error:
        return error.message, None


def references(folder: Path) -> dict[str, Reference]:
    """Return a function for each installed decoder, by the decoder's name.

    The function returns the command that converts a file to a PNG.
    """
    profile = folder / "srgb.icc"
    profile.write_bytes(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    found: dict[str, Reference] = {}
    magick = shutil.which("magick") or shutil.which("convert")
    if magick is not None and shutil.which("identify"):
        found["ImageMagick"] = lambda source, target: [
            *(magick, f"{source}[0]", "-auto-orient", "-profile", str(profile)),
            *("-background", "white", "-alpha", "remove", "-depth", "8", f"png24:{target}"),
        ]
    vips = shutil.which("vipsthumbnail")
    if vips is not None:
        found["libvips"] = lambda source, target: [
            *(vips, str(source), "--size", "60000x60000>", "--export-profile", "srgb"),
            *("-o", f"{target}[strip]"),
        ]
    return found


def pictures(path: Path, known: dict[str, Reference], folder: Path) -> Iterator[RgbU8]:
    """Yield the pictures that the other decoders read from the file, if they can open it."""
    for command in known.values():
        target = folder / "reference.png"
        target.unlink(missing_ok=True)
        try:
            subprocess.run(  # noqa: S603 - runs an installed decoder
                command(path, target), timeout=TIMEOUT_S, capture_output=True, check=True
            )
            image = Image.open(target).convert("RGB")
        except (subprocess.SubprocessError, OSError):
            continue
        yield np.asarray(image)


def distance(ours: RgbU8, other: RgbU8) -> float:
    """Return the mean difference of opaque pixels, 0..255; infinity if the sizes differ."""
    if ours.shape[:2] != other.shape[:2]:
        return float("inf")
    difference = np.abs(ours[..., :3].astype(np.int16) - other)[ours[..., 3] == OPAQUE]
    return float(difference.mean()) if difference.size else 0.0


def kind_of(path: Path) -> str:
    """Return the name of the format, or the suffix of a file that cannot be read."""
    try:
        return detect_format(path.read_bytes())
    except ApiError:
        return path.suffix.lower() or "no suffix"


def measure(data: Path) -> list[Outcome]:
    """Return the outcome for each file in `data` and its subfolders.

    Files are decoded in a separate process, because a broken file can crash the process.
    """
    outcomes = []
    spawn = get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        known = references(folder)
        pool = ProcessPoolExecutor(1, mp_context=spawn)
        for path in sorted(one for one in data.rglob("*") if one.is_file()):
            try:
                refusal, ours = pool.submit(attempt, path).result()
            except BrokenProcessPool:
                refusal, ours = "crashed", None
                pool = ProcessPoolExecutor(1, mp_context=spawn)
            except Exception as error:  # noqa: BLE001 - any error is the outcome for a file
                refusal, ours = f"failed: {error!r}", None
            theirs = list(pictures(path, known, folder))
            nearest = (
                min((distance(ours, one) for one in theirs), default=None)
                if ours is not None
                else None
            )
            is_missed = ours is None and bool(theirs)
            outcomes.append(Outcome(path, kind_of(path), refusal, nearest, is_missed))
        pool.shutdown()
    return outcomes


def report(outcomes: list[Outcome], data: Path) -> str:
    """Return the counts by kind of file, the largest differences, and the rejected files."""
    total, refused, missed, differing = (
        Counter(one.kind for one in outcomes if chosen(one))
        for chosen in (
            lambda _: True,
            lambda one: one.refusal,
            lambda one: one.is_missed,
            lambda one: one.differs,
        )
    )
    lines = [f"{'kind':<12}{'files':>7}{'opened':>8}{'refused':>9}{'missed':>8}{'differing':>11}"]
    lines += [
        f"{kind:<12}{total[kind]:>7}{total[kind] - refused[kind]:>8}{refused[kind]:>9}"
        f"{missed[kind]:>8}{differing[kind]:>11}"
        for kind in sorted(total)
    ]
    far = sorted((one for one in outcomes if one.differs), key=lambda one: -(one.difference or 0))
    lines += ["", f"The worst {WORST}, in levels:"] if far else []
    lines += [f"{one.difference:8.1f}  {one.path.relative_to(data)}" for one in far[:WORST]]
    refusals = [one for one in outcomes if one.refusal]
    lines += ["", "Rejected (* if another decoder opens it):"] if refusals else []
    lines += [
        f"{'*' if one.is_missed else ' '} {one.path.relative_to(data)}: {one.refusal}"
        for one in refusals
    ]
    return "\n".join(lines)


def main() -> None:
    """Decode the files in the given folder, and print the comparison with other decoders."""
    named = next(iter(sys.argv[1:]), "")  # make passes an empty string if DATA is not set
    data = Path(named)
    if not named or not data.is_dir():
        sys.exit("Give a folder of image files: make bench-files DATA=folder")
    with tempfile.TemporaryDirectory() as name:
        known = references(Path(name))
    print(
        f"Compared with: {', '.join(known) or 'nothing; install imagemagick and libvips-tools'}.\n"
    )
    print(report(measure(data), data))


if __name__ == "__main__":
    main()
