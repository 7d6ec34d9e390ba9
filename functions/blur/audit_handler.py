"""The entry point of the nightly audit, a separate Lambda function, which loads no model."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from blur.accounts.audit import audit_each
from blur.accounts.connect import open_account_store
from blur.accounts.model import SECOND_US, Instant, usage_month
from blur.clock import now
from blur.settings import Settings, variable_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from blur.accounts.audit import Audit
    from blur.accounts.ports import AccountStore

NAMESPACE, SERVICE = "BackgroundBlur", "background-blur"
DIFFERENCES, ACCOUNTS = "AuditDifferences", "AuditedAccounts"
DAY_US = 24 * 3600 * SECOND_US
LOOK_BACK_US = 7 * DAY_US
"""In the first week of a month, the bills for the previous month are also checked."""


def handler(event: object, context: object) -> dict[str, int]:
    """Audit all accounts, and report the differences in the log and as a metric.

    An exception ends the function: Lambda runs it again, and `AuditErrorsAlarm` reports the
    failure. The differences found before the exception are reported too.
    """
    del event, context
    settings = audit_settings(os.environ)
    logger, metrics = Logger(service=SERVICE), Metrics(namespace=NAMESPACE, service=SERVICE)
    with closing(open_account_store(settings.accounts)) as store:
        return report(audit_now(store, now()), logger, metrics)


def audit_settings(environ: Mapping[str, Any]) -> Settings:
    """Return settings with the location of the account store; an audit needs no other setting."""
    variable = variable_of("accounts")
    return Settings.from_environ({variable: environ[variable]})


def audit_now(store: AccountStore, now_us: Instant) -> Iterator[Audit]:
    """Audit all accounts and this month's bills; until the 7th, also audit last month's bills."""
    months = sorted({usage_month(Instant(now_us - LOOK_BACK_US)), usage_month(now_us)})
    return audit_each(store, months, now_us=now_us)


def report(parts: Iterable[Audit], logger: Logger, metrics: Metrics) -> dict[str, int]:
    """Log each difference immediately, and print the metrics for CloudWatch at the end.

    Return the numbers of accounts and of differences.
    """
    accounts = differences = 0
    is_complete = False
    try:
        for part in parts:
            accounts += part.accounts
            differences += len(part.differences)
            for each in part.differences:
                fields = {"account": each.account_id, "difference": each.text}
                logger.error("the audit found a difference", extra=fields)
        is_complete = True
    finally:
        counts = {"accounts": accounts, "differences": differences}
        logger.info("audited" if is_complete else "the audit is incomplete", extra=counts)
        metrics.add_metric(ACCOUNTS, MetricUnit.Count, accounts)
        metrics.add_metric(DIFFERENCES, MetricUnit.Count, differences)
        metrics.flush_metrics()
    return counts
