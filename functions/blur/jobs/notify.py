"""Notifications of the end of a job: signed like Standard Webhooks, sent to public addresses only.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

from ipaddress import ip_address

from blur.fetching.addresses import is_public
from blur.fetching.errors import InvalidUrlError
from blur.fetching.target import parse_target
from blur.job_errors import InvalidNotifyError


def check_notify(url: str) -> None:
    """Require a URL that can be on the public internet. Its host's name is not looked up yet.

    Raises:
        InvalidNotifyError: it is malformed, or has an address outside of the public internet.

    """
    try:
        host = parse_target(url).host
    except InvalidUrlError as error:
        message = f"The field 'notify' is not valid. {error}"
        raise InvalidNotifyError(message) from error
    try:
        address = ip_address(host)
    except ValueError:
        return
    if not is_public(address):
        message = "The field 'notify' is not valid. Its address is not on the public internet."
        raise InvalidNotifyError(message)
