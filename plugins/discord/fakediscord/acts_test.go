package fakediscord_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/discord/fakediscord"
)

func TestPeopleComeAndGo(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	g := w.g
	require.Equal(t, guildID, g.ID())
	e := w.listen(everything)
	require.NoError(t, g.Leave(bob))
	require.ErrorIs(t, g.Leave(bob), fakediscord.ErrRefused)
	require.ErrorIs(t, g.Leave(owner), fakediscord.ErrRefused)
	require.Equal(t, []string{"GUILD_MEMBER_REMOVE"}, e.names(), "nobody did it")
	require.NoError(t, g.Join(bob))
	require.NoError(t, g.Join(bob))
	m, ok := g.Member(bob)
	require.True(t, ok)
	require.Empty(t, m.Roles)
	require.NoError(t, g.GiveRole(owner, bob, member_))
	require.ErrorIs(t, g.TakeRole(mod, bob, member_), fakediscord.ErrRefused)
	require.NoError(t, g.TakeRole(owner, bob, member_))
	require.ErrorIs(t, g.DeleteRole(alice, member_), fakediscord.ErrRefused)
	require.ErrorIs(t, g.Rename(alice, "Mine"), fakediscord.ErrRefused)
	require.Nil(t, w.Guild("404"))
	require.Len(t, g.Channels(), 5)

	id, err := g.Post(hall, bob, "hello")
	require.NoError(t, err)
	require.NoError(t, g.Timeout(mod, bob, "", time.Minute))
	require.ErrorIs(t, g.React(hall, id, bob, "👍"), fakediscord.ErrRefused)
	require.ErrorIs(t, g.Pin(hall, id, alice, true), fakediscord.ErrRefused)
	require.ErrorIs(t, g.Delete(hall, id, alice), fakediscord.ErrRefused)
	require.ErrorIs(t, g.React(secret, id, alice, "👍"), fakediscord.ErrRefused)
	_, err = g.Post(hall, alice, " ")
	require.ErrorIs(t, err, fakediscord.ErrRefused)
	_, err = g.CreateChannel(alice, "x", fakediscord.TextChannel)
	require.ErrorIs(t, err, fakediscord.ErrRefused)
	require.ErrorIs(t, g.RenameChannel(alice, hall, "x"), fakediscord.ErrRefused)
	require.ErrorIs(t, g.DeleteChannel(alice, hall), fakediscord.ErrRefused)
	_, err = w.Write("12345", "hi")
	require.ErrorIs(t, err, fakediscord.ErrRefused)
}

func TestVoiceOfPeople(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	g := w.g
	require.ErrorIs(t, g.JoinVoice(alice, hall), fakediscord.ErrRefused)
	require.ErrorIs(t, g.SetVoice(alice, fakediscord.VoiceState{}), fakediscord.ErrRefused)
	require.NoError(t, g.JoinVoice(alice, lounge))
	require.ErrorIs(t, g.Mute(bob, alice, true), fakediscord.ErrRefused)
	require.NoError(t, g.Mute(mod, alice, true))
	require.ErrorIs(t, g.Deafen(mod, alice, true), fakediscord.ErrRefused, "moderators here mute only")
	require.NoError(t, g.Deafen(owner, alice, true))
	require.NoError(t, g.Move(owner, alice, ""))
	m, _ := g.Member(alice)
	require.Empty(t, m.Voice)
	require.True(t, m.Deaf)
	require.ErrorIs(t, g.Deafen(owner, alice, false), fakediscord.ErrRefused)
	require.NoError(t, g.JoinVoice(alice, lounge))
	require.NoError(t, g.DeleteChannel(owner, lounge))
	m, _ = g.Member(alice)
	require.Empty(t, m.Voice)
	w.no(404, 10065, "GET", "/guilds/"+guildID+"/voice-states/"+alice, "")
}

// https://github.com/discordjs/discord.js/pull/10883
func TestThreadsGoWithTheirChannelWithoutAWord(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	g := w.g
	thread, err := g.StartThread(hall, "", alice, "talk")
	require.NoError(t, err)
	require.NoError(t, g.DeleteChannel(owner, hall))
	for _, c := range g.Channels() {
		require.NotEqual(t, thread, c.ID)
	}
	for _, e := range g.Audit() {
		require.NotEqual(t, fakediscord.AuditThreadDelete, e.Action)
	}
}

func TestHeldInteraction(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	id := w.post(buttons(1))
	in := w.Fail(fakediscord.Fault{Delivery: "MESSAGE_COMPONENT", Hold: true})
	done := make(chan fakediscord.Reply, 1)
	go func() {
		r, _ := w.g.Click(hall, id, alice, "b0")
		done <- r
	}()
	require.NoError(t, in.Wait(w.ctx))
	require.Empty(t, w.app.all())
	in.Release()
	require.Equal(t, 6, (<-done).Type)
}

// TestManyAtOnce is for the race detector: people, the bot, the Gateway and who looks on, all at the same time.
func TestManyAtOnce(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	e := w.listen(everything)
	vote := w.post(buttons(5))
	var wg sync.WaitGroup
	each := func(f func(i int) error) {
		wg.Go(func() {
			for i := range 20 {
				if err := f(i); err != nil {
					t.Errorf("%d: %v", i, err)
				}
			}
		})
	}
	each(func(i int) error { _, err := w.g.Post(hall, alice, fmt.Sprint(i)); return err })
	each(func(i int) error { _, err := w.g.Click(hall, vote, bob, fmt.Sprint("b", i%5)); return err })
	each(func(i int) error { return w.g.React(hall, vote, alice, string(rune(0x1F600+i%10))) })
	each(func(i int) error { return w.g.GiveRole(owner, bob, []string{member_, modRole}[i%2]) })
	each(func(i int) error { w.bot("POST", "/channels/"+hall+"/messages", `{"content":"bot"}`); return nil })
	each(func(i int) error { w.bot("GET", "/channels/"+hall+"/messages?limit=100", ""); return nil })
	each(func(int) error { w.Deliveries(); w.Calls(); w.g.Messages(hall); w.g.Audit(); return nil })
	wg.Wait()
	require.NoError(t, w.Flush(w.ctx))
	n := 0
	for _, name := range e.names() {
		if name == "MESSAGE_CREATE" {
			n++
		}
	}
	require.Equal(t, 41, n, "nothing is lost, and nothing comes twice")
}
