-- People are merged and split, and never deleted, so that no ID is used twice. Accounts remember to whom they were linked, so that a merge can be undone.
ALTER TABLE people ADD COLUMN kind TEXT NOT NULL DEFAULT 'person';
ALTER TABLE people ADD COLUMN merged_into TEXT NOT NULL DEFAULT '';
ALTER TABLE people ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE people ADD COLUMN updated INTEGER NOT NULL DEFAULT 0;
ALTER TABLE people ADD COLUMN erased INTEGER NOT NULL DEFAULT 0;
ALTER TABLE people ADD COLUMN data BLOB;
CREATE INDEX people_merged ON people (community, merged_into, id) WHERE merged_into <> '';

ALTER TABLE accounts ADD COLUMN home TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN mail TEXT NOT NULL DEFAULT '';
UPDATE accounts SET home = person;
CREATE INDEX accounts_mail ON accounts (community, mail, plugin, platform_id, user_id) WHERE mail <> '';

-- Evidence is there once for each of both that it joins: what is known of one lies in one place, and is read far more often than it is written.
CREATE TABLE evidence (
	community TEXT NOT NULL, subject TEXT NOT NULL, id TEXT NOT NULL, a TEXT NOT NULL, b TEXT NOT NULL, kind TEXT NOT NULL, issuer TEXT NOT NULL, score INTEGER NOT NULL,
	at INTEGER NOT NULL, expires INTEGER NOT NULL, revoked INTEGER NOT NULL, reason TEXT NOT NULL, data BLOB,
	PRIMARY KEY (community, subject, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX evidence_id ON evidence (community, id);

CREATE TABLE claims (
	community TEXT NOT NULL, subject TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, issuer TEXT NOT NULL, at INTEGER NOT NULL,
	checked INTEGER NOT NULL, expires INTEGER NOT NULL, revoked INTEGER NOT NULL, data BLOB, sealed BLOB,
	PRIMARY KEY (community, subject, kind, name, issuer)
) STRICT, WITHOUT ROWID;
CREATE INDEX claims_name ON claims (community, kind, name, subject, issuer, at, checked, expires, revoked);

CREATE TABLE changes (
	community TEXT NOT NULL, person TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
	asked_by TEXT NOT NULL, reason TEXT NOT NULL, data BLOB, PRIMARY KEY (community, person, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
	community TEXT NOT NULL, plugin TEXT NOT NULL, platform_id TEXT NOT NULL, user_id TEXT NOT NULL, status TEXT NOT NULL, expires INTEGER NOT NULL,
	created INTEGER NOT NULL, updated INTEGER NOT NULL, rev INTEGER NOT NULL, scopes BLOB, sealed BLOB, PRIMARY KEY (community, plugin, platform_id, user_id)
) STRICT, WITHOUT ROWID;

-- Ballots and entries of voters' lists belong to holders. '' is the key's own, so that nothing is written for the many who are linked to nobody.
ALTER TABLE ballots ADD COLUMN holder TEXT NOT NULL DEFAULT '';
ALTER TABLE ballots ADD COLUMN counted INTEGER NOT NULL DEFAULT 1;
CREATE INDEX ballots_holder ON ballots (process, holder, voter, question) WHERE holder <> '';
ALTER TABLE voters ADD COLUMN holder TEXT NOT NULL DEFAULT '';
CREATE INDEX voters_holder ON voters (process, holder, voter, allowed, denied) WHERE holder <> '';

-- See 0001: a vote may have a hundred thousand voters, a person has few accounts.
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
	('ballots', 'ballots', '10000000 10000 2 1'), ('ballots', 'ballots_holder', '1000000 10000 2 2 1'),
	('voters', 'voters', '10000000 10000 1'), ('voters', 'voters_holder', '1000000 10000 2 1 1 1'),
	('people', 'people', '1000000 10000 1'), ('people', 'people_merged', '10000 1000 2 1'),
	('accounts', 'accounts', '1000000 10000 3000 2000 1'), ('accounts', 'accounts_person', '1000000 10000 2 2 1 1'),
	('accounts', 'accounts_mail', '1000000 10000 2 2 1 1'),
	('evidence', 'evidence', '1000000 10000 2 1'), ('evidence', 'evidence_id', '1000000 10000 2 1'),
	('claims', 'claims', '1000000 10000 4 2 1 1'), ('claims', 'claims_name', '1000000 10000 5000 1000 1 1 1 1 1 1');
ANALYZE sqlite_schema;
