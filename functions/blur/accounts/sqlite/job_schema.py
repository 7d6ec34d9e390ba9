"""The tables of bulk jobs, which are in the file of the accounts; `blur.jobs.sqlite` uses them."""

from __future__ import annotations

JOB_TABLES = {
    "jobs": """
        CREATE TABLE IF NOT EXISTS jobs (
            job_id          TEXT PRIMARY KEY,
            account_id      TEXT NOT NULL REFERENCES accounts,
            key_digest      TEXT NOT NULL,
            key_kind        TEXT NOT NULL,
            parameters      TEXT NOT NULL,
            created_us      INTEGER NOT NULL,
            state           TEXT NOT NULL CHECK (state IN ('open', 'closed', 'done', 'cancelled')),
            paused          INTEGER NOT NULL DEFAULT 0,
            active          INTEGER NOT NULL DEFAULT 1,
            closed_us       INTEGER,
            cancelled_us    INTEGER,
            ended_us        INTEGER,
            first_us        INTEGER,
            last_us         INTEGER,
            claimed         INTEGER NOT NULL DEFAULT 0,
            known           INTEGER NOT NULL DEFAULT 0,
            listed          INTEGER NOT NULL DEFAULT 0,
            done            INTEGER NOT NULL DEFAULT 0,
            failed          INTEGER NOT NULL DEFAULT 0,
            cancelled       INTEGER NOT NULL DEFAULT 0,
            quarters        INTEGER NOT NULL DEFAULT 0,
            notify_url      TEXT,
            notify_secret   TEXT,
            notify_attempts INTEGER NOT NULL DEFAULT 0,
            notify_next_us  INTEGER
        ) WITHOUT ROWID
    """,
    "jobs_by_activity": """
        CREATE INDEX IF NOT EXISTS jobs_by_activity ON jobs (created_us, job_id) WHERE active
    """,
    "jobs_by_account": """
        CREATE INDEX IF NOT EXISTS jobs_by_account ON jobs (account_id, claimed)
    """,
    "jobs_by_claim": """
        CREATE INDEX IF NOT EXISTS jobs_by_claim ON jobs (claimed)
    """,
    "jobs_by_age": """
        CREATE INDEX IF NOT EXISTS jobs_by_age ON jobs (created_us)
    """,
    "jobs_with_waiting": """
        CREATE INDEX IF NOT EXISTS jobs_with_waiting ON jobs (created_us, job_id)
        WHERE active AND known > done + failed + cancelled
    """,
    "job_objects": """
        CREATE TABLE IF NOT EXISTS job_objects (
            job_id          TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE,
            object_id       TEXT NOT NULL,
            source          TEXT NOT NULL,
            state           TEXT NOT NULL
                            CHECK (state IN ('waiting', 'done', 'failed', 'cancelled')),
            quarters        INTEGER NOT NULL DEFAULT 0,
            code            TEXT,
            message         TEXT,
            content_type    TEXT,
            duration_ms     INTEGER NOT NULL DEFAULT 0,
            pixels          INTEGER NOT NULL DEFAULT 0,
            at_us           INTEGER,
            added_us        INTEGER NOT NULL,
            attempts        INTEGER NOT NULL DEFAULT 0,
            leased_until_us INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (job_id, object_id)
        ) WITHOUT ROWID
    """,
    "job_objects_waiting": """
        CREATE INDEX IF NOT EXISTS job_objects_waiting
        ON job_objects (job_id, added_us, object_id, leased_until_us) WHERE state = 'waiting'
    """,
    "job_objects_failed": """
        CREATE INDEX IF NOT EXISTS job_objects_failed
        ON job_objects (job_id, object_id) WHERE state = 'failed'
    """,
}
"""The statements that create tables and indexes, by the name of the table or index.

The indexes of `job_objects` contain only the rows of photos that wait for a worker or have failed,
so that the indexes stay small when most photos are done. A client can create a hundred jobs each
minute, and jobs are kept for 30 days. So the queries that find photos for workers, and the deletion
of expired jobs, use the indexes of `jobs`.
"""
