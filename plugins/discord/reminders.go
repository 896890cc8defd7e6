package discord

import (
	"context"
	"slices"
	"strings"
	"time"
)

// wake has Update called when the next reminder is due.
func (b *buttonVote) wake(r *voteRun) {
	var next time.Time
	for _, m := range b.Remind {
		if at := b.remindAt(m); next.IsZero() || at.Before(next) {
			next = at
		}
	}
	if !next.IsZero() {
		r.UpdateAt(next)
	}
}

func (b *buttonVote) remindAt(minutes int) time.Time {
	return b.ClosesAt.Add(-time.Duration(minutes) * time.Minute)
}

// Update sends the reminder that is due, in reply to the vote's message. Of several that are, because nobody ran for a while, the last is enough.
func (b *buttonVote) Update(ctx context.Context, r *voteRun) error {
	due := 0
	for _, m := range b.Remind {
		if !b.remindAt(m).After(r.Now()) && (due == 0 || m < due) {
			due = m
		}
	}
	if due > 0 && r.Now().Before(b.ClosesAt) && b.Post.Message != "" {
		if err := b.remind(ctx, r, due); err != nil {
			return err
		}
	}
	if due > 0 {
		b.Remind = slices.DeleteFunc(b.Remind, func(m int) bool { return m >= due })
	}
	b.wake(r)
	return nil
}

// remind posts one reminder, once. It names nobody: who has voted is not everybody's affair.
func (b *buttonVote) remind(ctx context.Context, r *voteRun, minutes int) error {
	says := strings.NewReplacer("{title}", line(r.Ask().Title), "{time}", shownTime(b.ClosesAt)).Replace(r.Plugin.app.Texts.Reminder)
	fields := map[string]any{
		"content": clip(says, maxContent), "allowed_mentions": noMentions, "message_reference": map[string]any{"message_id": b.Post.Message, "fail_if_not_exists": false},
	}
	key := itoa(minutes)
	if b.Reminders == nil {
		b.Reminders = map[string]*letter{}
	}
	if b.Reminders[key] == nil {
		b.Reminders[key] = &letter{} // in the state, which post keeps before Discord hears of it
	}
	err := post(ctx, r, b.Reminders[key], nonceOf(r.ID()+".remind"+key), b.Post.Channel, fields, "", func(m Post) bool { return m.Content == says })
	if final(err) {
		r.Plugin.Log.WarnContext(ctx, "a reminder cannot be posted", "process", r.ID(), "error", err)
		return nil
	}
	return err
}
