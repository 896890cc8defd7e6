package fakeslack_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
	"github.com/stretchr/testify/require"
)

func times(n int, f func(i int) string) string {
	list := make([]string, n)
	for i := range list {
		list[i] = f(i)
	}
	return "[" + strings.Join(list, ",") + "]"
}

func plain(n int) string {
	return fmt.Sprintf(`{"type":"plain_text","text":%q}`, strings.Repeat("é", n))
}

func button(extra string) string {
	return `{"type":"button","text":{"type":"plain_text","text":"b"}` + extra + `}`
}

// Each limit is tried at its edge: the first is taken, the second refused.
func TestBlockLimits(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	str := func(n int) string { return strings.Repeat("x", n) }
	actions := func(e string) string { return `[{"type":"actions","elements":[` + e + `]}]` }
	option := func(text, value int) string {
		return fmt.Sprintf(`{"type":"static_select","options":[{"text":%s,"value":%q}]}`, plain(text), str(value))
	}
	for name, c := range map[string][2]string{
		"blocks":  {times(50, func(int) string { return `{"type":"divider"}` }), times(51, func(int) string { return `{"type":"divider"}` })},
		"section": {`[{"type":"section","text":` + plain(3000) + `}]`, `[{"type":"section","text":` + plain(3001) + `}]`},
		"empty":   {`[{"type":"section","text":` + plain(1) + `}]`, `[{"type":"section","text":` + plain(0) + `}]`},
		"header":  {`[{"type":"header","text":` + plain(150) + `}]`, `[{"type":"header","text":` + plain(151) + `}]`},
		"header mrkdwn": {`[{"type":"header","text":` + plain(1) + `}]`,
			`[{"type":"header","text":{"type":"mrkdwn","text":"x"}}]`},
		"button text":  {actions(`{"type":"button","text":` + plain(75) + `}`), actions(`{"type":"button","text":` + plain(76) + `}`)},
		"button value": {actions(button(`,"value":"` + str(2000) + `"`)), actions(button(`,"value":"` + str(2001) + `"`))},
		"button style": {actions(button(`,"style":"danger"`)), actions(button(`,"style":"red"`))},
		"action_id":    {actions(button(`,"action_id":"` + str(255) + `"`)), actions(button(`,"action_id":"` + str(256) + `"`))},
		"action_id twice": {actions(button(`,"action_id":"a"`) + "," + button(`,"action_id":"b"`)),
			actions(button(`,"action_id":"a"`) + "," + button(`,"action_id":"a"`))},
		"block_id":       {`[{"type":"divider","block_id":"` + str(255) + `"}]`, `[{"type":"divider","block_id":"` + str(256) + `"}]`},
		"block_id twice": {`[{"type":"divider","block_id":"a"},{"type":"divider","block_id":"b"}]`, `[{"type":"divider","block_id":"a"},{"type":"divider","block_id":"a"}]`},
		"elements": {`[{"type":"actions","elements":` + times(25, func(int) string { return button("") }) + `}]`,
			`[{"type":"actions","elements":` + times(26, func(int) string { return button("") }) + `}]`},
		"context": {`[{"type":"context","elements":` + times(10, func(int) string { return plain(1) }) + `}]`,
			`[{"type":"context","elements":` + times(11, func(int) string { return plain(1) }) + `}]`},
		"options": {actions(`{"type":"static_select","options":` + times(100, func(i int) string { return fmt.Sprintf(`{"text":%s,"value":"%d"}`, plain(1), i) }) + `}`),
			actions(`{"type":"static_select","options":` + times(101, func(i int) string { return fmt.Sprintf(`{"text":%s,"value":"%d"}`, plain(1), i) }) + `}`)},
		"option text":  {actions(option(75, 1)), actions(option(76, 1))},
		"option value": {actions(option(1, 150)), actions(option(1, 151))},
		"fields": {`[{"type":"section","fields":` + times(10, func(int) string { return plain(2000) }) + `}]`,
			`[{"type":"section","fields":` + times(11, func(int) string { return plain(1) }) + `}]`},
		"initial option": {actions(`{"type":"static_select","options":[{"text":` + plain(1) + `,"value":"a"}],"initial_option":{"text":` + plain(1) + `,"value":"a"}}`),
			actions(`{"type":"static_select","options":[{"text":` + plain(1) + `,"value":"a"}],"initial_option":{"text":` + plain(1) + `,"value":"z"}}`)},
	} {
		t.Run(name, func(t *testing.T) {
			require.True(t, json.Valid([]byte(c[0])) && json.Valid([]byte(c[1])))
			a := w.call("chat.postMessage", "channel", "C1", "blocks", c[0])
			require.Equal(t, true, a["ok"], a)
			for method, args := range map[string][]string{
				"chat.postMessage":   {"channel", "C1"},
				"chat.update":        {"channel", "C1", "ts", a["ts"].(string)},
				"chat.postEphemeral": {"channel", "C1", "user", "UBOB"},
			} {
				a := w.call(method, append(args, "blocks", c[1])...)
				require.Equal(t, "invalid_blocks", a["error"], method)
				messages := a["response_metadata"].(map[string]any)["messages"].([]any)
				require.Contains(t, messages[0], "[json-pointer:/blocks")
			}
		})
	}
}

func TestSlackFillsInIDs(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	a := w.call("chat.postMessage", "channel", "C1", "blocks", `[{"type":"actions","elements":[`+button("")+`]}]`)
	m, _ := w.w.Message("C1", a["ts"].(string))
	var blocks []struct {
		BlockID  string `json:"block_id"`
		Elements []struct {
			ActionID string `json:"action_id"`
		}
	}
	require.NoError(t, json.Unmarshal(m.Blocks, &blocks))
	require.NotEmpty(t, blocks[0].BlockID)
	_, err := w.w.Click(w.ctx, "UBOB", "C1", m.TS, blocks[0].Elements[0].ActionID, "")
	require.NoError(t, err)
}
