package fakediscord_test

import (
	"testing"

	"github.com/bwmarrin/discordgo"
	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/discord/fakediscord"
)

func TestSmoke(t *testing.T) {
	s := fakediscord.New(fakediscord.Options{})
	defer s.Close()
	s.AddUser("101", "alice")
	g := s.AddGuild("1", "Commons", "101").AddMember("102").AddChannel("201", "town-hall", fakediscord.TextChannel)
	g.Install(fakediscord.PermBanMembers | fakediscord.PermViewAuditLog)
	d, err := discordgo.New("Bot " + s.App().BotToken)
	require.NoError(t, err)
	d.Client, d.Dialer, d.SyncEvents = s.Client(), s.Dialer(), true
	d.Identify.Intents = discordgo.IntentsAll
	var got []string
	d.AddHandler(func(_ *discordgo.Session, e *discordgo.Event) { got = append(got, e.Type) })
	require.NoError(t, d.Open())
	defer d.Close()
	m, err := d.ChannelMessageSend("201", "hello")
	require.NoError(t, err)
	require.Equal(t, "hello", m.Content)
	require.NoError(t, g.Ban("101", "102", "spam", 0))
	require.Equal(t, []string{"READY", "GUILD_CREATE", "MESSAGE_CREATE", "GUILD_MEMBER_REMOVE", "GUILD_AUDIT_LOG_ENTRY_CREATE", "GUILD_BAN_ADD"}, got)
}
