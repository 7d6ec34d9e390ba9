"""The manifest of a job: one JSON line for each photo that is done, failed or cancelled."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from blur.credits import credits_number

if TYPE_CHECKING:
    from blur.jobs.model import JobObject
    from blur.jobs.ports import ObjectPage

MAX_PAGE_BYTES = 4_000_000
"""The maximum size of a page: in base64, a page of this size fits into a response of Lambda."""


def write_page(rows: ObjectPage, *, results_url: str) -> tuple[bytes, str | None]:
    """Return the manifest's lines for these rows, at most `MAX_PAGE_BYTES`.

    Also return the id of the photo after which the next page starts, or None if there is no next
    page. The results of the photos are at `results_url`.
    """
    lines, after = bytearray(), rows.after
    for index, row in enumerate(rows.objects):
        line = _line(row, f"{results_url}/{row.object_id}")
        if len(lines) + len(line) > MAX_PAGE_BYTES:
            after = rows.objects[index - 1].object_id
            break
        lines += line
    return bytes(lines), after


def _line(row: JobObject, result_url: str) -> bytes:
    document = {
        "source": row.source,
        "state": str(row.state),
        "result": result_url if row.content_type else None,
        "code": row.code,
        "message": row.message,
        "credits": credits_number(row.charged),
        "milliseconds": row.duration_ms,
    }
    return json.dumps(document).encode() + b"\n"
