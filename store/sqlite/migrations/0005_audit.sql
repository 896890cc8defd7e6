-- The audit record: entries are numbered in their community, and are only ever appended, or pruned from the oldest on. The
-- head is kept apart from them, so that an entry that is missing at either end is missed.
CREATE TABLE audits (
	community TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL, instance TEXT NOT NULL, process TEXT NOT NULL,
	call TEXT NOT NULL, correlation TEXT NOT NULL, asked_by TEXT NOT NULL, rule TEXT NOT NULL, decision TEXT NOT NULL, event INTEGER NOT NULL,
	reason TEXT NOT NULL, data BLOB, prev BLOB, hash BLOB, PRIMARY KEY (community, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE audit_heads (
	community TEXT NOT NULL PRIMARY KEY, seq INTEGER NOT NULL, hash BLOB, pruned INTEGER NOT NULL, pruned_hash BLOB
) STRICT, WITHOUT ROWID;

-- What began a process or a call: a delivery, a call.
ALTER TABLE processes ADD COLUMN origin TEXT NOT NULL DEFAULT '';
ALTER TABLE calls ADD COLUMN origin TEXT NOT NULL DEFAULT '';
