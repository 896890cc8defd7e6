package fakediscord_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/bwmarrin/discordgo"

	"github.com/metagov/gateway-go/plugins/discord/fakediscord"
)

func Example() {
	s := fakediscord.New(fakediscord.Options{})
	defer s.Close()
	s.AddUser("101", "alice")
	g := s.AddGuild("1", "Commons", "101").AddChannel("201", "town-hall", fakediscord.TextChannel).Install(fakediscord.PermEveryone)

	// The app: it posts a question with a button, and answers clicks.
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A real app verifies the signature first.
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"type":4,"data":{"content":"Your vote is counted.","flags":64}}`)
	}))
	defer app.Close()
	s.SetRequestURL(app.URL, nil)
	api, err := discordgo.New("Bot " + s.App().BotToken)
	if err != nil {
		fmt.Println(err)
		return
	}
	api.Client = s.Client()
	m, err := api.ChannelMessageSendComplex("201", &discordgo.MessageSend{Content: "Shall we?", Components: []discordgo.MessageComponent{
		discordgo.ActionsRow{Components: []discordgo.MessageComponent{discordgo.Button{Label: "Yes", CustomID: "yes"}}}}})
	if err != nil {
		fmt.Println(err)
		return
	}

	// A person.
	reply, err := g.Click("201", m.ID, "101", "yes")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(reply.Message.Content)
	for _, c := range s.Calls() {
		fmt.Println(c.Route, c.Answer.Status)
	}
	// Output:
	// Your vote is counted.
	// POST /channels/{channel_id}/messages 200
}
