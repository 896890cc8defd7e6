package slack_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
)

// Every request of the typed actions, and of a refresh, is one that Slack's own SDK would make.
func TestContractTypedActionsAreAsSlacksSDKMakesThem(t *testing.T) {
	j := newJudge(t)
	var calls []fakeslack.Call
	for _, d := range deeds() {
		s := newStage(t)
		_, err := s.try(d.action, d.in)
		require.NoError(t, err)
		calls = append(calls, s.fake.Calls()...)
	}
	s := newStage(t)
	for action, in := range map[string]string{
		"list-conversations":        `{"types":["public_channel","im"],"exclude_archived":true,"team_id":"T1","limit":1}`,
		"list-conversation-members": `{"channel":"CHALL","limit":1}`,
		"list-users":                `{"team_id":"T1"}`, "list-user-groups": `{"team_id":"T1"}`, "get-team": `{"team":"T1"}`,
		"update-user-group-members": `{"usergroup":"S1","users":["UBOB"],"team_id":"T1"}`,
		"invite-to-conversation":    `{"channel":"CPARK","users":["UCID","UDAN"]}`,
		"set-topic":                 `{"channel":"CHALL","topic":""}`,
		"post-ephemeral":            `{"channel":"CHALL","user":"UANN","text":"x","blocks":[{"type":"divider"}],"thread_ts":"{ts}"}`,
		"update-message":            `{"channel":"CHALL","ts":"{ts}","markdown_text":"# x"}`,
		"schedule-message":          `{"channel":"CHALL","text":"x","post_at":"{later}","thread_ts":"{ts}","reply_broadcast":true}`,
	} {
		_, err := s.try(action, in)
		require.NoError(t, err, action)
	}
	calls = append(calls, s.fake.Calls()...)
	w := newTurning(t)
	w.clock.advance(13 * time.Hour)
	require.NoError(t, w.speak(w.inst))
	calls = append(calls, w.fake.Calls()...)

	judged, unjudged := map[string]bool{}, map[string]bool{}
	for _, c := range calls {
		require.Empty(t, c.Problems, c.Method)
		name, ok := j.methods[c.Method]
		if !ok {
			unjudged[c.Method] = true
			continue
		}
		schema, err := j.c.Compile(j.file + "#/definitions/" + name)
		require.NoError(t, err, name)
		require.NoError(t, schema.Validate(values(c.Args)), "%s %s", c.Method, c.Args.Encode())
		judged[c.Method] = true
	}
	var list []string
	for m := range unjudged {
		list = append(list, m)
	}
	slices.Sort(list)
	t.Logf("%d methods judged; there is no schema for %v", len(judged), list)
	for _, d := range deeds() {
		require.True(t, judged[d.method] || unjudged[d.method], d.method)
	}
	require.Greater(t, len(judged), 20)
}

// Every event that Slack's SDK for Java shows is also taken where the app is installed for an organisation, and where the channel is shared with
// another one: it is for the organisation, or for each side.
func TestContractEveryEventInAnOrganisationAndInASharedChannel(t *testing.T) {
	r := oauthRig(t)
	north := r.fresh("T1").InEnterprise("E1", "Org")
	north.AddUser("UOWNER", "olga", fakeslack.Owner())
	got, _ := r.browse(gateway.AuthRequest{}, "T1", "UOWNER", fakeslack.OrgWide())
	require.Equal(t, gateway.Install, got.Type)
	r.town("T5")
	r.town("T6")
	n := 0
	for name, body := range samples(t) {
		if !strings.Contains(name, "java-slack-sdk") || !strings.Contains(name, "/events/") || strings.Contains(body, `"event": ""`) {
			continue
		}
		n++
		s := &sample{name: name}
		s.fill(t, n, body)
		if !strings.Contains(s.body, `"event":{`) {
			continue
		}
		for kind, outside := range map[string]string{
			"org": `{"type":"event_callback","team_id":"T2","enterprise_id":"E1","event_id":"EvO%d","event_time":1793620800,
				"authorizations":[{"enterprise_id":"E1","team_id":null,"user_id":"U1","is_bot":true,"is_enterprise_install":true}],"event":%s}`,
			"shared": `{"type":"event_callback","team_id":"T5","context_team_id":"T6","is_ext_shared_channel":true,"event_id":"EvS%d","event_time":1793620800,
				"authorizations":[{"enterprise_id":null,"team_id":"T6","user_id":"U1","is_bot":true,"is_enterprise_install":false}],"event":%s}`,
		} {
			before := len(r.events(s.typ))
			res := r.post(fmt.Sprintf(outside, n, fields(t, []byte(s.body)).raw("event")))
			require.Equal(t, http.StatusOK, res.StatusCode, "%s %s", name, kind)
			want := map[string]int{"org": 1, "shared": 2}[kind]
			require.Len(t, r.events(s.typ), before+want, "%s %s", name, kind)
		}
	}
	require.Greater(t, n, 40)
}
