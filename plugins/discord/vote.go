package discord

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/vote"
)

type voteRun = gateway.Run[*Discord, vote.Outcome]

// Vote is the input of vote.
type Vote struct {
	vote.Ask
	Channel string `json:"channel" choices:"channels" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"The channel or thread to hold the vote in."`
}

// letter is the message of a vote, posted once.
type letter struct {
	Channel string    `json:"channel,omitempty" jsonschema_description:"The channel that it is in."`
	Message string    `json:"message,omitempty" jsonschema_description:"Its ID."`
	Sent    bool      `json:"sent,omitempty" jsonschema_description:"Discord may have it."`
	Since   time.Time `json:"since,omitzero" jsonschema_description:"When it was first tried."`
}

// at names the message.
func (l letter) at() MessageRef { return MessageRef{l.Channel, l.Message} }

// buttonVote is the durable state of a vote with buttons.
type buttonVote struct {
	Post     letter    `json:"post,omitzero" jsonschema_description:"The message."`
	ClosesAt time.Time `json:"closes_at,omitzero" jsonschema_description:"When it closes by itself."`

	Remind    []int              `json:"remind,omitempty" jsonschema_description:"Reminders that are still to come, in minutes before the end."`
	Reminders map[string]*letter `json:"reminders,omitempty" jsonschema_description:"The reminders that were posted, by those minutes."`
}

// Start posts the vote.
func (b *buttonVote) Start(ctx context.Context, r *voteRun, in Vote) error {
	d := r.Plugin
	if in.ClosingAt != nil {
		b.ClosesAt = *in.ClosingAt
	}
	b.Remind = slices.Clone(in.Reminders)
	for i, m := range b.Remind {
		if b.remindAt(m).Before(r.Now()) && !b.Post.Sent {
			return invalid("/reminders/"+itoa(i), "is not between now and the closing time")
		}
	}
	v := b.view(r)
	if err := errors.Join(d.allows(byButtons), v.check()); err != nil {
		return err
	}
	if err := d.guildOf(ctx, in.Channel); err != nil {
		return err
	}
	if err := open(ctx, r, &b.Post, in.Channel, v.fields(), toPost+", EMBED_LINKS", carries(r.ID())); err != nil {
		return err
	}
	b.wake(r)
	return nil
}

// open posts a vote's own message, by which deliveries find the vote and people do.
func open(ctx context.Context, r *voteRun, l *letter, channel string, fields map[string]any, needs string, is func(Post) bool) error {
	at, err := r.Plugin.place(ctx, channel)
	if err != nil {
		return err
	}
	if err := post(ctx, r, l, nonceOf(r.ID()), channel, fields, needs, is); err != nil {
		return err
	}
	r.Ref(messageRef(l.Channel, l.Message))
	r.Ref(channelRef(l.Channel))
	if at.parent != "" {
		r.Ref(channelRef(at.parent))
	}
	r.SetURL("https://discord.com/channels/" + r.Plugin.config.GuildID + "/" + l.Channel + "/" + l.Message)
	return nil
}

// carries looks for a process in the IDs of a message's components.
func carries(process string) func(Post) bool {
	return func(m Post) bool {
		for _, c := range m.Components {
			raw, err := json.Marshal(c)
			if err == nil && strings.Contains(string(raw), `"`+componentPrefix+process+`:`) {
				return true
			}
		}
		return false
	}
}

// post posts one of a vote's messages, once however often it is attempted. What is known of it is durable before Discord hears of it, and the next attempt
// finds it: Discord gives the same message for the same nonce for a few minutes, and afterwards the channel's history tells.
func post(ctx context.Context, r *voteRun, l *letter, nonce, channel string, fields map[string]any, needs string, is func(Post) bool) error {
	d := r.Plugin
	if l.Message == "" && l.Sent {
		if err := look(ctx, r, l, nonce, is); err != nil {
			return err
		}
	}
	if l.Message != "" {
		return nil
	}
	*l = letter{Channel: channel, Sent: true, Since: firstTime(l.Since, d.Now())}
	if err := r.Save(ctx); err != nil {
		return err
	}
	out, err := d.send(ctx, channel, nonce, fields, needs)
	switch {
	case gateway.CodeOf(err) == gateway.Unknown:
		if e := look(ctx, r, l, nonce, is); e != nil || l.Message == "" {
			return gateway.Errorf(gateway.Unavailable, "the message may have been posted, and is looked for again: %w", errors.Join(err, e))
		}
	case err != nil:
		l.Sent = false // Discord said no: another attempt need not look
		if e := r.Save(ctx); e != nil {
			d.Log.WarnContext(ctx, "a refused message could not be noted", "process", r.ID(), "error", e)
		}
		return err
	default:
		l.Message = out.ID
	}
	return nil
}

