package slack

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Every event that an act of ours causes has the act's name, and says who did it where Slack does.
func TestEchoes(t *testing.T) {
	for body, want := range map[string][2]string{
		`{"type":"channel_rename","channel":{"id":"C1","name":"agora"}}`:                                                             {"renamed:C1:agora", ""},
		`{"type":"group_rename","channel":{"id":"C1","name":"agora"}}`:                                                               {"renamed:C1:agora", ""},
		`{"type":"channel_archive","channel":"C1","user":"U1"}`:                                                                      {"archived:C1", "U1"},
		`{"type":"member_joined_channel","channel":"C1","user":"U1","inviter":"U2"}`:                                                 {"joined:C1:U1", "U2"},
		`{"type":"member_joined_channel","channel":"C1","user":"U1"}`:                                                                {"joined:C1:U1", "U1"},
		`{"type":"member_left_channel","channel":"C1","user":"U1"}`:                                                                  {"left:C1:U1", ""},
		`{"type":"channel_left","channel":"C1","actor_id":"U1"}`:                                                                     {"left:C1", "U1"},
		`{"type":"pin_added","user":"U1","channel_id":"C1","item":{"type":"message","channel":"C1","message":{"ts":"1.0"}}}`:         {"pin_added:C1:1.0", "U1"},
		`{"type":"pin_removed","user":"U1","channel_id":"C1","item":{"type":"message","channel":"C1","message":{"ts":"1.0"}}}`:       {"pin_removed:C1:1.0", "U1"},
		`{"type":"reaction_added","user":"U1","reaction":"+1","item":{"type":"message","channel":"C1","ts":"1.0"}}`:                  {"reaction_added:C1:1.0:+1", "U1"},
		`{"type":"subteam_members_changed","subteam_id":"S1","added_users":["U2","U1"],"removed_users":["U3"]}`:                      {"members:S1:+U1,U2:-U3", ""},
		`{"type":"message","subtype":"message_deleted","channel":"C1","deleted_ts":"1.0","ts":"2.0"}`:                                {"deleted:C1:1.0", ""},
		`{"type":"message","subtype":"message_changed","channel":"C1","message":{"ts":"1.0","subtype":"tombstone","user":"USLACK"}}`: {"deleted:C1:1.0", ""},
		`{"type":"message","subtype":"message_changed","channel":"C1","message":{"ts":"1.0","user":"U1","edited":{"user":"U1"}}}`:    {"changed:C1:1.0", "U1"},
		`{"type":"message","subtype":"channel_name","channel":"C1","user":"U1","name":"agora"}`:                                      {"said-renamed:C1:agora", "U1"},
		`{"type":"message","subtype":"channel_join","channel":"C1","user":"U1","inviter":"U2"}`:                                      {"said-joined:C1:U1", "U2"},
		`{"type":"message","channel":"C1","user":"U1","ts":"1.0","metadata":{"event_payload":{"gateway_call":"c1"}}}`:                {"scheduled:c1", "U1"},
		`{"type":"message","channel":"C1","user":"U1","ts":"1.0"}`:                                                                   {"", ""},
		// What has another shape than Slack documents is passed over, never refused.
		`{"type":"channel_rename","channel":"C1","name":{"x":1},"topic":[],"inviter":5,"added_users":"U1","metadata":[1],"reaction":{}}`: {"renamed:C1:", ""},
	} {
		m := read(t, `{"type":"event_callback","team_id":"T1","event_id":"Ev1","event":`+body+`}`)
		require.Equal(t, want, [2]string{m.echo, m.by}, body)
	}
	a := &Slack{config: Config{BotUserID: "UBOT", BotID: "BBOT"}}
	require.Equal(t, []string{"x"}, a.echo(&message{echo: "x"}))
	require.Equal(t, []string{"x"}, a.echo(&message{echo: "x", by: "UBOT"}))
	require.Equal(t, []string{"x@U1"}, a.echo(&message{echo: "x", by: "U1"}), "a person's act is the person's, and ours only where we act for them")
	require.Empty(t, a.echo(&message{}))
}
