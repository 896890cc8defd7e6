package slack_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
)

// stage is a town in which every typed action can be tried.
type stage struct {
	*town
	ts        string // of a message of the bot's in CHALL
	theirs    string // of a message of Ann's in CHALL
	scheduled string
}

func newStage(t *testing.T, opts ...rigOption) *stage {
	t.Helper()
	s := &stage{town: newRig(t, opts...).town("T1")}
	s.w.AddUserGroup("S1", "cooks", "UANN")
	s.w.AddUser("UOLD", "oldie", fakeslack.Deleted())
	s.w.AddUser("UBOT", "robot", fakeslack.Bot())
	posted, err := s.say(slack.Message{Channel: "CHALL", Text: "mine"})
	require.NoError(t, err)
	s.ts = posted.TS
	s.theirs, err = s.w.Post(t.Context(), "UANN", "CHALL", "hers")
	require.NoError(t, err)
	out, err := s.try("schedule-message", `{"channel":"CHALL","text":"later","post_at":"`+s.clock.now().Add(time.Hour).Format(time.RFC3339)+`"}`)
	require.NoError(t, err)
	s.scheduled = text(out, "scheduled_message_id")
	s.due()
	return s
}

func text(raw json.RawMessage, field string) string {
	var m map[string]any
	if json.Unmarshal(raw, &m) != nil {
		return ""
	}
	v, _ := m[field].(string)
	return v
}

// try asks for an action; {ts}, {theirs}, {scheduled} and {later} stand for what the stage has.
func (s *stage) try(action, in string, opts ...gateway.DoOption) (json.RawMessage, error) {
	in = strings.NewReplacer("{ts}", s.ts, "{theirs}", s.theirs, "{scheduled}", s.scheduled, "{later}", s.clock.now().Add(time.Hour).Format(time.RFC3339)).Replace(in)
	return s.inst.Do(s.t.Context(), action, json.RawMessage(in), opts...)
}

// deed is one typed action, as it is done once on a new stage.
type deed struct {
	action, in string
	method     string // the method that does it
	want       string // in the answer
	again      string // in the answer of doing it once more; "": that is something else or fails
	event      string // that tells of it; "": none does
	byPerson   func(*stage) error
}