// look looks for a message that may have been posted.
func look(ctx context.Context, r *voteRun, l *letter, nonce string, is func(Post) bool) error {
	id, err := r.Plugin.find(ctx, posting{Channel: l.Channel, Since: l.Since}, nonce, is)
	switch {
	case err != nil:
		return gateway.Errorf(gateway.CodeOf(err), "an earlier attempt may have posted a message, and it could not be looked for: %w", err)
	case id != "":
		l.Message = id
		gateway.CallOf(ctx).Caused(messageRef(l.Channel, id), nonceRef(nonce))
	}
	return nil
}

func firstTime(a, b time.Time) time.Time {
	if a.IsZero() {
		return b
	}
	return a
}

// Receive takes clicks, and the deletion of the message.
func (b *buttonVote) Receive(ctx context.Context, r *voteRun, m *message) (gateway.Reply, error) {
	switch {
	case m.deleted && !r.Ended():
		if b.Post.gone(m) {
			r.CloseNow(vote.Closing{By: vote.ByDeletion, At: m.at})
		}
	case m.process != r.ID() || m.user == "" || m.interaction != componentKind:
	case b.Post.Message != "" && !slices.Contains(m.ids, b.Post.Message):
		return gateway.Reply{}, nil // a button with our ID under another message
	case m.part == closePart:
		return b.closeBy(ctx, r, m)
	default:
		return b.cast(ctx, r, m)
	}
	return gateway.Reply{}, nil
}

// gone says that what was deleted is the message, or the channel that it or its thread is in: of others no vote hears.
func (l letter) gone(m *message) bool {
	return l.Message != "" && (m.place || m.channel == l.Channel && slices.Contains(m.ids, l.Message))
}

func (b *buttonVote) closeBy(ctx context.Context, r *voteRun, m *message) (gateway.Reply, error) {
	texts := &r.Plugin.app.Texts
	may, err := r.MayClose(ctx, m.user)
	switch {
	case err != nil:
		return gateway.Reply{}, err
	case r.Ended():
		return tell(texts.VoteClosed), nil
	case !may:
		return tell(texts.MayNotClose), nil
	}
	r.CloseNow(vote.Closing{By: vote.ByPerson, User: m.user, At: m.at})
	return gateway.Reply{}, nil
}

// cast takes one click.
func (b *buttonVote) cast(ctx context.Context, r *voteRun, m *message) (gateway.Reply, error) {
	texts, ask := &r.Plugin.app.Texts, r.Ask()
	if r.Ended() {
		return tell(texts.VoteClosed), nil
	}
	ballot := gateway.Ballot{Voter: m.user, At: m.at}
	ok, err := chosen(ctx, r, m, &ballot)
	if err != nil {
		return gateway.Reply{}, err
	}
	if !ok {
		return tell(texts.UnknownOption), nil
	}
	receipt, err := r.Cast(ctx, ballot)
	var refused *vote.Refused
	switch {
	case err == nil && receipt.Changed && !ask.CountsVisible(false):
		return tell(texts.recorded(ask, ballot.Choices)), nil
	case err == nil:
		return gateway.Reply{}, nil
	case errors.As(err, &refused):
		return tell(texts.refusal(ask, refused)), nil
	case errors.Is(err, gateway.Conflict):
		return tell(texts.VoteClosed), nil
	}
	return gateway.Reply{}, err
}

// recorded says to a voter what was recorded, where the message does not show it.
func (t *Texts) recorded(a *vote.Ask, choices []string) string {
	if len(choices) == 0 {
		return t.TakenBack
	}
	var names []string
	for _, c := range choices {
		names = append(names, line(t.label(a, c)))
	}
	return put(t.Recorded, "option", strings.Join(names, ", "))
}

// refusal says to a voter why a click was not counted.
func (t *Texts) refusal(a *vote.Ask, r *vote.Refused) string {
	switch r.Code {
	case vote.NoChange:
		return t.NoChange
	case vote.TooMany:
		return putN(t.TooMany, int64(a.MaxChoices))
	case vote.TooFew:
		return putN(t.TooFew, int64(a.MinChoices))
	}
	return escape(r.Message)
}

