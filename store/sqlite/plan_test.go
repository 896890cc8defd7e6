package sqlite

import (
	"database/sql/driver"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/internal/sqlstore"
)

// everyVerb calls all verbs, those with queries in each of their forms. What they answer does not matter here.
func everyVerb(tx store.Tx) {
	for range 2 {
		_ = tx.PutCommunity(store.Community{Slug: "c"})
		_ = tx.PutInstance(store.Instance{ID: "i", Community: "c"})
		_ = tx.PutProcess(store.Process{ID: "p", Community: "c", Status: store.Pending})
		_ = tx.PutCall(store.Call{ID: "a", Community: "c", Once: "o", Ended: t0})
	}
	_ = tx.PutCommunity(store.Community{Slug: "c", Rev: 1})
	_ = tx.PutInstance(store.Instance{ID: "i", Community: "c", Rev: 1})
	_ = tx.PutProcess(store.Process{ID: "p", Community: "c", Status: store.Pending, Ended: t0, Rev: 1})
	_ = tx.PutCall(store.Call{ID: "a", Community: "c", Once: "o", Ended: t0, Rev: 1})
	_, _ = tx.Community("c")
	_, _ = tx.Instance("i")
	_, _ = tx.InstanceByName("c", "n")
	_, _ = tx.Instances("c", 0)
	_, _ = tx.InstancesByPlatform("slack", "T1", 0)
	for _, after := range []string{"", "x"} {
		_, _ = tx.Communities(after, 0)
		_, _ = tx.InstancesByPlugin("slack", after, 0)
		for _, status := range [][]string{nil, {store.Pending}, {store.Pending, store.Closing}} {
			for _, q := range []store.ProcessQuery{{}, {Community: "c"}, {Instance: "i"}, {Community: "c", Instance: "i", Name: "n"}} {
				q.Status = status
				_, _ = tx.Processes(q, after, 0)
			}
		}
		_, _ = tx.Ballots("p", after, "", 0)
		for _, q := range []store.TaskQuery{
			{}, {Kind: "k"}, {Community: "c"}, {Instance: "i"}, {Ref: "r"}, {Kind: "k", Community: "c"}, {Kind: "k", Instance: "i"}, {Kind: "k", Ref: "r"},
			{Community: "c", Instance: "i", Ref: "r"}, {Group: "g"}, {Group: "g", Kind: "k"}, {Group: "g", Community: "c"}, {Group: "g", Instance: "i"},
		} {
			for _, parked := range []bool{false, true} {
				q.Parked = parked
				_, _ = tx.Tasks(q, after, after, 0)
				_, _, _ = tx.CountTasks(q, 0)
				_, _ = tx.Unpark(q, t0, 0)
			}
		}
	}
	_ = tx.PutState("i", "k", []byte("v"), 0)
	_ = tx.PutState("i", "k", nil, 2)
	_, _, _ = tx.State("i", "k")
	_ = tx.PutTicket(store.Ticket{Kind: "k", ID: "t", Until: t0.Add(1e9)})
	_, _ = tx.TakeTicket("k", "t", t0)
	_, _ = tx.PruneTickets(t0, 0)
	_, _ = tx.Process("p")
	_ = tx.PutRef("i", "r", "p")
	_, _ = tx.ProcessesByRef("i", "r", 0)
	_ = tx.PutVoters("p", true, []store.Voter{{Key: "v"}})
	_, _, _ = tx.Voter("p", "v")
	_, _ = tx.VotersAllowed("p")
	_ = tx.SetCounts("p", []store.Count{{Choice: "x", Ballots: 1}}, 0)
	_ = tx.SetCounts("p", nil, 0)
	for _, choice := range []string{"x", "y", ""} {
		_, _ = tx.Cast(store.Ballot{Process: "p", Voter: "v", At: t0, Choices: []store.Choice{{Choice: choice}}})
	}
	_, _ = tx.Cast(store.Ballot{Process: "p", Voter: "w", Holder: "h", At: t0, Choices: []store.Choice{{Choice: "x"}}})
	_, _ = tx.Rehold("p", []store.Hold{{Voter: "v", Holder: "h"}}, false)
	_, _ = tx.Voters("p", "", 0)
	_, _ = tx.Voters("p", "v", 0)
	_ = tx.RenameVoter("p", "v", "y")
	_, _ = tx.ClearVoters("p", 0)
	_, _ = tx.Counts("p")
	_, _ = tx.Turnout("p")
	_, _ = tx.BallotsOf("p", "v")
	for range 2 {
		_, _ = tx.Accept(store.Delivery{ID: "d", Plugin: "slack", Fact: "f"})
		_, _, _ = tx.Append(store.Event{ID: "e", Process: "p"})
	}
	_, _ = tx.Delivery("d")
	for _, q := range []store.EventQuery{{}, {Community: "c"}, {Process: "p"}, {Community: "c", Instance: "i", Types: []string{"a", "b", "c"}, Process: "p"}, {Community: "c", Types: []string{"t"}}} {
		_, _ = tx.Events(q, 0)
	}
	_ = tx.PutEndpoint(store.Endpoint{ID: "w"})
	_ = tx.PutEndpoint(store.Endpoint{ID: "w", Rev: 1})
	_, _ = tx.Endpoint("w")
	for _, after := range []string{"", "x"} {
		_, _ = tx.Endpoints("c", after, 0)
	}
	_ = tx.DeleteEndpoint("w")
	_, _ = tx.LastSeq()
	_ = tx.PutSub(store.Sub{Name: "s"})
	_, _ = tx.Sub("s")
	_, _ = tx.Subs()
	_ = tx.PutLane(store.Lane{Sub: "s", Community: "c"})
	_, _ = tx.Lanes("s")
	_ = tx.DeleteLane("s", "c")
	_ = tx.DeleteSub("s")
	_ = tx.Schedule(store.Task{Kind: "k", Key: "k", Due: t0})
	_, _ = tx.Task("k", "k")
	_, _ = tx.NextDue([]string{"k", "l"})
	for _, k := range []store.Task{{Key: "1", Community: "x"}, {Key: "2", Community: "x"}, {Key: "3", Community: "x"}, {Key: "4", Community: "y"}, {Key: "5", Community: "z"}} {
		k.Kind, k.Due = "contended", t0
		_ = tx.Schedule(k)
	}
	_ = tx.Unschedule("contended", "5")
	_, _ = tx.Claim([]string{"contended"}, t0, t0.Add(1e9), 3)
	got, _ := tx.Claim([]string{"k", "l"}, t0, t0.Add(1e9), 0)
	for _, n := range got {
		_, _ = tx.Renew(n, t0)
		_ = tx.Retry(n, t0, "r")
		_ = tx.Again(n, t0)
		_ = tx.Park(n, "g", "r")
		_ = tx.Done(n)
	}
	_ = tx.Unschedule("k", "k")
	_, _ = tx.Acquire("l", "o", t0, t0)
	_ = tx.Release("l", "o")
	_, _ = tx.Call("a")
	_, _ = tx.CallByOnce("c", "o")
	_ = tx.PutEcho(store.Echo{Instance: "i", Key: "k", Call: "a"})
	_, _ = tx.Echoes("i", []string{"k", "l"})
	_ = tx.DeleteEchoes("a", "k")
	_ = tx.PutPerson(store.Person{Community: "c", ID: "h"})
	_, _ = tx.Person("c", "h")
	_ = tx.PutAccount(store.Account{Community: "c"})
	_, _ = tx.Account("c", "slack", "T", "U")
	_, _ = tx.Accounts("c", "h")
	_ = tx.DeleteAccount("c", "slack", "T", "U")
	_, _ = tx.HasAccounts("c")
	_, _ = tx.PersonsOf("c", "slack", "T", []string{"U"})
	_, _ = tx.PersonsOf("c", "slack", "T", []string{"U", "V"})
	_, _ = tx.AccountsByMail("c", "m", 0)
	_, _ = tx.MergedInto("c", "h")
	_, _ = tx.NotStanding("c", []string{"h"})
	_, _ = tx.UsersOf("c", "slack", "T", []string{"h"})
	_, _ = tx.EvidenceOf("c", "h")
	_, _ = tx.Claims("c", "h")
	_, _ = tx.ClaimOf("c", "h", "k", "n", "i")
	_, _ = tx.Evidence("c", "e")
	_ = tx.PutEvidence(store.Evidence{Community: "c", ID: "e"})
	_ = tx.DeleteEvidence("c", "e")
	_ = tx.PutClaim(store.Claim{Community: "c", Subject: "h"})
	_ = tx.DeleteClaim("c", "h", "", "", "")
	_ = tx.PutChange(store.Change{Community: "c", Person: "h"})
	_, _ = tx.Changes("c", "h", 0, 0)
	_ = tx.DeleteChanges("c", "h")
	for rev := range int64(2) {
		_ = tx.PutToken(store.Token{Community: "c", Plugin: "slack", Rev: rev})
	}
	_, _ = tx.Token("c", "slack", "", "")
	_ = tx.DeleteToken("c", "slack", "", "")
	for _, after := range []string{"", "x"} {
		for _, q := range []store.PersonQuery{{Community: "c"}, {Community: "c", Kind: "k", Standing: true}} {
			_, _ = tx.People(q, after, 0)
		}
		for _, q := range []store.AccountQuery{
			{}, {Plugin: "x"}, {Plugin: "x", PlatformID: "T"}, {Plugin: "x", PlatformID: "T", UserID: "u"}, {Plugin: "x", UserID: "u"}, {PlatformID: "T"},
			{LinkType: "l", Quality: "q", UserID: "u"}, {Plugin: "x", PlatformID: "T", LinkType: "l", Quality: "q"},
		} {
			q.Community = "c"
			_, _ = tx.AccountsBy(q, store.Account{Plugin: after}, 0)
			_, _ = tx.AccountsBy(q, store.Account{Plugin: after, PlatformID: "T", UserID: after}, 0)
		}
		for _, issuer := range []string{"", "i"} {
			_, _ = tx.ClaimsBy(store.ClaimQuery{Community: "c", Kind: "k", Name: "n", Issuer: issuer}, after, "", 0)
		}
	}
	for i := range int64(2) {
		_ = tx.AppendAudit(store.Audit{Community: "c", Seq: i + 1, At: t0})
	}
	_, _ = tx.AuditHead("c")
	for _, q := range []store.AuditQuery{{}, {Kinds: []string{"k"}}, {Instance: "i"}, {Process: "p"}, {Call: "a"}, {Correlation: "d", By: "u"}} {
		q.Community = "c"
		_, _ = tx.Audits(q, 0)
	}
	_ = tx.BlankDelivery("d")
	_ = tx.RedactEvent(1, "", nil)
	_, _ = tx.PruneAudits("c", t0.Add(1e9), 1)
	later := t0.Add(1e9)
	_, _ = tx.PruneAudits("c", later, 0)
	_, _ = tx.PruneEvents(later, 99, 0)
	_, _ = tx.PruneDeliveries(later, 0)
	_, _ = tx.PruneCalls(later, 0)
	_, _ = tx.PruneProcesses(later, 0)
	_ = tx.DeleteInstance("i")
}

