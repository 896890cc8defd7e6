package bench

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
	"github.com/metagov/gateway-go/vote"
)

// workspace is a gateway on SQLite with the Slack plugin enabled for workspace T1.
type workspace struct {
	*gateway.Gateway
	town *gateway.Community
	inst *gateway.Instance
	team *fakeslack.Workspace
	seen *shows
}

func newWorkspace(b *testing.B) workspace {
	fake := fakeslack.New(fakeslack.Options{SigningSecret: signingSecret})
	b.Cleanup(fake.Close)
	team := fake.AddWorkspace("T1", "Commons")
	token := team.Install()
	team.AddUser("U1", "one")
	team.AddChannel("C1", "town-hall", "U1").WithApp()
	plugin, err := slack.New(slack.App{SigningSecret: signingSecret})
	require.NoError(b, err)
	client := fake.Client()
	seen := &shows{next: client.Transport}
	client.Transport = seen
	// A clock of our own: the plugin keeps to the pace that Slack asks for, and hundreds of votes would take minutes to post.
	g := newGateway(b, gateway.Options{Plugins: []gateway.Plugin{plugin}, HTTP: client, Now: time.Now})
	town, err := g.CreateCommunity(b.Context(), "town", "Town")
	require.NoError(b, err)
	inst, err := town.Enable(b.Context(), "slack", slack.Config{BotToken: gateway.Secret(token)})
	require.NoError(b, err)
	return workspace{g, town, inst, team, seen}
}

// BenchmarkClick is a signed click of a new voter on one vote, by HTTP, durable, with so many votes open in the workspace. With 500 at
// most 1.2x of with one.
//
// Each form clicks in workspaces of both sizes in turn and counts only its own, so that both see the same moods of the machine.
func BenchmarkClick(b *testing.B) {
	var boxes []*ballotBox // for both forms and all that find their N
	for _, open := range []int{1, 500} {
		b.Run("open="+strconv.Itoa(open), func(form *testing.B) {
			if boxes == nil {
				boxes = []*ballotBox{newBallotBox(b, 1), newBallotBox(b, 500)}
			}
			click(form, open, boxes)
		})
	}
}

func click(b *testing.B, open int, boxes []*ballotBox) {
	const atOnce = 512
	var took []time.Duration
	b.ResetTimer()
	b.StopTimer()
	for done := 0; done < b.N; done += atOnce {
		n := min(atOnce, b.N-done)
		for _, box := range boxes {
			counts := box.open == open
			if counts {
				b.StartTimer()
			}
			t := drive(b, box.addr, 16, n, box.click)
			if counts {
				b.StopTimer()
				took = append(took, t...)
			}
		}
	}
	report(b, took)
	for _, box := range boxes {
		p, err := box.town.Process(b.Context(), box.process)
		require.NoError(b, err)
		require.EqualValues(b, box.voters.Load(), p.Voters, "every click is counted")
	}
}

// ballotBox is one vote among others in a workspace.
type ballotBox struct {
	workspace
	open                 int
	addr, process, ts    string
	block, action, value string
	voters               atomic.Int64
}

func newBallotBox(b *testing.B, open int) *ballotBox {
	box := &ballotBox{workspace: newWorkspace(b), open: open}
	for i := range open {
		p, err := box.inst.Start(b.Context(), "emoji-vote", slack.Vote{Channel: "C1", Ask: vote.Ask{Title: "Vote " + strconv.Itoa(i)}})
		require.NoError(b, err)
		require.Equal(b, gateway.StatusPending, p.Status)
		box.process = p.ID
	}
	messages := box.team.Messages("C1")
	last := messages[len(messages)-1]
	box.ts = last.TS
	var blocks []struct {
		BlockID   string `json:"block_id"`
		Accessory struct {
			ActionID string `json:"action_id"`
			Value    string `json:"value"`
		} `json:"accessory"`
	}
	require.NoError(b, json.Unmarshal(last.Blocks, &blocks))
	for _, bl := range blocks {
		if bl.Accessory.ActionID != "" {
			box.block, box.action, box.value = bl.BlockID, bl.Accessory.ActionID, bl.Accessory.Value
		}
	}
	require.NotEmpty(b, box.action)
	box.addr = serve(b, box.Handler())
	return box
}

// click is the signed request of a voter who has not voted yet.
func (box *ballotBox) click(int) []byte {
	n := box.voters.Add(1)
	payload := fmt.Sprintf(`{"type":"block_actions","user":{"id":"U%d","team_id":"T1"},"api_app_id":"A1","team":{"id":"T1","domain":"commons"},"channel":{"id":"C1","name":"town-hall"},`+
		`"container":{"type":"message","message_ts":%q,"channel_id":"C1"},"message":{"ts":%q},"trigger_id":"t%d","response_url":"https://hooks.slack.com/actions/T1/1/x",`+
		`"actions":[{"type":"button","block_id":%q,"action_id":%q,"value":%q,"action_ts":"%d.%06d"}]}`, n, box.ts, box.ts, n, box.block, box.action, box.value, time.Now().Unix(), n%1e6)
	return signed("/api/hooks/slack", "application/x-www-form-urlencoded", []byte("payload="+url.QueryEscape(payload)))
}
