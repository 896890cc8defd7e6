package storetest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

func fieldTests() []test {
	return []test{within("every field of every row comes back", testFields)}
}

// testFields finds a field that an implementation has forgotten, also one that is added later.
func testFields(t *testing.T, tx store.Tx) {
	c := filled[store.Community]("c")
	c.Rev = 0
	require.NoError(t, tx.PutCommunity(c))
	c.Rev = 1
	require.Equal(t, c, must(tx.Community(c.Slug))(t))

	i := filled[store.Instance]("i")
	i.Rev = 0
	require.NoError(t, tx.PutInstance(i))
	i.Rev = 1
	require.Equal(t, i, must(tx.Instance(i.ID))(t))

	p := filled[store.Process]("p")
	p.Rev = 0
	require.NoError(t, tx.PutProcess(p))
	p.Rev = 1
	require.Equal(t, p, must(tx.Process(p.ID))(t))
	p.Status, p.Closing = "other", []byte("changed")
	require.NoError(t, tx.PutProcess(p))
	p.Rev = 2
	require.Equal(t, p, must(tx.Process(p.ID))(t))

	d := filled[store.Delivery]("d")
	require.True(t, must(tx.Accept(d))(t))
	require.Equal(t, d, must(tx.Delivery(d.ID))(t))

	e := filled[store.Event]("e")
	seq, _, err := tx.Append(e)
	require.NoError(t, err)
	e.Seq = seq
	require.Equal(t, []store.Event{e}, must(tx.Events(store.EventQuery{}, 0))(t))

	s := filled[store.Sub]("s")
	require.NoError(t, tx.PutSub(s))
	require.Equal(t, s, must(tx.Sub(s.Name))(t))
	l := filled[store.Lane]("l")
	l.Sub = s.Name
	require.NoError(t, tx.PutLane(l))
	require.Equal(t, []store.Lane{l}, must(tx.Lanes(s.Name))(t))

	k := filled[store.Task]("k")
	k.Group, k.Attempts, k.Error = "", 0, "" // a task that is scheduled has none of these
	require.NoError(t, tx.Schedule(k))
	got := must(tx.Task(k.Kind, k.Key))(t)
	k.Rev = got.Rev
	require.Equal(t, k, got)

	call := filled[store.Call]("call")
	call.Rev = 0
	require.NoError(t, tx.PutCall(call))
	call.Rev = 1
	require.Equal(t, call, must(tx.Call(call.ID))(t))
	echo := filled[store.Echo]("echo")
	require.NoError(t, tx.PutEcho(echo))
	require.Equal(t, []store.Echo{echo}, must(tx.Echoes(echo.Instance, []string{echo.Key}))(t))

	testPeopleFields(t, tx)

	end := filled[store.Endpoint]("end")
	end.Rev = 0
	require.NoError(t, tx.PutEndpoint(end))
	end.Rev = 1
	require.Equal(t, end, must(tx.Endpoint(end.ID))(t))
	end.Ordered, end.LastError, end.Sealed, end.Rev = false, "changed", []byte("changed"), 1
	require.NoError(t, tx.PutEndpoint(end))
	end.Rev = 2
	require.Equal(t, end, must(tx.Endpoint(end.ID))(t))
	audit := filled[store.Audit]("audit")
	audit.Seq = 1
	require.NoError(t, tx.AppendAudit(audit))
	require.Equal(t, []store.Audit{audit}, must(tx.Audits(store.AuditQuery{Community: audit.Community}, 0))(t))

	ticket := filled[store.Ticket]("ticket")
	require.NoError(t, tx.PutTicket(ticket))
	require.Equal(t, ticket, must(tx.TakeTicket(ticket.Kind, ticket.ID, sec(0)))(t))
}

// testPeopleFields puts each row twice, all of it other: what replaces a row may have forgotten a field that what inserts it has not.
func testPeopleFields(t *testing.T, tx store.Tx) {
	for i, prefix := range []string{"a", "b"} {
		rev := int64(i)
		person := filled[store.Person](prefix)
		person.Community, person.ID = "c", "p"
		require.NoError(t, tx.PutPerson(person))
		require.Equal(t, person, must(tx.Person("c", "p"))(t))
		a := filled[store.Account](prefix)
		a.Community, a.Plugin, a.PlatformID, a.UserID = "c", "p", "T", "u"
		require.NoError(t, tx.PutAccount(a))
		require.Equal(t, a, must(tx.Account("c", "p", "T", "u"))(t))
		e := filled[store.Evidence](prefix)
		e.Community, e.ID, e.Score = "c", "e", rev
		require.NoError(t, tx.PutEvidence(e))
		require.Equal(t, e, must(tx.Evidence("c", "e"))(t))
		claim := filled[store.Claim](prefix)
		claim.Community, claim.Subject, claim.Kind, claim.Name, claim.Issuer = "c", "s", "k", "n", "i"
		require.NoError(t, tx.PutClaim(claim))
		require.Equal(t, claim, must(tx.ClaimOf("c", "s", "k", "n", "i"))(t))
		change := filled[store.Change](prefix)
		require.NoError(t, tx.PutChange(change))
		change.Seq = 1
		require.Equal(t, []store.Change{change}, must(tx.Changes(change.Community, change.Person, 0, 0))(t))
		token := filled[store.Token](prefix)
		token.Community, token.Plugin, token.PlatformID, token.UserID, token.Rev = "c", "p", "T", "u", rev
		require.NoError(t, tx.PutToken(token))
		token.Rev++
		require.Equal(t, token, must(tx.Token("c", "p", "T", "u"))(t))
	}
}

// filled makes a row whose fields all have values of their own.
func filled[T any](prefix string) T {
	var row T
	v := reflect.ValueOf(&row).Elem()
	for i := range v.NumField() {
		f := v.Field(i)
		switch f.Interface().(type) {
		case string:
			f.SetString(fmt.Sprintf("%s-%d", prefix, i))
		case []byte:
			f.SetBytes(fmt.Appendf(nil, `{"%s":%d}`, prefix, i))
		case int, int64:
			f.SetInt(int64(i + 1))
		case bool:
			f.SetBool(true)
		case time.Time:
			f.Set(reflect.ValueOf(sec(i + 1 + 100*int(prefix[0])))) // other prefixes, other times
		default:
			panic("storetest: a row has a field of a type that is not filled: " + f.Type().String())
		}
	}
	return row
}
