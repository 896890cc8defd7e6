package sqlite

import (
	"database/sql/driver"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/internal/sqlstore"
)

// rowsOfVersion are rows as a gateway of each version wrote them, in every table that the version brought: what it wrote itself, by the
// columns that it knew.
var rowsOfVersion = []string{
	1: `
UPDATE counters SET value = 7 WHERE name = 'revs';
UPDATE counters SET value = 3 WHERE name = 'events';
INSERT INTO communities (slug, name, created, rev) VALUES ('old', 'Old', 5, 2), ('other', 'Other', 6, 1);
INSERT INTO instances VALUES ('i1', 'old', 'forum', 'main', 'T1', 'active', '', 10, 11, 3, CAST('{"a":1}' AS BLOB), x'00ff');
INSERT INTO state VALUES ('i1', 'cursor', 6, x'01');
INSERT INTO tickets VALUES ('oauth', 't1', 4000000000000000, CAST('secret' AS BLOB));
INSERT INTO processes (id, community, instance, plugin, name, version, status, close_at, is_open, rev, created, updated, shown, ended, reason, url, refusal, input, state, outcome, closing) VALUES ('p1', 'old', 'i1', 'forum', 'vote', 1, 'pending', 4000000000000000, 1, 4, 20, 21, 22, 0, '', 'https://forum.example/1', '', CAST('{"title":"x"}' AS BLOB), CAST('{"topic":1}' AS BLOB), NULL, NULL),
	('p2', 'old', 'i1', 'forum', 'vote', 1, 'completed', 30, 0, 9, 20, 31, 22, 32, 'time', '', '', NULL, NULL, CAST('{"winner":"yes"}' AS BLOB), NULL);
INSERT INTO refs VALUES ('i1', 'topic/1', 'p1');
INSERT INTO voters (process, voter, allowed, denied) VALUES ('p1', 'ann', 1, 0), ('p1', 'bob', 1, 1);
INSERT INTO ballots (process, voter, question, choice, weight, at, cast_at) VALUES ('p1', 'ann', 'q', 'yes', 2, 40, 41), ('p1', 'cy', 'q', '', 0, 42, 43);
INSERT INTO counts VALUES ('p1', 'q', 'yes', 1, 2), ('p2', 'q', 'no', 5, 5);
INSERT INTO tallies VALUES ('p1', 1, 1, 2), ('p2', 0, 5, 0);
INSERT INTO deliveries VALUES (1, 'd1', 'forum', 'f1', 'i1', 'http', 50, CAST('{"H":["v"]}' AS BLOB), CAST('body' AS BLOB));
INSERT INTO events VALUES (2, 'e1', 'old', 'i1', 'forum', 'post.created', 'p1', 'ann', 0, 'd1', '', 51, CAST('{}' AS BLOB)), (3, '', 'other', '', '', 'x', '', '', 1, '', 'cause', 52, NULL);
INSERT INTO subs VALUES ('s1', 2, 60);
INSERT INTO lanes VALUES ('s1', 'old', 1, 4, 61, 'refused');
INSERT INTO tasks VALUES ('poll', 'due1', 'old', 'i1', '', '', 70, 0, '', 69, 1, NULL), ('poll', 'due2', 'old', 'i1', '', '', 71, 2, 'failed', 69, 2, CAST('payload' AS BLOB)),
	('poll', 'late', 'other', '', '', '', 4000000000000000, 0, '', 69, 3, NULL), ('poll', 'due3', 'other', '', '', '', 72, 1, '', 69, 5, NULL), ('poll', 'none', '', '', '', '', 73, 0, '', 69, 6, NULL),
	('inbox', 'parked', 'old', 'i1', 'd1', 'paused', 0, 3, 'why', 69, 4, NULL), ('inbox', 'alone', 'third', '', '', 'dead', 0, 3, 'why', 69, 7, NULL);
INSERT INTO leases VALUES ('close', 'me', 80);
INSERT INTO calls (id, community, instance, name, process, once, status, started, ended, rev, input, saved, output, error) VALUES ('c1', 'old', 'i1', 'post', 'p1', 'once1', 'done', 90, 91, 2, CAST('{}' AS BLOB), CAST('{"step":1}' AS BLOB), CAST('{"id":7}' AS BLOB), NULL), ('c2', 'old', 'i1', 'post', '', '', 'running', 92, 0, 1, CAST('{}' AS BLOB), NULL, NULL, NULL);
INSERT INTO echoes VALUES ('i1', 'post/7', 'c1', 1, 95);
INSERT INTO people (community, id, created) VALUES ('old', 'ann', 100);
INSERT INTO accounts (community, plugin, platform_id, user_id, person, name, link_type, quality, created, updated, data) VALUES ('old', 'forum', 'T1', 'u1', 'ann', 'Ann', 'oauth', 'strong', 101, 102, CAST('{}' AS BLOB));`,
	2: `UPDATE communities SET settings = CAST('{"k":"v"}' AS BLOB) WHERE slug = 'other'`,
	// A file of the first two versions has its queues filled; one of the third has them by its own.
	3: `INSERT INTO queues SELECT kind, community, min(due), 5 FROM tasks WHERE due <> 0 GROUP BY kind, community`,
	4: `INSERT INTO endpoints VALUES ('w1', 'old', 'https://driver.example', 'd', 1, 2, 'active', '', 110, 111, 0, 0, 0, '', 1, CAST('{}' AS BLOB), x'01')`,
	5: `INSERT INTO audits VALUES ('third', 1, 120, 'k', '', '', '', '', '', '', '', 0, '', NULL, NULL, x'02'); INSERT INTO audit_heads VALUES ('third', 1, x'02', 0, NULL)`,
	// As of the third, the sixth has filled in where accounts belong.
	6: `
UPDATE accounts SET home = person;
INSERT INTO evidence VALUES ('third', 'a', 'e1', 'a', 'b', 'oauth', 'gateway', 80, 130, 0, 0, '', NULL);
INSERT INTO claims VALUES ('third', 's', 'key', 'k', 'gateway', 131, 132, 0, 0, NULL, NULL);
INSERT INTO changes VALUES ('third', 'x', 1, 133, 'linked', 'a', '', '', NULL);
INSERT INTO tokens VALUES ('third', 'forum', 'T1', 'u1', 'fresh', 0, 134, 135, 1, NULL, x'03')`,
}