func deeds() []deed {
	at := func(f func(*stage) error) func(*stage) error { return f }
	return []deed{
		{action: "get-conversation", in: `{"channel":"CHALL"}`, method: "conversations.info", want: `"name":"town-hall"`, again: `"is_member":true`},
		{action: "list-conversations", in: `{}`, method: "conversations.list", want: `"id":"CPARK"`, again: `"CHALL"`},
		{action: "list-conversation-members", in: `{"channel":"CHALL"}`, method: "conversations.members", want: `"UDAN"`, again: `"UANN"`},
		{action: "open-conversation", in: `{"users":["UANN","UBOB"]}`, method: "conversations.open", want: `"channel":"`, again: `"channel":"`},
		{action: "rename-conversation", in: `{"channel":"CHALL","name":"agora"}`, method: "conversations.rename", want: `"previous_name":"town-hall"`, again: `"already":true`,
			event: "channel_rename", byPerson: at(func(s *stage) error {
				if err := s.w.Rename(s.t.Context(), "UADMIN", "CHALL", "town-hall"); err != nil {
					return err
				}
				return s.w.Rename(s.t.Context(), "UADMIN", "CHALL", "agora")
			})},
		{action: "set-topic", in: `{"channel":"CHALL","topic":"soup"}`, method: "conversations.setTopic", want: `{}`, event: "message",
			byPerson: at(func(s *stage) error { return s.w.SetTopic(s.t.Context(), "UANN", "CHALL", "soup") })},
		{action: "archive-conversation", in: `{"channel":"CHALL"}`, method: "conversations.archive", want: `{}`, again: `"already":true`, event: "channel_archive"},
		{action: "join-conversation", in: `{"channel":"CPARK"}`, method: "conversations.join", want: `{}`, again: `"already":true`, event: "member_joined_channel"},
		{action: "leave-conversation", in: `{"channel":"CHALL"}`, method: "conversations.leave", want: `{}`, again: `"already":true`, event: "channel_left"},
		{action: "invite-to-conversation", in: `{"channel":"CPARK","users":["UCID"]}`, method: "conversations.invite", want: `"invited":["UCID"]`, again: `"already":["UCID"]`,
			event: "member_joined_channel", byPerson: at(func(s *stage) error {
				if err := s.w.Leave(s.t.Context(), "UCID", "CPARK"); err != nil {
					return err
				}
				return s.w.Join(s.t.Context(), "UCID", "CPARK")
			})},
		{action: "kick-from-conversation", in: `{"channel":"CHALL","user":"UCID"}`, method: "conversations.kick", want: `{}`, again: `"already":true`,
			event: "member_left_channel", byPerson: at(func(s *stage) error {
				if err := s.w.Join(s.t.Context(), "UCID", "CHALL"); err != nil {
					return err
				}
				return s.w.Leave(s.t.Context(), "UCID", "CHALL")
			})},
		{action: "post-ephemeral", in: `{"channel":"CHALL","user":"UANN","text":"psst"}`, method: "chat.postEphemeral", want: `"message_ts":"`, again: `"message_ts":"`},
		{action: "update-message", in: `{"channel":"CHALL","ts":"{ts}","text":"changed"}`, method: "chat.update", want: `"ts":"`, again: `"ts":"`, event: "message"},
		{action: "delete-message", in: `{"channel":"CHALL","ts":"{ts}"}`, method: "chat.delete", want: `{}`, event: "message"},
		{action: "get-permalink", in: `{"channel":"CHALL","ts":"{ts}"}`, method: "chat.getPermalink", want: `"permalink":"https://`, again: `"permalink":"`},
		{action: "schedule-message", in: `{"channel":"CHALL","text":"later","post_at":"{later}"}`, method: "chat.scheduleMessage", want: `"scheduled_message_id":"`, again: `"channel":"CHALL"`},
		{action: "delete-scheduled-message", in: `{"channel":"CHALL","scheduled_message_id":"{scheduled}"}`, method: "chat.deleteScheduledMessage", want: `{}`},
		{action: "pin-message", in: `{"channel":"CHALL","ts":"{theirs}"}`, method: "pins.add", want: `{}`, again: `"already":true`, event: "pin_added",
			byPerson: at(func(s *stage) error {
				if err := s.w.Unpin(s.t.Context(), "UANN", "CHALL", s.theirs); err != nil {
					return err
				}
				return s.w.Pin(s.t.Context(), "UANN", "CHALL", s.theirs)
			})},
		{action: "unpin-message", in: `{"channel":"CHALL","ts":"{theirs}"}`, method: "pins.remove", want: `{"already":true}`, again: `"already":true`},
		{action: "add-reaction", in: `{"channel":"CHALL","ts":"{theirs}","name":"tada"}`, method: "reactions.add", want: `{}`, again: `"already":true`, event: "reaction_added",
			byPerson: at(func(s *stage) error { return s.w.React(s.t.Context(), "UANN", "CHALL", s.theirs, "tada") })},
		{action: "remove-reaction", in: `{"channel":"CHALL","ts":"{theirs}","name":"tada"}`, method: "reactions.remove", want: `{"already":true}`, again: `"already":true`},
		{action: "get-team", in: `{}`, method: "team.info", want: `"name":"Town T1"`, again: `"T1"`},
		{action: "get-user", in: `{"user":"UADMIN"}`, method: "users.info", want: `"is_admin":true`, again: `"Ada Admin"`},
		{action: "list-users", in: `{}`, method: "users.list", want: `"UANN"`, again: `"UBOB"`},
		{action: "list-user-groups", in: `{"include_users":true,"include_disabled":true}`, method: "usergroups.list", want: `"users":["UANN"]`, again: `"S1"`},
		{action: "list-user-group-members", in: `{"usergroup":"S1"}`, method: "usergroups.users.list", want: `{"users":["UANN"]}`, again: `"UANN"`},
		{action: "update-user-group-members", in: `{"usergroup":"S1","users":["UBOB","UCID"]}`, method: "usergroups.users.update", want: `"added":["UBOB","UCID"],"removed":["UANN"]`,
			again: `"already":true`, event: "subteam_members_changed"},
	}
}

// Nobody adds a typed action without adding it here.
func TestEveryTypedActionIsTried(t *testing.T) {
	p, err := slack.New(slack.App{SigningSecret: "s"})
	require.NoError(t, err)
	tried := map[string]bool{"post-message": true, "method": true}
	for _, d := range deeds() {
		tried[d.action] = true
	}
	for _, a := range p.Manifest().Actions {
		require.True(t, tried[a.Name], a.Name)
		require.NotEmpty(t, a.Doc)
		var s struct {
			Properties map[string]struct {
				Description string `json:"description"`
			} `json:"properties"`
		}
		for _, raw := range []json.RawMessage{a.Input, a.Output} {
			require.NoError(t, json.Unmarshal(raw, &s))
			for name, f := range s.Properties {
				require.NotEmpty(t, f.Description, "%s %s", a.Name, name)
			}
		}
	}
}

