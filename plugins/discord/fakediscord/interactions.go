package fakediscord

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// Types of interactions.
const (
	interactionPing      = 1
	interactionCommand   = 2
	interactionComponent = 3
	interactionModal     = 5
)

// Types of answers to interactions.
const (
	answerPong           = 1
	answerMessage        = 4
	answerDeferred       = 5
	answerDeferredUpdate = 6
	answerUpdate         = 7
	answerModal          = 9
)

const (
	firstAnswerIn    = 3 * time.Second
	interactionLasts = 15 * time.Minute
)

var interactionNames = map[int]string{interactionPing: "PING", interactionCommand: "APPLICATION_COMMAND",
	interactionComponent: "MESSAGE_COMPONENT", interactionModal: "MODAL_SUBMIT"}

// interaction is something that a person did with the app, and waits for its answer. Guarded by s.mu.
type interaction struct {
	s         *Server
	id, token string
	typ       int
	guild     *Guild
	channel   *channel
	user      string
	message   *message // whose component was used
	created   time.Time
	answered  int      // the type of the answer; 0 is none yet
	original  *message // the answer, or the message that it updates
	followUps []*message
	modal     object
	opener    *interaction // that was answered with the modal
}

// open says whether the token still works.
func (i *interaction) open() bool { return i.s.opt.Now().Sub(i.created) < interactionLasts }

// answerForm is the answer to an interaction.
type answerForm struct {
	Type int             `json:"type"`
	Data json.RawMessage `json:"data"`
}

// answer takes the one answer, whichever way it comes.
func (i *interaction) answer(f answerForm) error {
	if i.answered != 0 {
		return refuse(40060)
	}
	if i.s.opt.Now().Sub(i.created) > firstAnswerIn {
		return refuse(10062)
	}
	if err := i.act(f); err != nil {
		return err
	}
	i.answered = f.Type
	return nil
}

func (i *interaction) act(f answerForm) error {
	if (f.Type == answerDeferredUpdate || f.Type == answerUpdate) && i.message == nil ||
		f.Type == answerModal && i.typ == interactionModal || f.Type == answerPong != (i.typ == interactionPing) {
		return invalid("type", "INTERACTION_TYPE_INVALID", "This answer is not for this interaction.")
	}
	switch f.Type {
	case answerPong:
		return nil
	case answerDeferredUpdate:
		i.original = i.message
		return nil
	case answerModal:
		return i.showModal(f.Data)
	}
	var in messageForm
	if len(f.Data) > 0 && string(f.Data) != "null" && json.Unmarshal(f.Data, &in) != nil {
		return invalid("data", "MODEL_TYPE_CONVERT", "Could not read the message.")
	}
	switch f.Type {
	case answerDeferred:
		i.original = i.say(draft{flags: deref(in.Flags)}, true)
		return nil
	case answerMessage:
		d, err := in.draft(i.s)
		if err != nil {
			return err
		}
		if d.empty() {
			return refuse(50006)
		}
		i.original = i.say(d, false)
		return nil
	case answerUpdate:
		i.original = i.message
		return i.update(i.message, in, f.Data)
	}
	return invalid("type", "BASE_TYPE_CHOICES", "Value is not a type of answers.")
}

// say posts as the app, by the interaction's leave; permissions of the bot do not matter.
func (i *interaction) say(d draft, loading bool) *message {
	m := &message{c: i.channel, author: i.s.app.BotUser, webhook: i.s.app.AppID, loading: loading, interaction: i.metadata()}
	if i.typ == interactionCommand {
		m.typ = 20
	}
	whisper := d.flags&ephemeralFlag != 0
	d.flags &= suppressEmbeds | componentsV2 | silentFlag
	m.apply(d)
	m.flags = d.flags
	if loading {
		m.flags |= loadingFlag
	}
	if whisper {
		m.flags |= ephemeralFlag
		m.whisperTo = i.user
		m.id, m.posted = i.s.snowflake(), i.s.opt.Now()
		i.channel.add(m)
		return m
	}
	i.channel.post(m)
	return m
}

// metadata is what a message tells of the interaction that it answers.
func (i *interaction) metadata() object {
	o := object{"id": i.id, "type": i.typ, "user": i.s.showUser(i.user), "authorizing_integration_owners": i.owners()}
	if i.typ == interactionComponent {
		o["interacted_message_id"] = i.message.id
	}
	if i.opener != nil {
		o["triggering_interaction_metadata"] = i.opener.metadata()
	}
	return o
}

// owners says for whom the app is installed: the guild, or the person.
func (i *interaction) owners() object {
	if i.guild != nil {
		return object{"0": i.guild.id}
	}
	return object{"1": i.user}
}

// update edits a message by what the form names.
func (i *interaction) update(m *message, in messageForm, raw []byte) error {
	var named object
	if len(raw) > 0 && json.Unmarshal(raw, &named) != nil {
		return refuse(50109)
	}
	if m.deleted {
		return refuse(10008)
	}
	if m.poll != nil {
		return refuse(520003)
	}
	if _, ok := named["flags"]; !ok {
		keep := m.flags & editableFlags
		in.Flags = &keep
	}
	d, err := in.draft(i.s)
	if err != nil {
		return err
	}
	for field, keep := range map[string]func(){"content": func() { d.content = m.content }, "embeds": func() { d.embeds = m.embeds },
		"components": func() { d.components = m.components }} {
		if _, ok := named[field]; !ok {
			keep()
		}
	}
	d.flags &= editableFlags
	if d.empty() {
		return refuse(50006)
	}
	if m.loading {
		m.loading = false
		m.flags &^= loadingFlag
	}
	m.edit(d)
	return nil
}

