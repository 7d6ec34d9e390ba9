"""One botocore session for all AWS clients, and time limits for their requests.

A session reads botocore's tables of endpoints, partitions and defaults once for all its clients, so
the second client starts faster.
"""

from __future__ import annotations

import logging
from functools import cache

from botocore.config import Config
from botocore.session import Session, get_session

CONNECT_S = 2
"""The longest wait for a connection, in seconds."""


@cache
def session() -> Session:
    """Return the botocore session; it finds the region and the credentials as boto does.

    botocore's logger is set to WARNING, regardless of the root logger's level: at DEBUG it logs the
    parameters of each request, including images.
    """
    logging.getLogger("botocore").setLevel(logging.WARNING)
    return get_session()


def limited(*, read_s: float, attempts: int) -> Config:
    """Return the configuration of a client that sends a request at most `attempts` times.

    Each attempt waits up to `CONNECT_S` for a connection and up to `read_s` for a response. By
    default, each of five attempts would wait up to a minute for the connection, and another minute
    for the response.
    """
    return Config(
        connect_timeout=CONNECT_S,
        read_timeout=read_s,
        retries={"total_max_attempts": attempts, "mode": "standard"},
    )
