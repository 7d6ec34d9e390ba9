"""Users of locust (https://locust.io), who send the next photo as soon as they get a response.

    BLUR_KEY=... BLUR_PHOTO=photo.jpg .venv/bin/locust -f benchmarks/locustfile.py \
        --headless --host http://127.0.0.1:8080 --users 16 --spawn-rate 16 --run-time 1m

Responses are counted by their status. A user who does not get a 200 waits for less than a second,
and ignores `Retry-After`, because this is a load test. Use this file only with your own server.
"""

from __future__ import annotations

import os
import random
import uuid
from pathlib import Path

import gevent
from locust import FastHttpUser, task

PAUSE_S = (0.2, 0.6)
"""The shortest and the longest time that a user waits after a rejection."""

BOUNDARY = uuid.uuid4().hex
HEADERS = {
    "ApiKey": os.environ["BLUR_KEY"],
    "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
}


def form(photo: bytes) -> bytes:
    """Return the body that all requests share.

    The body is built only once, so that the simulated users need little CPU time.
    """
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="radius"\r\n\r\n10\r\n',
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n',
    ]
    return "".join(parts).encode() + photo + f"\r\n--{BOUNDARY}--\r\n".encode()


BODY = form(Path(os.environ["BLUR_PHOTO"]).read_bytes())


class Customer(FastHttpUser):  # type: ignore[misc] # mypy skips locust, see pyproject.toml
    """Sends one photo after another."""

    @task  # type: ignore[untyped-decorator]
    def blur(self) -> None:
        """Send one photo."""
        with self.client.post(
            "/v2/rembg/blur/",
            data=BODY,
            headers=HEADERS,
            catch_response=True,
        ) as answer:
            answer.request_meta["name"] = str(answer.status_code)
            if answer.status_code:  # 0: the connection failed
                answer.success()
        if answer.status_code != 200:  # noqa: PLR2004 - 200 is HTTP's status for success
            gevent.sleep(random.uniform(*PAUSE_S))  # noqa: S311 - the pause is not a secret
