package discord

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// Discord's limits of a poll (https://docs.discord.com/developers/resources/poll#poll-create-request-object, checked 2026-11).
const (
	maxQuestion   = 300 // characters
	maxAnswerText = 55  // characters of an answer
	maxAnswers    = 10
	maxPollHours  = 768 // 32 days
)

// NewPoll is the input of create-poll.
type NewPoll struct {
	Channel  string   `json:"channel" choices:"channels" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"The channel or thread."`
	Question string   `json:"question" jsonschema:"minLength=1,maxLength=300" jsonschema_description:"What is asked."`
	Answers  []string `json:"answers" jsonschema:"minItems=1,maxItems=10" jsonschema_description:"What people choose from, 55 characters each at the most."`
	Hours    int      `json:"hours,omitempty" jsonschema:"minimum=1,maximum=768,default=24" jsonschema_description:"For how many hours it is open: 32 days at the most."`
	Several  bool     `json:"allow_multiselect,omitempty" jsonschema_description:"Whether people may choose several answers."`
}

// pollFields is what Discord takes.
func pollFields(question string, answers []string, hours int, several bool) map[string]any {
	list := make([]map[string]any, len(answers))
	for i, a := range answers {
		list[i] = map[string]any{"poll_media": map[string]string{"text": a}}
	}
	return map[string]any{
		"question": map[string]string{"text": question}, "answers": list, "duration": hours, "allow_multiselect": several, "layout_type": 1,
	}
}

func (d *Discord) createPoll(ctx context.Context, in NewPoll) (Posted, error) {
	for i, a := range in.Answers {
		if n := runes(a); n == 0 || n > maxAnswerText {
			return Posted{}, invalid("/answers/"+itoa(i), "has "+itoa(n)+" characters, and Discord takes 1 to 55")
		}
	}
	if err := d.guildOf(ctx, in.Channel); err != nil {
		return Posted{}, err
	}
	return d.postOnce(ctx, in.Channel, map[string]any{"poll": pollFields(in.Question, in.Answers, in.Hours, in.Several)}, toPost+", SEND_POLLS")
}

// findPoll is the look-up of create-poll.
func (d *Discord) findPoll(ctx context.Context, in NewPoll) (Posted, gateway.Found, error) {
	return d.findSame(ctx, func(m Post) bool { return m.asks() == strings.TrimSpace(in.Question) })
}

// asks is the question of the poll in a message, "" where there is none.
func (p Post) asks() string {
	question, _ := p.Poll["question"].(map[string]any)
	text, _ := question["text"].(string)
	return text
}

// expirePoll ends a poll. One that is over is ended.
func (d *Discord) expirePoll(ctx context.Context, in MessageRef) (Done, error) {
	if err := d.guildOf(ctx, in.Channel); err != nil {
		return Done{}, err
	}
	return d.done(ctx, act{call: in.expire(), gone: []int{codePollExpired}})
}

func (r MessageRef) expire() call {
	return call{method: http.MethodPost, path: path("channels", r.Channel, "polls", r.Message, "expire")}
}

// PollAnswer is the input of list-poll-voters.
type PollAnswer struct {
	MessageRef
	Answer int    `json:"answer" jsonschema:"minimum=1,maximum=100" jsonschema_description:"Which answer, by Discord's number: they count from 1."`
	After  string `json:"after,omitempty" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"Where to go on: next of the answer before."`
}

func (d *Discord) listVoters(ctx context.Context, in PollAnswer) (Users, error) {
	if err := d.guildOf(ctx, in.Channel); err != nil {
		return Users{Users: []User{}}, err
	}
	return d.voters(ctx, in.MessageRef, in.Answer, in.After)
}

// voters reads a page of who chose an answer (https://docs.discord.com/developers/resources/poll#get-answer-voters).
func (d *Discord) voters(ctx context.Context, at MessageRef, answer int, after string) (Users, error) {
	return d.users(ctx, call{path: path("channels", at.Channel, "polls", at.Message, "answers", itoa(answer))}, after, func(raw json.RawMessage) ([]User, error) {
		var page struct {
			Users []User `json:"users"`
		}
		err := json.Unmarshal(raw, &page)
		return page.Users, err
	})
}
