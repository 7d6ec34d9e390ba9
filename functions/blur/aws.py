"""The way to AWS that every client takes: one botocore session for all of them.

A session reads botocore's tables of endpoints, partitions and defaults once for all of its
clients; with a session each, the second client's start takes as long as the first one's.
"""

from __future__ import annotations

import logging
from functools import cache

from botocore.session import Session, get_session


@cache
def session() -> Session:
    """Return the session; it finds region and credentials where boto always does.

    At DEBUG botocore logs the parameters of each request, a picture's bytes among them, so it
    is kept to warnings whatever level an operator gives the root logger.
    """
    logging.getLogger("botocore").setLevel(logging.WARNING)
    return get_session()
