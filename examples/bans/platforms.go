package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/discord"
	"github.com/metagov/gateway-go/plugins/discourse"
	"github.com/metagov/gateway-go/plugins/github"
)

// offences are the events that tell of one.
var offences = []string{"GUILD_BAN_ADD", "user_suspended", "org_block blocked"}

// offence is a ban as every platform has it.
type offence struct {
	Account gateway.AccountRef `json:"account"` // whose
	By      string             `json:"by"`      // the account that did it
	Reason  string             `json:"reason,omitempty"`
}

// offenceOf reads a platform's event.
func offenceOf(e gateway.Event) (offence, bool) {
	var d struct {
		User struct {
			ID json.RawMessage `json:"id"`
		} `json:"user"`
		Entry struct {
			Reason string `json:"reason"`
		} `json:"audit_log_entry"` // of Discord
		Suspension struct {
			Reason string `json:"reason"`
		} `json:"suspension"` // of Discourse
		Blocked struct {
			Login string `json:"login"`
		} `json:"blocked_user"` // of GitHub
	}
	if !slices.Contains(offences, e.Type) || json.Unmarshal(e.Data, &d) != nil {
		return offence{}, false
	}
	o := offence{Account: gateway.AccountRef{Plugin: e.Plugin}, By: e.Initiator, Reason: cmp.Or(d.Entry.Reason, d.Suspension.Reason)}
	o.Account.UserID = d.Blocked.Login
	if o.Account.UserID == "" {
		o.Account.UserID = unquote(d.User.ID)
	}
	return o, o.Account.UserID != ""
}

// unquote reads an ID that is text or a number.
func unquote(id json.RawMessage) string {
	var text string
	if json.Unmarshal(id, &text) != nil {
		return string(id)
	}
	return text
}

// ban bans an account, and says what came of it. An error is for what may still work.
func ban(ctx context.Context, c *gateway.Community, k *record, a gateway.AccountRef) (string, error) {
	inst, err := active(ctx, c, a.Plugin)
	if err != nil {
		return verdictOf(err)
	}
	switch a.Plugin {
	case "discord":
		_, err = inst.Do(ctx, "ban-member", discord.BanUser{User: a.UserID, Reasoned: discord.Reasoned{Reason: k.why()}}, k.act("ban", a))
	case "discourse":
		return suspend(ctx, c, inst, k, a)
	case "github":
		err = block(ctx, inst, k, a)
	default:
		return "left alone: nobody can be banned there", nil
	}
	return verdictOf(err)
}

// active finds a platform's instance. One that is paused is not there now, and may be later.
func active(ctx context.Context, c *gateway.Community, plugin string) (*gateway.Instance, error) {
	inst, err := c.Instance(ctx, plugin)
	if err != nil {
		return nil, err
	}
	status, reason, err := inst.Status(ctx)
	if err == nil && status != "active" {
		err = gateway.Errorf(gateway.Unavailable, "%s is %s: %s", plugin, status, reason)
	}
	return inst, err
}

// verdictOf says what came of a ban. What the platform refuses is recorded, as it would refuse it again.
func verdictOf(err error) (string, error) {
	switch gateway.CodeOf(err) {
	case "":
		return "banned", nil
	case gateway.Invalid, gateway.Denied, gateway.NotFound, gateway.Conflict:
		return "not banned: " + err.Error(), nil
	}
	return "", err
}

// suspend suspends an account of the forum, but not the forum's own, and nobody's of its staff: about those it has rules of its own.
func suspend(ctx context.Context, c *gateway.Community, inst *gateway.Instance, k *record, a gateway.AccountRef) (string, error) {
	who := discourse.Person{UserID: a.UserID}
	u, err := gateway.Do[discourse.Account](ctx, inst, "get-user", who)
	switch {
	case err != nil:
		return verdictOf(err)
	case u.Admin || u.Moderator || strings.HasPrefix(u.UserID, "-"):
		return "not banned: it belongs to the forum's staff", nil
	case u.Suspended && !strings.HasPrefix(u.SuspendReason, k.why()): // ours where the answer was lost
		if u.SuspendedTill != nil && u.SuspendedTill.Before(c.Now().AddDate(10, 0, 0)) {
			return "not banned: it is suspended already, until " + u.SuspendedTill.Format(time.DateOnly), nil
		}
		return "banned already", nil
	}
	_, err = inst.Do(ctx, "suspend", discourse.Suspend{Person: who, Reason: k.why()}, k.act("ban", a))
	return verdictOf(err)
}

// block takes somebody out of the organisation and blocks them. GitHub blocks nobody who is a member.
func block(ctx context.Context, inst *gateway.Instance, k *record, a gateway.AccountRef) error {
	who := github.Person{Username: a.UserID}
	member, err := gateway.Do[github.IsMember](ctx, inst, "is-member", who)
	if err != nil {
		return err
	}
	if member.Member {
		if _, err := inst.Do(ctx, "remove-member", who, k.act("remove", a)); err != nil {
			return err
		}
	}
	_, err = inst.Do(ctx, "block", who, k.act("ban", a))
	return err
}

// tell tells the person by the first platform that takes a message for them, and says by which.
func (p *policy) tell(ctx context.Context, c *gateway.Community, k *record) (string, error) {
	text := fmt.Sprintf("You were banned on %s: %s.\n", k.Offence.Account.Plugin, orNone(k.Offence.Reason))
	accounts := []gateway.AccountRef{k.Offence.Account}
	for _, v := range k.Verdicts {
		if v.Strength < gateway.Verified && v.Result != "banned" {
			continue // it may be somebody else's, who has no business with this
		}
		text += fmt.Sprintf("%s, account %s: %s.\n", v.Account.Plugin, v.Account.UserID, v.Result)
		accounts = append(accounts, v.Account)
	}
	text += "You can appeal: " + p.appeal
	for _, a := range accounts {
		sent, err := write(ctx, c, k, a, text)
		switch gateway.CodeOf(err) {
		case "":
			if sent {
				return a.Plugin, nil
			}
		case gateway.Invalid, gateway.Denied, gateway.NotFound, gateway.Conflict: // not by this way
		default:
			return "", err
		}
	}
	return "nobody", nil
}

// write writes to an account, where its platform has messages to people.
func write(ctx context.Context, c *gateway.Community, k *record, a gateway.AccountRef, text string) (bool, error) {
	inst, err := active(ctx, c, a.Plugin)
	if errors.Is(err, gateway.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	switch a.Plugin {
	case "discord":
		_, err = inst.Do(ctx, "post-message", discord.Message{User: a.UserID, Content: text}, k.act("tell", a))
	case "discourse":
		_, err = inst.Do(ctx, "create-message", discourse.CreateMessage{Title: "You were banned", Raw: text, UserIDs: []string{a.UserID}}, k.act("tell", a))
	default:
		return false, nil
	}
	return err == nil, err
}
