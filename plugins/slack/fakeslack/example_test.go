package fakeslack_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
	"github.com/slack-go/slack"
)

// A tiny app that answers a click, and a person who clicks.
func Example() {
	s := fakeslack.New(fakeslack.Options{})
	defer s.Close()
	w := s.AddWorkspace("T1", "Commons")
	w.AddUser("UALICE", "alice")
	api := slack.New(w.Install(), slack.OptionHTTPClient(s.Client()))
	w.AddChannel("C1", "town-hall", "UALICE").WithApp()

	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var click slack.InteractionCallback
		if json.Unmarshal([]byte(r.FormValue("payload")), &click) != nil || click.Type != slack.InteractionTypeBlockActions {
			return
		}
		text := click.User.Name + " chose " + click.ActionCallback.BlockActions[0].Value
		_, _, _, err := api.UpdateMessageContext(r.Context(), click.Channel.ID, click.Container.MessageTs, slack.MsgOptionText(text, false))
		if err != nil {
			fmt.Println(err)
		}
	}))
	defer app.Close()
	s.SetRequestURL(app.URL, nil)

	ctx := context.Background()
	yes := slack.NewButtonBlockElement("yes", "lunch", slack.NewTextBlockObject("plain_text", "Lunch", false, false))
	_, ts, err := api.PostMessageContext(ctx, "C1", slack.MsgOptionText("What now?", false), slack.MsgOptionBlocks(slack.NewActionBlock("vote", yes)))
	if err != nil {
		fmt.Println(err)
	}
	if _, err := w.Click(ctx, "UALICE", "C1", ts, "yes", "lunch"); err != nil {
		fmt.Println(err)
	}
	_, err = w.Click(ctx, "UALICE", "C1", ts, "yes", "lunch")
	m, _ := w.Message("C1", ts)
	fmt.Println(m.Text)
	fmt.Println(err != nil, "the button is gone")
	// Output:
	// alice chose lunch
	// true the button is gone
}

// The answer of a call is lost after it took effect: what does your program do?
func ExampleServer_Fail() {
	s := fakeslack.New(fakeslack.Options{})
	defer s.Close()
	w := s.AddWorkspace("T1", "Commons")
	api := slack.New(w.Install(), slack.OptionHTTPClient(s.Client()))
	w.AddChannel("C1", "town-hall").WithApp()

	s.Fail(fakeslack.Fault{Method: "chat.postMessage", LoseAnswer: true})
	_, _, err := api.PostMessage("C1", slack.MsgOptionText("hello", false))
	fmt.Println(err != nil, len(w.Messages("C1")))
	// Output: true 1
}