// TestOldFilesOpen has files as each older version left them, with rows of each kind: everything is there after they were opened, and
// work goes on.
func TestOldFilesOpen(t *testing.T) {
	steps, err := migrations()
	require.NoError(t, err)
	require.Len(t, rowsOfVersion, len(steps), "rows that the version before the newest wrote")
	for version := 1; version < len(steps); version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.db")
			raw(t, path, "PRAGMA journal_mode = WAL")
			for _, step := range steps[:version] {
				raw(t, path, "BEGIN;"+step+"; COMMIT")
			}
			raw(t, path, "BEGIN;"+strings.Join(rowsOfVersion[1:version+1], ";")+fmt.Sprintf("; PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", applicationID, version))
			columns, before := content(t, path, nil)
			for table, rows := range before {
				if table != "audits" && table != "audit_heads" {
					require.NotEmpty(t, rows, "of every table")
				}
			}
			s, err := Open(path)
			require.NoError(t, err)
			require.NoError(t, s.Close())
			_, after := content(t, path, columns)
			for table, rows := range before {
				require.Equal(t, rows, after[table], table)
			}
			s, err = Open(path)
			require.NoError(t, err)
			oldFileWorks(t, s)
			require.NoError(t, s.Close())
		})
	}
}

// content reads all rows of all tables, of the given columns or of all that there are.
func content(t *testing.T, path string, columns map[string]string) (map[string]string, map[string][]string) {
	t.Helper()
	c, err := connect(dsn(path, false), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, c.close()) }()
	if columns == nil {
		columns = map[string]string{}
		var tables []string
		require.NoError(t, c.Query("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'", func(r sqlstore.Row) error {
			tables = append(tables, r.Text(0))
			return nil
		}))
		for _, table := range tables {
			var names []string
			require.NoError(t, c.Query("SELECT name FROM pragma_table_info('"+table+"')", func(r sqlstore.Row) error {
				names = append(names, r.Text(0))
				return nil
			}))
			columns[table] = strings.Join(names, ", ")
		}
	}
	rows := map[string][]string{}
	for table, names := range columns {
		require.NoError(t, c.Query("SELECT "+names+" FROM "+table, func(r sqlstore.Row) error {
			rows[table] = append(rows[table], fmt.Sprintf("%#v", []driver.Value(slices.Clone(r))))
			return nil
		}))
	}
	return columns, rows
}

