"""The entry point of the nightly audit: a second function of the same image, without a model."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from blur.accounts.audit import audit_all
from blur.accounts.connect import open_account_store
from blur.accounts.model import SECOND_US, Instant, usage_month
from blur.clock import now
from blur.settings import Settings, variable_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blur.accounts.audit import Audit
    from blur.accounts.ports import AccountStore

NAMESPACE, SERVICE = "BackgroundBlur", "background-blur"
DIFFERENCES, ACCOUNTS = "AuditDifferences", "AuditedAccounts"
DAY_US = 24 * 3600 * SECOND_US
LOOK_BACK_US = 7 * DAY_US
"""In the first week of a month, the bills of the month before are checked too."""


def handler(event: object, context: object) -> dict[str, int]:
    """Audit all accounts, and report the differences in the log and as a metric.

    An exception is an error of the function: it is retried, and `AuditErrorsAlarm` reports it.
    """
    del event, context
    settings = audit_settings(os.environ)
    with closing(open_account_store(settings.accounts)) as store:
        found = audit_now(store, now())
    report(found, Logger(service=SERVICE), Metrics(namespace=NAMESPACE, service=SERVICE))
    return {"accounts": found.accounts, "differences": len(found.differences)}


def audit_settings(environ: Mapping[str, Any]) -> Settings:
    """Return the settings of an audit: where the accounts are."""
    variable = variable_of("accounts")
    return Settings.from_environ({variable: environ[variable]})


def audit_now(store: AccountStore, now_us: Instant) -> Audit:
    """Audit all accounts, and the bills of this month and of one that has just ended."""
    months = sorted({usage_month(Instant(now_us - LOOK_BACK_US)), usage_month(now_us)})
    return audit_all(store, months, now_us=now_us)


def report(found: Audit, logger: Logger, metrics: Metrics) -> None:
    """Log each difference and the result, and print the metrics for CloudWatch."""
    for difference in found.differences:
        logger.error(
            "the ledger differs",
            extra={"account": difference.account_id, "difference": difference.text},
        )
    logger.info(
        "audited", extra={"accounts": found.accounts, "differences": len(found.differences)}
    )
    metrics.add_metric(ACCOUNTS, MetricUnit.Count, found.accounts)
    metrics.add_metric(DIFFERENCES, MetricUnit.Count, len(found.differences))
    metrics.flush_metrics()