// plan is how SQLite goes about a statement, one step a line.
func plan(t *testing.T, c *conn, query string) string {
	t.Helper()
	x, ok := c.raw.(driver.QueryerContext)
	require.True(t, ok)
	// The driver wants a value for each parameter; which makes no difference.
	var args []driver.NamedValue
	for i := range 30 {
		args = append(args, driver.NamedValue{Ordinal: i + 1, Value: int64(1)})
	}
	rows, err := x.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args)
	require.NoError(t, err, query)
	var steps []string
	row := make(sqlstore.Row, 4)
	for rows.Next(row) == nil {
		steps = append(steps, row.Text(3))
	}
	require.NoError(t, rows.Close())
	return strings.Join(steps, "\n")
}

// No verb walks through a table, or sorts one, but for those that list all of it.
func TestPlans(t *testing.T) {
	s := openTemp(t, Options{})
	update(t, s, func(tx store.Tx) error { everyVerb(tx); return nil })
	whole := []string{
		"SCAN subs",                                                              // Subs lists all
		"SCAN CONSTANT ROW",                                                      // is none
		"SCAN j VIRTUAL TABLE INDEX 1:", "SCAN json_each VIRTUAL TABLE INDEX 1:", // a list that the caller gives
		"SCAN some",                      // of CountTasks, at most its limit
		"SCAN deliveries", "SCAN oldest", // of PruneDeliveries and PruneEvents, from the beginning, at most their limit and 1,000
		// These list all that are parked.
		"SCAN tasks USING COVERING INDEX tasks_parked", "SCAN tasks USING INDEX tasks_parked", "SCAN tasks USING INDEX tasks_group",
	}
	seen := 0
	for query := range s.group.w.stmts {
		if word, _, _ := strings.Cut(query, " "); !slices.Contains([]string{"SELECT", "UPDATE", "DELETE", "INSERT"}, word) {
			continue
		}
		seen++
		steps := plan(t, s.group.w, query)
		for _, step := range strings.Split(steps, "\n") {
			require.NotContains(t, step, "TEMP B-TREE", query)
			listsAll := step == "SCAN tasks" && !strings.Contains(query, "WHERE")
			if strings.HasPrefix(step, "SCAN") && !listsAll {
				require.Contains(t, whole, step, query)
			}
		}
	}
	require.Greater(t, seen, 150)
}

