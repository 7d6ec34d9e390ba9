"""One botocore session for all AWS clients.

A session reads botocore's tables of endpoints, partitions and defaults once for all its clients.
With a session for each client, the second client would start as slowly as the first.
"""

from __future__ import annotations

import logging
from functools import cache

from botocore.session import Session, get_session


@cache
def session() -> Session:
    """Return the session; it reads region and credentials as boto does.

    At DEBUG, botocore logs the parameters of each request, images included, so it logs only
    warnings, independent of the root logger's level.
    """
    logging.getLogger("botocore").setLevel(logging.WARNING)
    return get_session()
