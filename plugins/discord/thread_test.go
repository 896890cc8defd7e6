package discord_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/discord"
	"github.com/metagov/gateway-go/plugins/discord/fakediscord"
	"github.com/metagov/gateway-go/vote"
)

// thread begins a thread in the hall.
func (w *town) thread(name string) string {
	w.t.Helper()
	id, err := w.w.StartThread(hall, "", ann, name)
	require.NoError(w.t, err)
	return id
}

// Discord puts threads away by itself after a day or so without a message, and lets nobody edit in them then.
func TestAVoteInAThreadThatWasPutAwayShowsItsResult(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	thread := w.thread("budget")
	p, m := w.vote("vote", discord.Vote{Ask: vote.Ask{Title: "Buy it?"}, Channel: thread})
	w.click(ann, p, m, "option0")
	w.later(2 * time.Second)
	require.NoError(t, w.w.ArchiveThread(thread, ann, true, false))
	w.click(bob, p, m, "option0")
	w.later(2 * time.Second)
	_, err := w.c.Close(t.Context(), p.ID)
	require.NoError(t, err)
	w.later(2 * time.Second)
	p, m = w.again(p, m)
	require.EqualValues(t, 2, outcome(t, p).Turnout.Voters)
	require.Empty(t, m.Components, "nobody can click any more")
	require.Contains(t, text(m), "**Result:** passed")

	thread = w.thread("locked")
	p, m = w.vote("vote", discord.Vote{Ask: vote.Ask{Title: "Buy it?"}, Channel: thread})
	require.NoError(t, w.w.ArchiveThread(thread, owner, true, true))
	w.w.SetBotPermissions(perms &^ fakediscord.PermManageThreads)
	p, err = w.c.Close(t.Context(), p.ID)
	require.NoError(t, err)
	w.later(2 * time.Second)
	require.Equal(t, gateway.StatusCompleted, p.Status, "what moderators have locked stays as it is")
	require.Contains(t, r.logs.String(), "cannot be changed any more")
}

func TestAPollInAThreadThatWasPutAwayIsEndedInTime(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	thread := w.thread("budget")
	closing := r.clock.now().Add(90 * time.Minute)
	p, m := w.vote("poll-vote", discord.Vote{Ask: vote.Ask{Title: "Buy it?", ClosingAt: &closing}, Channel: thread})
	require.NoError(t, w.w.VoteInPoll(thread, m.ID, ann, 1))
	require.NoError(t, w.w.ArchiveThread(thread, ann, true, false))
	w.later(90*time.Minute + time.Second)
	w.later(2 * time.Second)
	p, m = w.again(p, m)
	require.Equal(t, vote.Passed, outcome(t, p).Result)
	require.True(t, m.PollOver, "nobody can vote any more")
}

// The threads of announcement channels are of a kind of their own.
func TestThreadsCanBeMadeInEveryChannelThatHasThem(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	w.w.SetBotPermissions(perms | fakediscord.PermPrivateThreads)
	w.w.AddChannel("1107", "news", fakediscord.NewsChannel).AddChannel("1108", "ideas", fakediscord.ForumChannel)
	for _, c := range []struct {
		in   discord.CreateThread
		kind int
	}{
		{discord.CreateThread{ChannelRef: place(hall), Name: "about"}, 11},
		{discord.CreateThread{ChannelRef: place(hall), Name: "us", Private: true}, 12},
		{discord.CreateThread{ChannelRef: place("1107"), Name: "about the news"}, 10},
		{discord.CreateThread{ChannelRef: place("1108"), Name: "an idea", FirstPost: "Trees."}, 11},
	} {
		made := do[discord.Channel](w, "create-thread", c.in)
		require.Equal(t, c.kind, made.Type, c.in.Name)
	}
}

// A first message outside of a forum would be left out by Discord, and the thread made private.
func TestOnlyAPostInAForumHasAFirstMessage(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	w.w.SetBotPermissions(perms | fakediscord.PermPrivateThreads)
	w.w.AddChannel("1108", "ideas", fakediscord.ForumChannel)
	for _, in := range []discord.CreateThread{
		{ChannelRef: place(hall), Name: "about", FirstPost: "Trees."},
		{ChannelRef: place("1108"), Name: "us", FirstPost: "Trees.", Private: true},
	} {
		_, err := w.inst.Do(t.Context(), "create-thread", in)
		require.ErrorIs(t, err, gateway.Invalid)
	}
	require.Empty(t, r.routes(), "nothing was made")
}
