-- A platform object may be several processes': a channel is that of all votes in it, and all have to hear that it was deleted.
CREATE TABLE refs_of (
	instance TEXT NOT NULL, ref TEXT NOT NULL, process TEXT NOT NULL, PRIMARY KEY (instance, ref, process)
) STRICT, WITHOUT ROWID;
INSERT INTO refs_of SELECT instance, ref, process FROM refs;
DROP TABLE refs;
ALTER TABLE refs_of RENAME TO refs;
CREATE INDEX refs_process ON refs (process);