// X1 of the requirements: each does what it says, says so when it was so before, and its event is known as ours, once: a person's identical act
// later is the person's.
func TestTypedActions(t *testing.T) {
	for _, d := range deeds() {
		t.Run(d.action, func(t *testing.T) {
			s := newStage(t)
			before := len(s.events(""))
			out, err := s.try(d.action, d.in)
			require.NoError(t, err)
			require.Contains(t, string(out), d.want)
			for _, c := range s.fake.CallsTo(d.method) {
				require.Empty(t, c.Problems)
			}
			news := s.events("")[before:]
			if d.event == "" {
				for _, e := range news {
					require.NotEqual(t, "pin_removed", e.Type)
				}
			} else {
				ours := 0
				for _, e := range news {
					if e.Type == d.event {
						require.NotEmpty(t, e.Cause, "%s %s", e.Type, e.Data)
						ours++
					}
				}
				require.NotZero(t, ours, "no %s among %v", d.event, news)
			}
			if d.again != "" {
				before = len(s.events(""))
				out, err = s.try(d.action, d.in)
				require.NoError(t, err)
				require.Contains(t, string(out), d.again)
				if strings.Contains(d.again, "already") {
					require.Len(t, s.events(""), before, "nothing was done")
				}
			}
			if d.byPerson != nil {
				before = len(s.events(""))
				require.NoError(t, d.byPerson(s))
				seen := false
				for _, e := range s.events("")[before:] {
					require.Empty(t, e.Cause, "%s %s", e.Type, e.Data)
					seen = seen || e.Type == d.event
				}
				require.True(t, seen)
			}
		})
	}
}

// Where the answer is lost and the deed done, asking again finds it done: it is a success, ours, and not done twice.
func TestTypedActionsWhoseAnswerIsLost(t *testing.T) {
	for _, d := range deeds() {
		t.Run(d.action, func(t *testing.T) {
			s := newStage(t)
			before := len(s.events(""))
			s.fake.Fail(fakeslack.Fault{Method: d.method, LoseAnswer: true})
			_, err := s.try(d.action, d.in, gateway.Once("it"))
			switch d.action {
			case "post-ephemeral", "schedule-message":
				require.ErrorIs(t, err, gateway.Unknown)
				return
			}
			if err != nil { // what may simply be asked again says so
				require.ErrorIs(t, err, gateway.Unavailable)
				_, err = s.try(d.action, d.in, gateway.Once("it"))
			}
			require.NoError(t, err)
			ours := 0
			for _, e := range s.events("")[before:] {
				if e.Type == d.event && e.Cause != "" {
					ours++
				}
			}
			if d.event != "" && d.action != "update-message" && d.action != "join-conversation" {
				require.NotZero(t, ours)
			}
		})
	}
}

func TestListsReadAllPagesAndStopAtTheLimit(t *testing.T) {
	s := newStage(t)
	var everybody []string
	for i := range 450 {
		id := fmt.Sprintf("UP%03d", i)
		s.w.AddUser(id, strings.ToLower(id))
		everybody = append(everybody, id)
	}
	s.w.AddChannel("CBIG", "big", everybody...).WithApp()
	users, err := gateway.Do[slack.Users](t.Context(), s.inst, "list-users", map[string]any{})
	require.NoError(t, err)
	require.Len(t, users.Users, 455, "real people only")
	require.Empty(t, users.NextCursor)
	require.Len(t, s.fake.CallsTo("users.list"), 3)
	for _, u := range users.Users {
		require.NotContains(t, []string{"UOLD", "UBOT", "USLACKBOT", s.w.BotUserID()}, u.ID)
	}
	members, err := gateway.Do[slack.Members](t.Context(), s.inst, "list-conversation-members", json.RawMessage(`{"channel":"CBIG","limit":250}`))
	require.NoError(t, err)
	require.Len(t, members.Members, 250)
	rest, err := gateway.Do[slack.Members](t.Context(), s.inst, "list-conversation-members", json.RawMessage(`{"channel":"CBIG","limit":1000,"cursor":"`+members.NextCursor+`"}`))
	require.NoError(t, err)
	require.Len(t, rest.Members, 201)
	require.ElementsMatch(t, append(everybody, s.w.BotUserID()), append(members.Members, rest.Members...))
	got, err := gateway.Do[slack.Conversations](t.Context(), s.inst, "list-conversations", json.RawMessage(`{"types":["public_channel","im"],"exclude_archived":true}`))
	require.NoError(t, err)
	require.Len(t, got.Conversations, 3)
	a := s.fake.CallsTo("conversations.list")[0].Args
	require.Equal(t, []string{"public_channel,im", "true", "200"}, []string{a.Get("types"), a.Get("exclude_archived"), a.Get("limit")})
	_, err = s.try("list-conversations", `{"types":["none"]}`)
	require.ErrorIs(t, err, gateway.Invalid)
	_, err = s.try("list-users", `{"limit":10001}`)
	require.ErrorIs(t, err, gateway.Invalid)
}