// oldFileWorks reads by the verbs what the first version wrote, and goes on with it.
func oldFileWorks(t *testing.T, s *Store) {
	at := func(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
	update(t, s, func(tx store.Tx) error {
		cs, err := tx.Communities("", 0)
		require.NoError(t, err)
		require.Equal(t, []string{"old", "other"}, []string{cs[0].Slug, cs[1].Slug})
		p, err := tx.Process("p1")
		require.NoError(t, err)
		require.Equal(t, store.Process{ID: "p1", Community: "old", Instance: "i1", Plugin: "forum", Name: "vote", Version: 1, Status: store.Pending, CloseAt: at(4e15),
			Open: true, Rev: 4, Created: at(20), Updated: at(21), Shown: at(22), URL: "https://forum.example/1", Input: []byte(`{"title":"x"}`), State: []byte(`{"topic":1}`)}, p)
		p.Origin = "d1"
		require.NoError(t, tx.PutProcess(p))
		r, err := tx.Cast(store.Ballot{Process: "p1", Voter: "ann", At: at(99), Choices: []store.Choice{{Question: "q", Choice: "no", Weight: 1}}})
		require.NoError(t, err)
		require.Equal(t, store.Receipt{Changed: true}, r)
		_, err = tx.Cast(store.Ballot{Process: "p1", Voter: "dan", At: at(99), Choices: []store.Choice{{Question: "q", Choice: "no", Weight: 1}}})
		require.NoError(t, err)
		require.NoError(t, whatIsWrong(tx, "p1"))
		c, err := tx.Call("c1")
		require.NoError(t, err)
		require.Equal(t, []byte(`{"id":7}`), c.Output)
		seq, fresh, err := tx.Append(store.Event{Instance: "i1", Type: "post.created", ID: "e1"})
		require.NoError(t, err)
		require.False(t, fresh)
		require.EqualValues(t, 2, seq)
		seq, _, err = tx.Append(store.Event{})
		require.NoError(t, err)
		require.EqualValues(t, 4, seq)
		fresh, err = tx.Accept(store.Delivery{ID: "d2", Plugin: "forum", Fact: "f1"})
		require.NoError(t, err)
		require.False(t, fresh)
		oldPeopleWork(t, tx)
		require.NoError(t, tx.AppendAudit(store.Audit{Community: "old", Seq: 1}))
		require.NoError(t, tx.PutEndpoint(store.Endpoint{ID: "w2", Community: "old"}))
		return nil
	})
	keys := func(ts []store.Task, err error) (out []string) {
		require.NoError(t, err)
		for _, k := range ts {
			out = append(out, k.Key)
			require.Greater(t, k.Rev, int64(7), "a number that no task had before")
		}
		return out
	}
	update(t, s, func(tx store.Tx) error {
		require.Equal(t, []string{"due1", "due3"}, keys(tx.Claim([]string{"poll"}, at(1000), at(2000), 2)), "each community in its turn")
		require.Equal(t, []string{"none"}, keys(tx.Claim([]string{"poll"}, at(1000), at(2000), 1)), "it has waited longest")
		require.Equal(t, []string{"due2"}, keys(tx.Claim([]string{"poll"}, at(1000), at(2000), 9)))
		n, err := tx.Unpark(store.TaskQuery{}, at(1000), 0)
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.Len(t, keys(tx.Claim([]string{"inbox"}, at(1000), at(2000), 1)), 1)
		require.Len(t, keys(tx.Claim([]string{"inbox"}, at(1000), at(2000), 1)), 1)
		require.Empty(t, keys(tx.Claim([]string{"inbox", "poll"}, at(1000), at(2000), 0)))
		return nil
	})
}

// oldPeopleWork reads those who were known before people were merged: each stands for themselves and was linked to who they are.
func oldPeopleWork(t *testing.T, tx store.Tx) {
	at := func(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
	ann := store.Person{ID: "ann", Community: "old", Kind: "person", Created: at(100)}
	people, err := tx.People(store.PersonQuery{Community: "old", Kind: "person", Standing: true}, "", 0)
	require.NoError(t, err)
	require.Equal(t, []store.Person{ann}, people)
	account := store.Account{
		Community: "old", Plugin: "forum", PlatformID: "T1", UserID: "u1", Person: "ann", Home: "ann", Name: "Ann", LinkType: "oauth", Quality: "strong",
		Created: at(101), Updated: at(102), Data: []byte("{}"),
	}
	accounts, err := tx.Accounts("old", "ann")
	require.NoError(t, err)
	require.Equal(t, []store.Account{account}, accounts)

	require.NoError(t, tx.PutPerson(store.Person{ID: "bob", Community: "old", Kind: "person"}))
	ann.Into = "bob"
	require.NoError(t, tx.PutPerson(ann))
	merged, err := tx.MergedInto("old", "bob")
	require.NoError(t, err)
	require.Equal(t, []store.Person{ann}, merged)
	account.Person, account.Mail = "bob", "m"
	require.NoError(t, tx.PutAccount(account))
	accounts, err = tx.AccountsByMail("old", "m", 0)
	require.NoError(t, err)
	require.Equal(t, []store.Account{account}, accounts)
	require.NoError(t, tx.PutEvidence(store.Evidence{ID: "e", Community: "old", A: "a", B: "b"}))
	require.NoError(t, tx.PutClaim(store.Claim{Community: "old", Subject: "s"}))
	require.NoError(t, tx.PutChange(store.Change{Community: "old", Person: "ann"}))
	require.NoError(t, tx.PutToken(store.Token{Community: "old", Plugin: "forum"}))
}