// Every statement about people, accounts and what is known of them finds its rows by all that it is given, and a page begins where the last ended.
func TestPeoplePlans(t *testing.T) {
	s := openTemp(t, Options{})
	update(t, s, func(tx store.Tx) error { everyVerb(tx); return nil })
	const (
		inPlace = " ORDER BY plugin, platform_id, user_id LIMIT $"
		account = "FROM accounts WHERE community = $1 AND "
	)
	for _, tt := range []struct {
		table, has, without, want string
	}{
		{"people", "WHERE community = $1 AND id = $2", "", "USING PRIMARY KEY (community=? AND id=?)"},
		{"people", "WHERE community = $1 AND id >", "", "USING PRIMARY KEY (community=? AND id>?)"},
		{"people", "merged_into = $2", "", "USING INDEX people_merged (community=? AND merged_into=?)"},
		{"accounts", account + "plugin = $2 AND platform_id = $3 AND user_id = $4", "", "USING PRIMARY KEY (community=? AND plugin=? AND platform_id=? AND user_id=?)"},
		{"accounts", account + "person = $2", "", "USING INDEX accounts_person (community=? AND person=?)"},
		{"accounts", account + "mail = $2", "", "USING INDEX accounts_mail (community=? AND mail=?)"},
		{"accounts", "SELECT 1", "", "USING COVERING INDEX accounts_person (community=?)"},
		{"accounts", account + "(plugin, platform_id, user_id) >", "", "USING PRIMARY KEY (community=? AND (plugin,platform_id,user_id)>(?,?,?))"},
		{"accounts", account + "plugin = $2 AND (platform_id, user_id) >", "", "USING PRIMARY KEY (community=? AND plugin=? AND (platform_id,user_id)>(?,?))"},
		{"accounts", account + "plugin = $2 AND user_id || '' = $3 AND (platform_id, user_id) >", "", "USING PRIMARY KEY (community=? AND plugin=? AND (platform_id,user_id)>(?,?))"},
		{"accounts", account + "plugin = $2 AND platform_id = $3 AND (user_id) >", "", "USING PRIMARY KEY (community=? AND plugin=? AND platform_id=? AND user_id>?)"},
		{"accounts", account + "plugin = $2 AND platform_id = $3 AND link_type", "user_id) >", "USING PRIMARY KEY (community=? AND plugin=? AND platform_id=?)"},
		{"accounts", account + "plugin = $2 AND platform_id = $3 AND link_type = $4 AND quality = $5 AND (user_id) >", "", "USING PRIMARY KEY (community=? AND plugin=? AND platform_id=? AND user_id>?)"},
		{"accounts", account + "platform_id || '' = $2 AND (plugin, platform_id, user_id) >", "", "USING PRIMARY KEY (community=? AND (plugin,platform_id,user_id)>(?,?,?))"},
		{"accounts", account + "plugin = $2" + inPlace, "", "USING PRIMARY KEY (community=? AND plugin=?)"},
		{"accounts", "json_each($4) j JOIN", "", "SEARCH a USING PRIMARY KEY (community=? AND plugin=? AND platform_id=? AND user_id=?)"},
		{"evidence", "WHERE community = $1 AND id = $2", "", "USING INDEX evidence_id (community=? AND id=?)"},
		{"evidence", "subject = $2", "", "USING PRIMARY KEY (community=? AND subject=?)"},
		{"claims", "subject = $2 ORDER BY", "", "USING PRIMARY KEY (community=? AND subject=?)"},
		{"claims", "issuer = $5", "", "USING PRIMARY KEY (community=? AND subject=? AND kind=? AND name=? AND issuer=?)"},
		{"claims", "(subject, issuer) >", "", "USING COVERING INDEX claims_name (community=? AND kind=? AND name=? AND (subject,issuer)>(?,?))"},
		{"changes", "seq > $3", "", "USING PRIMARY KEY (community=? AND person=? AND seq>?)"},
		{"changes", "ORDER BY seq DESC LIMIT 1", "", "USING PRIMARY KEY (community=? AND person=?)"},
		{"changes", "DELETE", "", "USING PRIMARY KEY (community=? AND person=?)"},
		{"tokens", "WHERE community = $1", "", "USING PRIMARY KEY (community=? AND plugin=? AND platform_id=? AND user_id=?)"},
	} {
		found := 0
		for query := range s.group.w.stmts {
			if strings.Contains(query, " "+tt.table+" ") && strings.Contains(query, tt.has) && (tt.without == "" || !strings.Contains(query, tt.without)) {
				found++
				steps := plan(t, s.group.w, query)
				require.Contains(t, steps, tt.want, query)
				require.NotContains(t, steps, "TEMP B-TREE", query)
			}
		}
		require.Positive(t, found, "%+v", tt)
	}
}

