"""Builds the app as the front process of the server does, and sends requests to it.

    python -m tests.integration.front_process FOLDER KEY

After the lines of the log, the program prints one line of JSON: the status of each request, and the
names of all imported modules.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bgblur.serving.proxy_events import InvocationContext, RecordedHandler, Reply, Request
from blur.app import build_app
from blur.settings import Settings


def main(folder: Path, key: str) -> None:
    """Send requests to all kinds of routes that need no photo."""
    settings = Settings(
        accounts=f"sqlite:{folder / 'accounts.db'}",
        media=f"folder:{folder / 'media'}",
        site_dir=Path("site"),
    )
    handler = RecordedHandler(
        lambda observe: build_app(settings, opens_model=False, on_lambda=False, observe=observe)
    )

    def send(method: str, path: str, **document: Any) -> Reply:  # noqa: ANN401 - any JSON values
        body = json.dumps(document).encode() if document else b""
        headers = [(b"apikey", key.encode()), (b"content-type", b"application/json")]
        request = Request("req_1", "1.1", method, path, b"", headers, "127.0.0.1", body)
        return handler(request, InvocationContext())

    job = send("POST", "/v2/jobs", radius="12")
    path = f"/v2/jobs/{json.loads(job.body)['job_id']}"
    statuses = {
        "page": send("GET", "/").status,
        "health": send("GET", "/health").status,
        "description": send("GET", "/openapi.json").status,
        "unknown path": send("GET", "/unknown").status,
        "account": send("GET", "/v2/account").status,
        "upload": send("POST", "/v2/uploads", content_type="image/png", bytes=1).status,
        "new job": job.status,
        "unknown mode": send("POST", "/v2/jobs", radius="12", mode="x").status,
        "job": send("GET", path).status,
        "closed job": send("POST", f"{path}/close").status,
        "manifest": send("GET", f"{path}/manifest").status,
    }
    key = "unknown"
    statuses["unknown key"] = send("GET", "/v2/account").status
    json.dump({"statuses": statuses, "modules": sorted(sys.modules)}, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