func TestInvitingSeveralPeople(t *testing.T) {
	s := newStage(t)
	out, err := gateway.Do[slack.Invited](t.Context(), s.inst, "invite-to-conversation", json.RawMessage(`{"channel":"CPARK","users":["UANN","UCID","UOLD","UNONE"]}`))
	require.NoError(t, err)
	require.Equal(t, []string{"UCID"}, out.Invited)
	require.Equal(t, []string{"UANN"}, out.Already)
	require.Equal(t, []slack.Rejected{{User: "UOLD", Error: "user_is_deactivated"}, {User: "UNONE", Error: "user_not_found"}}, out.Failed)
	require.NotEmpty(t, s.events("member_joined_channel"))
	_, err = s.try("invite-to-conversation", `{"channel":"CPARK","users":["UNONE"]}`)
	require.ErrorIs(t, err, gateway.NotFound)
	_, err = s.try("invite-to-conversation", `{"channel":"CPARK","users":["UANN","UNONE"]}`)
	require.Error(t, err, "nobody came")
	out, err = gateway.Do[slack.Invited](t.Context(), s.inst, "invite-to-conversation", json.RawMessage(`{"channel":"CPARK","users":["UANN","UBOB"]}`))
	require.NoError(t, err)
	require.Equal(t, []string{"UANN", "UBOB"}, out.Already)
}

// A scheduled message is known as ours when Slack posts it.
func TestAScheduledMessageIsOurs(t *testing.T) {
	s := newStage(t)
	s.clock.advance(2 * time.Hour)
	require.Equal(t, 1, s.fake.PostScheduled())
	got := s.events("message")
	last := got[len(got)-1]
	require.Contains(t, string(last.Data), `"text":"later"`)
	require.NotEmpty(t, last.Cause)
	require.True(t, last.Bot)
	_, err := s.try("schedule-message", `{"channel":"CHALL","text":"x","post_at":"2020-01-01T00:00:00Z"}`)
	require.Error(t, err)
}

func TestTypedActionsRefuse(t *testing.T) {
	s := newStage(t)
	private := s.w.AddChannel("CSEC", "secret", "UANN")
	_ = private
	for name, c := range map[string]struct {
		action, in string
		code       gateway.Code
	}{
		"nothing to say":   {"update-message", `{"channel":"CHALL","ts":"{ts}"}`, gateway.Invalid},
		"no time stamp":    {"delete-message", `{"channel":"CHALL","ts":"yesterday"}`, gateway.Invalid},
		"another's":        {"update-message", `{"channel":"CHALL","ts":"{theirs}","text":"x"}`, gateway.Denied},
		"another's gone":   {"delete-message", `{"channel":"CHALL","ts":"{theirs}"}`, gateway.Denied},
		"no such message":  {"delete-message", `{"channel":"CHALL","ts":"1.000000"}`, gateway.NotFound},
		"no such channel":  {"rename-conversation", `{"channel":"CNONE","name":"x"}`, gateway.NotFound},
		"taken":            {"rename-conversation", `{"channel":"CHALL","name":"park"}`, gateway.Conflict},
		"bad name":         {"rename-conversation", `{"channel":"CHALL","name":"No Good!"}`, gateway.Invalid},
		"self":             {"kick-from-conversation", `{"channel":"CHALL","user":"` + s.w.BotUserID() + `"}`, gateway.Conflict},
		"no such person":   {"get-user", `{"user":"UNONE"}`, gateway.NotFound},
		"no such group":    {"list-user-group-members", `{"usergroup":"SNONE"}`, gateway.NotFound},
		"an empty group":   {"update-user-group-members", `{"usergroup":"S1","users":[]}`, gateway.Invalid},
		"not in the room":  {"post-ephemeral", `{"channel":"CHALL","user":"UBOT","text":"x"}`, gateway.Conflict},
		"nine people":      {"open-conversation", `{"users":["U1","U2","U3","U4","U5","U6","U7","U8","U9"]}`, gateway.Invalid},
		"an unknown field": {"pin-message", `{"channel":"CHALL","ts":"{ts}","token":"x"}`, gateway.Invalid},
	} {
		_, err := s.try(c.action, c.in)
		require.ErrorIs(t, err, c.code, name)
	}
	_, err := s.try("kick-from-conversation", `{"channel":"CPARK","user":"UBOB"}`)
	require.NoError(t, err, "the bot joins where it has to be in")
	require.NotContains(t, s.w.Members("CPARK"), "UBOB")
}
