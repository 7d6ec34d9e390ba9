-- A database of the last version that counted whole credits, with a hold in each state.
PRAGMA journal_mode = WAL;
CREATE TABLE accounts (
        account_id TEXT PRIMARY KEY,
        name       TEXT NOT NULL,
        created_us INTEGER NOT NULL,
        balance    INTEGER NOT NULL CHECK (typeof(balance) = 'integer' AND balance >= 0),
        granted    INTEGER NOT NULL CHECK (typeof(granted) = 'integer'),
        used       INTEGER NOT NULL CHECK (typeof(used) = 'integer')
    ) WITHOUT ROWID
;
INSERT INTO "accounts" VALUES('customer0001','A customer',1800000000000000,111,117,3);
INSERT INTO "accounts" VALUES('customer0002','Empty',1800000000000000,0,0,0);
CREATE TABLE entries (
        account_id TEXT NOT NULL REFERENCES accounts,
        entry_id   TEXT NOT NULL,
        kind       TEXT NOT NULL,
        credits    INTEGER NOT NULL,
        at_us      INTEGER NOT NULL,
        note       TEXT NOT NULL,
        PRIMARY KEY (account_id, entry_id)
    ) WITHOUT ROWID
;
INSERT INTO "entries" VALUES('customer0001','correction','adjustment',-3,1800000002000000,'sent twice');
INSERT INTO "entries" VALUES('customer0001','grant','grant',100,1800000000000000,'opening grant');
INSERT INTO "entries" VALUES('customer0001','invoice-7','top_up',20,1800000001000000,'invoice 7');
CREATE TABLE holds (
        account_id TEXT NOT NULL REFERENCES accounts,
        hold_id    TEXT NOT NULL,
        key_digest TEXT NOT NULL,
        price      INTEGER NOT NULL CHECK (price >= 0),
        expires_us INTEGER NOT NULL,
        state      TEXT NOT NULL CHECK (state IN ('held', 'settled', 'refunded')),
        PRIMARY KEY (account_id, hold_id)
    ) WITHOUT ROWID
;
INSERT INTO "holds" VALUES('customer0001','refunded','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd',5,1800000060000000,'refunded');
INSERT INTO "holds" VALUES('customer0001','running','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd',3,1800000060000000,'held');
INSERT INTO "holds" VALUES('customer0001','settled','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd',1,1800000060000000,'settled');
CREATE TABLE keys (
        account_id        TEXT NOT NULL REFERENCES accounts,
        digest            TEXT NOT NULL,
        kind              TEXT NOT NULL,
        prefix            TEXT NOT NULL,
        created_us        INTEGER NOT NULL,
        expires_us        INTEGER,
        revoked           INTEGER NOT NULL,
        per_minute        INTEGER NOT NULL,
        burst             INTEGER NOT NULL,
        tat_us            INTEGER NOT NULL DEFAULT 0,
        allow_us          INTEGER NOT NULL DEFAULT 0,
        inquiry_tat_us    INTEGER NOT NULL DEFAULT 0,
        inquiry_allow_us  INTEGER NOT NULL DEFAULT 0,
        last_us           INTEGER NOT NULL DEFAULT 0,
        inquiry_last_us   INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (account_id, digest)
    ) WITHOUT ROWID
;
INSERT INTO "keys" VALUES('customer0001','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd','live','bb_live_customer0001_abcd',1800000000000000,NULL,0,6000000,10000000,1800000000000030,1799999900000040,0,0,1800000000000000,0);
CREATE TABLE records (
        account_id     TEXT NOT NULL,
        scope          TEXT NOT NULL,
        fingerprint    TEXT NOT NULL,
        hold_id        TEXT NOT NULL,
        done           INTEGER NOT NULL,
        lease_until_us INTEGER NOT NULL,
        forget_us      INTEGER NOT NULL,
        PRIMARY KEY (account_id, scope)
    ) WITHOUT ROWID
;
INSERT INTO "records" VALUES('customer0001','scope','print','running',0,1800000060000000,1800086400000000);
CREATE TABLE usage (
        account_id TEXT NOT NULL REFERENCES accounts,
        month      TEXT NOT NULL,
        calls      INTEGER NOT NULL,
        credits    INTEGER NOT NULL,
        PRIMARY KEY (account_id, month)
    ) WITHOUT ROWID
;
INSERT INTO "usage" VALUES('customer0001','2026-12',1,2);
INSERT INTO "usage" VALUES('customer0001','2027-01',1,1);
CREATE INDEX holds_by_expiry ON holds (account_id, expires_us);
CREATE INDEX holds_by_state ON holds (account_id, state);
CREATE TRIGGER entries_are_not_changed BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER entries_are_not_deleted BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE INDEX records_by_age ON records (account_id, forget_us);
