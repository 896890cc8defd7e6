-- Times are microseconds since 1970 in UTC, 0 is none. Booleans are 0 and 1. Columns that may be large come last, because
-- a row is read from its beginning. A table whose key is how its rows are always looked for has no other order (WITHOUT
-- ROWID). Conditions such as "<> ''" keep rows out of indexes in which nobody looks for them.

CREATE TABLE counters (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO counters (name, value) VALUES ('events', 0), ('revs', 0);

CREATE TABLE communities (
	slug TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, created INTEGER NOT NULL, rev INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE instances (
	id TEXT NOT NULL PRIMARY KEY, community TEXT NOT NULL, plugin TEXT NOT NULL, name TEXT NOT NULL, platform_id TEXT NOT NULL,
	status TEXT NOT NULL, reason TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, rev INTEGER NOT NULL,
	config BLOB, sealed BLOB
) STRICT;
CREATE UNIQUE INDEX instances_name ON instances (community, name);
CREATE UNIQUE INDEX instances_once ON instances (community, plugin, platform_id) WHERE platform_id <> '';
CREATE INDEX instances_platform ON instances (plugin, platform_id, id);
CREATE INDEX instances_plugin ON instances (plugin, id);

CREATE TABLE state (
	instance TEXT NOT NULL, key TEXT NOT NULL, rev INTEGER NOT NULL, value BLOB, PRIMARY KEY (instance, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE tickets (
	kind TEXT NOT NULL, id TEXT NOT NULL, until INTEGER NOT NULL, data BLOB, PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX tickets_until ON tickets (until);

CREATE TABLE processes (
	id TEXT NOT NULL PRIMARY KEY, community TEXT NOT NULL, instance TEXT NOT NULL, plugin TEXT NOT NULL, name TEXT NOT NULL,
	version INTEGER NOT NULL, status TEXT NOT NULL, close_at INTEGER NOT NULL, is_open INTEGER NOT NULL, rev INTEGER NOT NULL,
	created INTEGER NOT NULL, updated INTEGER NOT NULL, shown INTEGER NOT NULL, ended INTEGER NOT NULL,
	reason TEXT NOT NULL, url TEXT NOT NULL, refusal TEXT NOT NULL, input BLOB, state BLOB, outcome BLOB, closing BLOB
) STRICT;
CREATE INDEX processes_community ON processes (community, id);
CREATE INDEX processes_community_status ON processes (community, status, id);
CREATE INDEX processes_instance ON processes (instance, id);
CREATE INDEX processes_instance_status ON processes (instance, status, id);
CREATE INDEX processes_status ON processes (status, id);
CREATE INDEX processes_ended ON processes (ended) WHERE ended <> 0;

CREATE TABLE refs (
	instance TEXT NOT NULL, ref TEXT NOT NULL, process TEXT NOT NULL, PRIMARY KEY (instance, ref)
) STRICT, WITHOUT ROWID;
CREATE INDEX refs_process ON refs (process);

CREATE TABLE voters (
	process TEXT NOT NULL, voter TEXT NOT NULL, allowed INTEGER NOT NULL, denied INTEGER NOT NULL, PRIMARY KEY (process, voter)
) STRICT, WITHOUT ROWID;

-- One row a voter and question. A ballot taken back keeps its row, with an empty choice, so that an older one cannot return.
CREATE TABLE ballots (
	process TEXT NOT NULL, voter TEXT NOT NULL, question TEXT NOT NULL, choice TEXT NOT NULL, weight INTEGER NOT NULL,
	at INTEGER NOT NULL, cast_at INTEGER NOT NULL, PRIMARY KEY (process, voter, question)
) STRICT, WITHOUT ROWID;

CREATE TABLE counts (
	process TEXT NOT NULL, question TEXT NOT NULL, choice TEXT NOT NULL, ballots INTEGER NOT NULL, weight INTEGER NOT NULL,
	PRIMARY KEY (process, question, choice)
) STRICT, WITHOUT ROWID;

-- Running sums: who may vote, who holds a choice, how many rows of ballots there are.
CREATE TABLE tallies (
	process TEXT NOT NULL PRIMARY KEY, eligible INTEGER NOT NULL, turnout INTEGER NOT NULL, ballots INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- n is the order of acceptance.
CREATE TABLE deliveries (
	n INTEGER NOT NULL PRIMARY KEY, id TEXT NOT NULL UNIQUE, plugin TEXT NOT NULL, fact TEXT NOT NULL, instance TEXT NOT NULL, door TEXT NOT NULL,
	at INTEGER NOT NULL, header BLOB, body BLOB
) STRICT;
CREATE UNIQUE INDEX deliveries_fact ON deliveries (plugin, fact) WHERE fact <> '';

CREATE TABLE events (
	seq INTEGER NOT NULL PRIMARY KEY, id TEXT NOT NULL, community TEXT NOT NULL, instance TEXT NOT NULL, plugin TEXT NOT NULL,
	type TEXT NOT NULL, process TEXT NOT NULL, actor TEXT NOT NULL, bot INTEGER NOT NULL, delivery TEXT NOT NULL,
	cause TEXT NOT NULL, at INTEGER NOT NULL, data BLOB
) STRICT;
CREATE UNIQUE INDEX events_id ON events (instance, type, id) WHERE id <> '';
CREATE INDEX events_community ON events (community, seq);
CREATE INDEX events_process ON events (process, seq) WHERE process <> '';

-- "position" stands for Cursor, which other databases reserve.
CREATE TABLE subs (name TEXT NOT NULL PRIMARY KEY, position INTEGER NOT NULL, created INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE lanes (
	sub TEXT NOT NULL, community TEXT NOT NULL, position INTEGER NOT NULL, attempts INTEGER NOT NULL, due INTEGER NOT NULL,
	error TEXT NOT NULL, PRIMARY KEY (sub, community)
) STRICT, WITHOUT ROWID;

-- A task whose due is 0 is parked, and is not in the index that is looked at for what is due.
CREATE TABLE tasks (
	kind TEXT NOT NULL, key TEXT NOT NULL, community TEXT NOT NULL, instance TEXT NOT NULL, ref TEXT NOT NULL, grp TEXT NOT NULL,
	due INTEGER NOT NULL, attempts INTEGER NOT NULL, error TEXT NOT NULL, created INTEGER NOT NULL, rev INTEGER NOT NULL,
	payload BLOB, PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX tasks_due ON tasks (kind, due, key) WHERE due <> 0;
CREATE INDEX tasks_parked ON tasks (kind, key) WHERE due = 0;
CREATE INDEX tasks_group ON tasks (grp, kind, key) WHERE due = 0;
CREATE INDEX tasks_community ON tasks (community, kind, key) WHERE community <> '';
CREATE INDEX tasks_instance ON tasks (instance, kind, key) WHERE instance <> '';
CREATE INDEX tasks_ref ON tasks (ref, kind, key) WHERE ref <> '';

CREATE TABLE leases (name TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE calls (
	id TEXT NOT NULL PRIMARY KEY, community TEXT NOT NULL, instance TEXT NOT NULL, name TEXT NOT NULL, process TEXT NOT NULL,
	once TEXT NOT NULL, status TEXT NOT NULL, started INTEGER NOT NULL, ended INTEGER NOT NULL, rev INTEGER NOT NULL,
	input BLOB, saved BLOB, output BLOB, error BLOB
) STRICT;
CREATE UNIQUE INDEX calls_once ON calls (community, once) WHERE once <> '';
CREATE INDEX calls_ended ON calls (ended) WHERE ended <> 0;

CREATE TABLE echoes (
	instance TEXT NOT NULL, key TEXT NOT NULL, call TEXT NOT NULL, caused INTEGER NOT NULL, until INTEGER NOT NULL,
	PRIMARY KEY (instance, key, call)
) STRICT, WITHOUT ROWID;
CREATE INDEX echoes_call ON echoes (call, key);

CREATE TABLE people (
	community TEXT NOT NULL, id TEXT NOT NULL, created INTEGER NOT NULL, PRIMARY KEY (community, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE accounts (
	community TEXT NOT NULL, plugin TEXT NOT NULL, platform_id TEXT NOT NULL, user_id TEXT NOT NULL, person TEXT NOT NULL,
	name TEXT NOT NULL, link_type TEXT NOT NULL, quality TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL,
	data BLOB, PRIMARY KEY (community, plugin, platform_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX accounts_person ON accounts (community, person, plugin, platform_id, user_id);

-- What the planner believes of the sizes, once and for all: rows, then rows for each value of the first columns of an
-- index. Without, it takes "kind = ?" for selective and walks through every task of a kind; with ANALYZE, plans would
-- depend on what the file held on the day. Tests hold the plans.
ANALYZE sqlite_schema;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
	('tasks', 'tasks', '1000000 100000 1'), ('tasks', 'tasks_due', '900000 90000 10 1'),
	('tasks', 'tasks_parked', '100000 10000 1'), ('tasks', 'tasks_group', '100000 1000 200 1'),
	('tasks', 'tasks_community', '1000000 10000 2000 1'), ('tasks', 'tasks_instance', '1000000 5000 1000 1'),
	('tasks', 'tasks_ref', '500000 1 1 1'),
	('processes', 'sqlite_autoindex_processes_1', '100000 1'),
	('processes', 'processes_community', '100000 1000 1'), ('processes', 'processes_community_status', '100000 1000 300 1'),
	('processes', 'processes_instance', '100000 500 1'), ('processes', 'processes_instance_status', '100000 500 150 1'),
	('processes', 'processes_status', '100000 20000 1'), ('processes', 'processes_ended', '90000 1'),
	('events', 'events_community', '10000000 100000 1'), ('events', 'events_process', '1000000 100 1'),
	('events', 'events_id', '10000000 1000000 100000 1');
ANALYZE sqlite_schema;