// These are on the way of every delivery, ballot or look for work: the exact index, all of its columns.
func TestHotPlans(t *testing.T) {
	s := openTemp(t, Options{})
	update(t, s, func(tx store.Tx) error { everyVerb(tx); return nil })
	for begins, want := range map[string]string{
		"SELECT key, due FROM tasks WHERE kind = $1 AND due":     "USING COVERING INDEX tasks_due (kind=? AND due<?)",
		"SELECT due FROM tasks WHERE kind = $1 AND due <> 0":     "USING COVERING INDEX tasks_due (kind=?)",
		"SELECT due FROM tasks WHERE kind = $1 AND key":          "USING PRIMARY KEY (kind=? AND key=?)",
		"SELECT id, community, plugin, name, platform_id":        "instances",
		"SELECT process FROM refs":                               "USING PRIMARY KEY (instance=? AND ref=?)",
		"SELECT call, caused, until FROM echoes":                 "USING PRIMARY KEY (instance=? AND key=?)",
		"SELECT 1 FROM deliveries WHERE plugin":                  "USING COVERING INDEX deliveries_fact (plugin=? AND fact=?)",
		"SELECT seq FROM events WHERE instance":                  "USING COVERING INDEX events_id (instance=? AND type=? AND id=?)",
		"SELECT allowed, denied FROM voters":                     "USING COVERING INDEX voters_holder (process=? AND holder=?)",
		"SELECT community, plugin, platform_id, user_id, person": "community=?",
		"SELECT voter, question, choice, weight, at, cast_at, holder, counted FROM ballots WHERE process = $1 AND voter": "USING PRIMARY KEY (process=? AND voter=?)",
		"INSERT INTO ballots (process, voter, question, choice, weight, at, cast_at, holder, counted)\n\t\tSELECT":       "ballots_holder (process=? AND holder=?)",
		"SELECT ballots, weight FROM counts":                       "USING PRIMARY KEY (process=? AND question=? AND choice=?)",
		"SELECT 1 FROM voters WHERE process = $1 LIMIT":            "USING PRIMARY KEY (process=?)",
		"SELECT value, (SELECT max(seq)":                           "SEARCH events",
		"UPDATE counters":                                          "USING PRIMARY KEY (name=?)",
		"UPDATE tasks SET due = $1, attempts":                      "USING PRIMARY KEY (kind=? AND key=?)",
		"SELECT q.due, q.rev":                                      "USING COVERING INDEX queues_due (kind=? AND (due,rev,community)>(?,?,?) AND due<?)",
		"SELECT key, due FROM tasks WHERE kind = $1 AND community": "USING COVERING INDEX tasks_queue (kind=? AND community=? AND due<?)",
		"UPDATE audit_heads SET seq":                               "USING PRIMARY KEY (community=?)",
		"UPDATE audit_heads SET pruned":                            "USING PRIMARY KEY (community=?)",
		"SELECT seq, hash, pruned":                                 "USING PRIMARY KEY (community=?)",
		"SELECT community, seq, at, kind":                          "USING PRIMARY KEY (community=? AND seq>?)",
		"SELECT seq, at, hash FROM audits":                         "USING PRIMARY KEY (community=?)",
		"DELETE FROM audits":                                       "USING PRIMARY KEY (community=? AND seq<?)",
		"SELECT id, community, url":                                "endpoints",
		"UPDATE queues":                                            "USING PRIMARY KEY (kind=? AND community=?)",
		"DELETE FROM queues":                                       "USING PRIMARY KEY (kind=? AND community=?)",
	} {
		found := 0
		for query := range s.group.w.stmts {
			if strings.HasPrefix(query, begins) {
				found++
				require.Contains(t, plan(t, s.group.w, query), want, query)
			}
		}
		require.Positive(t, found, begins)
	}
	for query := range s.group.w.stmts {
		steps := plan(t, s.group.w, query)
		switch {
		case strings.HasSuffix(query, "FROM processes WHERE id = $1"):
			require.Contains(t, steps, "INDEX sqlite_autoindex_processes_1 (id=?)", query)
		case strings.Contains(query, "plugin = $1 AND platform_id = $2"):
			require.Contains(t, steps, "INDEX instances_platform (plugin=? AND platform_id=?)", query)
		case strings.Contains(query, "UNION ALL SELECT voter, question"):
			require.Contains(t, steps, "INDEX ballots_holder (process=? AND holder=?)", query)
			require.Contains(t, steps, "PRIMARY KEY (process=? AND voter=?)", query)
		case strings.Contains(query, "FROM accounts WHERE community = $1 AND person"):
			require.Contains(t, steps, "INDEX accounts_person (community=? AND person=?", query)
		case strings.Contains(query, "FROM evidence WHERE community = $1 AND subject"):
			require.Contains(t, steps, "PRIMARY KEY (community=? AND subject=?)", query)
		case strings.Contains(query, "FROM events WHERE seq > $1 ORDER"):
			require.Contains(t, steps, "INTEGER PRIMARY KEY (rowid>?)", query)
		case strings.Contains(query, "FROM events WHERE seq > $1 AND community = $2 ORDER"):
			require.Contains(t, steps, "INDEX events_community (community=? AND seq>?)", query)
		}
	}
}
