package slack_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/vote"
)

// members lists who of the town has a role.
func (w *town) members(role string) []string {
	w.t.Helper()
	out := []string{}
	for _, u := range []string{"UADMIN", "UANN", "UBOB", "UCID", "UDAN", w.w.BotUserID()} {
		err := w.c.RequireClaim(w.t.Context(), gateway.AccountKey("slack", "T1", u), gateway.ClaimQuery{Kind: gateway.ClaimRole, Name: "slack/" + role})
		if err == nil {
			out = append(out, u)
		}
	}
	return out
}

func TestRoles(t *testing.T) {
	w := newRig(t).town("T1")
	ctx := t.Context()
	w.w.AddUserGroup("S1", "cooks", "UANN", "UCID")
	reading, err := w.c.ReadRole(ctx, gateway.RoleKey("slack", "usergroup/S1"), 0)
	require.NoError(t, err)
	require.Equal(t, 2, reading.Members)
	require.Equal(t, []string{"UANN", "UCID"}, w.members("usergroup/S1"))

	reading, err = w.c.ReadRole(ctx, gateway.RoleKey("slack", "channel/CPARK"), 0)
	require.NoError(t, err)
	require.Equal(t, 3, reading.Members)
	require.Equal(t, []string{"UADMIN", "UANN", "UBOB"}, w.members("channel/CPARK"))
	reading, err = w.c.ReadRole(ctx, gateway.RoleKey("slack", "channel/CHALL"), 0)
	require.NoError(t, err)
	require.Equal(t, 5, reading.Members, "the bot is in it, and is nobody")
	require.Equal(t, []string{"UADMIN", "UANN", "UBOB", "UCID", "UDAN"}, w.members("channel/CHALL"))

	users := []string{}
	for n := range 450 {
		users = append(users, w.w.AddUser(fmt.Sprintf("U%04d", n), fmt.Sprintf("u%04d", n)))
	}
	w.w.AddChannel("CBIG", "big", slices.Concat(users, []string{"UDAN"})...).WithApp()
	reading, err = w.c.ReadRole(ctx, gateway.RoleKey("slack", "channel/CBIG"), 0)
	require.NoError(t, err)
	require.Equal(t, 451, reading.Members, "page by page")
	require.Equal(t, []string{"UDAN"}, w.members("channel/CBIG"))

	for _, none := range []string{"usergroup/SNONE", "channel/CNONE"} {
		_, err := w.c.ReadRole(ctx, gateway.RoleKey("slack", none), 0)
		require.ErrorIs(t, err, gateway.NotFound, none)
	}
}

// A vote that is open to a user group takes the ballots of who is in it, by buttons as everybody's.
func TestAVoteForAUserGroup(t *testing.T) {
	w := newRig(t).town("T1")
	w.w.AddUserGroup("S1", "cooks", "UANN", "UCID")
	p, m := w.vote(slack.Vote{Channel: "CHALL", Ask: vote.Ask{Title: "Soup?", EligibleVoters: []string{gateway.RoleKey("slack", "usergroup/S1")}}})
	for _, u := range []string{"UANN", "UBOB", "UCID"} {
		w.click(u, m, "0")
	}
	w.later(2 * time.Second)
	p, _ = w.again(p, m)
	require.EqualValues(t, 2, p.Voters)
}