func (i *interaction) showModal(raw []byte) error {
	var f struct {
		CustomID   string            `json:"custom_id"`
		Title      string            `json:"title"`
		Components []json.RawMessage `json:"components"`
	}
	var whole object
	if json.Unmarshal(raw, &f) != nil || json.Unmarshal(raw, &whole) != nil {
		return invalid("data", "MODEL_TYPE_CONVERT", "Could not read the modal.")
	}
	switch {
	case f.CustomID == "" || len(f.CustomID) > 100:
		return badLength("data.custom_id", 1, 100)
	case f.Title == "" || len([]rune(f.Title)) > 45:
		return badLength("data.title", 1, 45)
	case len(f.Components) < 1 || len(f.Components) > 5:
		return badLength("data.components", 1, 5)
	}
	i.modal = whole
	return nil
}

// interaction finds by the token in the path; an expired one is unknown.
func (r *request) interaction() (*interaction, error) {
	r.call.Token = "interaction"
	i := r.s.hooks[r.vars["interaction_token"]]
	if i == nil || i.id != r.vars["interaction_id"] || !i.open() {
		return nil, refuse(10062)
	}
	r.call.User = r.s.app.BotUser
	return i, nil
}

// callback is the answer by request, instead of in the answer to the delivery.
func (r *request) callback() (any, error) {
	i, err := r.interaction()
	if err != nil {
		return nil, err
	}
	var f answerForm
	if err := r.into(&f); err != nil {
		return nil, err
	}
	if err := i.answer(f); err != nil {
		return nil, err
	}
	if r.call.Query.Get("with_response") != "true" {
		return nil, nil
	}
	about := object{"id": i.id, "type": i.typ, "channel_id": i.channel.id, "response_message_loading": f.Type == answerDeferred}
	if i.guild != nil {
		about["guild_id"] = i.guild.id
	}
	out := object{"interaction": about}
	if i.original != nil {
		about["response_message_id"], about["response_message_ephemeral"] = i.original.id, i.original.whisperTo != ""
		out["resource"] = object{"type": f.Type, "message": i.original.show(r.s.app.BotUser)}
	}
	return out, nil
}

// hook finds the interaction by the webhook's path: it has to be answered first.
func (r *request) hook() (*interaction, error) {
	r.call.Token = "interaction"
	if r.vars["webhook_id"] != r.s.app.AppID {
		return nil, refuse(10015)
	}
	i := r.s.hooks[r.vars["webhook_token"]]
	if i == nil || !i.open() {
		return nil, refuse(50027)
	}
	if i.answered == 0 {
		return nil, refuse(10015)
	}
	r.call.User = r.s.app.BotUser
	return i, nil
}

// followUp says something more. The first after a deferral takes the place of what is loading.
func (r *request) followUp() (any, error) {
	i, err := r.hook()
	if err != nil {
		return nil, err
	}
	var in messageForm
	if err := r.into(&in); err != nil {
		return nil, err
	}
	d, err := in.draft(r.s)
	if err != nil {
		return nil, err
	}
	if d.empty() {
		return nil, refuse(50006)
	}
	if m := i.original; m != nil && m.loading && !m.deleted {
		m.loading = false
		m.flags &^= loadingFlag
		d.flags &= editableFlags
		m.edit(d)
		return m.show(r.me()), nil
	}
	m := i.say(d, false)
	i.followUps = append(i.followUps, m)
	r.status = http.StatusOK
	return m.show(r.me()), nil
}

// hookMessage is the message of the path, "@original" being the answer itself.
func (r *request) hookMessage() (*interaction, *message, error) {
	i, err := r.hook()
	if err != nil {
		return nil, nil, err
	}
	m := i.original
	if id := r.vars["message_id"]; id != "@original" && (m == nil || m.id != id) {
		k := slices.IndexFunc(i.followUps, func(x *message) bool { return x.id == id })
		if k < 0 {
			return nil, nil, refuse(10008)
		}
		m = i.followUps[k]
	}
	if m == nil || m.deleted {
		return nil, nil, refuse(10008)
	}
	return i, m, nil
}

func (r *request) getFollowUp() (any, error) {
	_, m, err := r.hookMessage()
	if err != nil {
		return nil, err
	}
	return m.show(r.me()), nil
}

func (r *request) patchFollowUp() (any, error) {
	i, m, err := r.hookMessage()
	if err != nil {
		return nil, err
	}
	var in messageForm
	if err := r.into(&in); err != nil {
		return nil, err
	}
	if err := i.update(m, in, r.body); err != nil {
		return nil, err
	}
	return m.show(r.me()), nil
}

func (r *request) deleteFollowUp() (any, error) {
	_, m, err := r.hookMessage()
	if err != nil {
		return nil, err
	}
	m.delete()
	return nil, nil
}
