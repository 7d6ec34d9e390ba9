"""Parse request bodies in JSON."""

from __future__ import annotations

import json
from typing import Any

from blur.errors import InvalidRequestError


def parse_json_object(body: bytes) -> dict[str, Any]:
    """Return the members of a JSON object; if a name is repeated, its last value counts.

    Raises:
        InvalidRequestError: the body is not valid JSON, or not an object.

    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        message = "The request body is not valid JSON."
        raise InvalidRequestError(message) from error
    if not isinstance(document, dict):
        message = "The request body is not a JSON object. Send one."
        raise InvalidRequestError(message)
    return document
