-- Whose turn it is: a row for each kind and community that has tasks which are not parked. Its due is never after the
-- earliest of theirs, unless it has had a turn and has more: then it is not after that turn. Those with the same due take turns
-- in the order of rev, the number of what put them there. A row may be too early, or have no tasks any more; Claim repairs it.
CREATE TABLE queues (
	kind TEXT NOT NULL, community TEXT NOT NULL, due INTEGER NOT NULL, rev INTEGER NOT NULL, PRIMARY KEY (kind, community)
) STRICT, WITHOUT ROWID;
INSERT INTO queues (kind, community, due, rev) SELECT kind, community, min(due), 0 FROM tasks WHERE due <> 0 GROUP BY kind, community;
CREATE INDEX queues_due ON queues (kind, due, rev, community);
CREATE INDEX tasks_queue ON tasks (kind, community, due, key) WHERE due <> 0;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
	('tasks', 'tasks_queue', '900000 90000 100 2 1'),
	('queues', 'queues', '100000 10000 1'), ('queues', 'queues_due', '100000 10000 10 1 1');
ANALYZE sqlite_schema;