// chosen reads what was clicked into a ballot. Of a vote that takes several options a click on a button changes one, and a menu those that are in it.
func chosen(ctx context.Context, r *voteRun, m *message, ballot *gateway.Ballot) (ok bool, err error) {
	ask := r.Ask()
	if n, isButton := strings.CutPrefix(m.part, optionPart); isButton {
		i, err := strconv.Atoi(n)
		option, known := ask.ChoiceAt(i)
		if err != nil || !known {
			return false, nil
		}
		ballot.Choices = []string{option}
		if takesSeveral(ask) {
			return true, merge(ctx, r, ballot, func(held []string) []string {
				if at := slices.Index(held, option); at >= 0 {
					return slices.Delete(held, at, at+1)
				}
				return append(held, option)
			})
		}
		return true, nil
	}
	n, isMenu := strings.CutPrefix(m.part, menuPart)
	menu, err := strconv.Atoi(n)
	if !isMenu || err != nil || menu < 0 || menu >= maxMenus {
		return false, nil
	}
	var options []string
	for _, v := range m.values {
		i, err := strconv.Atoi(v)
		option, known := ask.ChoiceAt(i)
		if err != nil || !known || i/menuSize != menu {
			return false, nil
		}
		options = append(options, option)
	}
	ballot.Choices = options
	if !takesSeveral(ask) {
		return len(options) == 1, nil
	}
	if len(ask.Choices()) <= menuSize {
		return true, nil // the menu is the whole ballot
	}
	here := ask.Choices()[min(menu*menuSize, len(ask.Choices())):min((menu+1)*menuSize, len(ask.Choices()))]
	return true, merge(ctx, r, ballot, func(held []string) []string {
		return append(slices.DeleteFunc(held, func(o string) bool { return slices.Contains(here, o) }), options...)
	})
}

// merge makes a click a voter's whole selection, from what they have chosen before.
func merge(ctx context.Context, r *voteRun, ballot *gateway.Ballot, change func(held []string) []string) error {
	held, err := r.Held(ctx, ballot.Voter)
	if err != nil {
		return err
	}
	var before []string
	for _, h := range held {
		if _, o := vote.SplitKey(h.Question); h.Choice == vote.Yes {
			before = append(before, o)
		}
		// Of two quick clicks either may arrive first, and both count: each changes something else.
		if h.At.After(ballot.At) {
			ballot.At = h.At
		}
	}
	ballot.Choices = change(before)
	return nil
}

// view is how the message looks now, before anybody voted.
func (b *buttonVote) view(r *voteRun) view {
	return view{
		process: r.ID(), ask: r.Ask(), texts: &r.Plugin.app.Texts, closes: b.ClosesAt, ended: r.Ended(), reason: r.Reason(), mayClose: len(r.Ask().MayClose) > 0,
	}
}

// standing is how the votes stand, or what came of them, and whether that is final.
func standing(ctx context.Context, r *voteRun) (*vote.Outcome, bool, error) {
	if r.Ended() && len(r.Outcome()) > 0 {
		var out vote.Outcome
		if err := json.Unmarshal(r.Outcome(), &out); err != nil {
			return nil, false, gateway.Errorf(gateway.Internal, "decoding an outcome: %w", err)
		}
		return &out, true, nil
	}
	out, err := r.Decide(ctx)
	return &out, false, err
}

// Show brings the message up to date; after the end without its buttons.
func (b *buttonVote) Show(ctx context.Context, r *voteRun) error {
	if !r.Ended() && !r.Ask().CountsVisible(false) {
		return nil // a message that is marked as edited after each ballot would say when people voted
	}
	if b.Post.Message == "" && b.Post.Sent { // it was closed while it was being posted
		if err := look(ctx, r, &b.Post, nonceOf(r.ID()), carries(r.ID())); err != nil && !final(err) {
			return err
		}
	}
	if b.Post.Message == "" {
		return nil
	}
	v := b.view(r)
	var err error
	if v.outcome, v.decided, err = standing(ctx, r); err != nil {
		return err
	}
	d := r.Plugin
	err = d.inThread(ctx, b.Post.Channel, call{method: http.MethodPatch, path: b.Post.at().path(), body: v.fields(), needs: "VIEW_CHANNEL"})
	if !final(err) {
		return err
	}
	d.Log.WarnContext(ctx, "the message of a vote cannot be changed any more", "process", r.ID(), "channel", b.Post.Channel, "message", b.Post.Message, "error", err)
	if !r.Ended() && refusedAs(err, codeUnknownMessage, codeUnknownChannel) { // and Discord's word of it was lost, or came before we knew the message
		r.CloseNow(vote.Closing{By: vote.ByDeletion})
	}
	return nil
}
