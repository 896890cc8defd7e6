-- Where drivers elsewhere are told of events. The community '' has those that hear of all.
CREATE TABLE endpoints (
	id TEXT NOT NULL PRIMARY KEY, community TEXT NOT NULL, url TEXT NOT NULL, description TEXT NOT NULL, ordered INTEGER NOT NULL,
	from_seq INTEGER NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL,
	failing_since INTEGER NOT NULL, last_success INTEGER NOT NULL, last_failure INTEGER NOT NULL, last_error TEXT NOT NULL,
	rev INTEGER NOT NULL, filters BLOB, sealed BLOB
) STRICT;
CREATE INDEX endpoints_community ON endpoints (community, id);
