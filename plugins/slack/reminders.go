package slack

import (
	"context"
	"slices"
	"strings"
	"time"
)

// wake has Update called when there is something to do next.
func (b *ballotBox) wake(r *voteRun) {
	if b.Private && slices.ContainsFunc(b.Voters, func(u string) bool { return !b.Posts[ballotKey(u)].settled() }) {
		r.UpdateAt(r.Now())
		return
	}
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

func (b *ballotBox) remindAt(minutes int) time.Time {
	return b.ClosesAt.Add(-time.Duration(minutes) * time.Minute)
}

// Update sends ballots, posts a deleted message again, and reminds people. It is not called after the end.
func (b *ballotBox) Update(ctx context.Context, r *voteRun) error {
	if b.Private {
		if more, err := b.deliver(ctx, r); err != nil || more {
			if err == nil {
				b.wake(r)
			}
			return err
		}
	}
	if err := b.remind(ctx, r); err != nil {
		return err
	}
	if b.OnDeleted == repost {
		v := b.view(r)
		if err := b.stand(ctx, r, &v); err != nil {
			return err
		}
		if err := b.showMain(ctx, r, v); err != nil {
			return err
		}
	}
	b.wake(r)
	return nil
}

// remind sends the reminder that is due. Of several that are, because nobody ran for a while, the last is enough.
func (b *ballotBox) remind(ctx context.Context, r *voteRun) error {
	due := 0
	for _, m := range b.Remind {
		if !b.remindAt(m).After(r.Now()) && (due == 0 || m < due) {
			due = m
		}
	}
	if due == 0 {
		return nil
	}
	if r.Now().Before(b.ClosesAt) {
		if err := b.remindAll(ctx, r, due); err != nil {
			return err
		}
	}
	b.Remind = slices.DeleteFunc(b.Remind, func(m int) bool { return m >= due })
	return nil
}

func (b *ballotBox) remindAll(ctx context.Context, r *voteRun, minutes int) error {
	text := strings.NewReplacer("{title}", literal(r.Ask().Title), "{time}", slackDate(b.ClosesAt), "{url}", b.URL).Replace(r.Plugin.app.Texts.Reminder)
	text = strings.TrimSpace(text)
	key := "remind" + itoa(minutes)
	if len(b.Voters) == 0 {
		if b.TS == "" {
			return nil
		}
		_, err := b.postKeyed(ctx, r, key, b.Channel, args{"text": text, "thread_ts": b.TS})
		if final(err) {
			b.fail(r, key, "", err)
			return nil
		}
		return err
	}
	for _, user := range b.Voters {
		key := key + ":" + user
		if b.Posts[key].settled() {
			continue
		}
		// Who has voted already is part of what a hidden vote hides, so there everybody is reminded.
		if r.Ask().CountsVisible(false) {
			held, err := r.Held(ctx, user)
			if err != nil {
				return err
			}
			if len(held) > 0 {
				continue
			}
		}
		err := b.remindOne(ctx, r, key, user, text)
		if err != nil && !final(err) {
			return err
		}
		if err != nil {
			b.fail(r, key, user, err)
		}
	}
	return nil
}

func (b *ballotBox) remindOne(ctx context.Context, r *voteRun, key, user, text string) error {
	channel := first(b.Posts[key].Channel, b.Posts[ballotKey(user)].Channel)
	if channel == "" {
		var err error
		if channel, err = r.Plugin.open(ctx, []string{user}); err != nil {
			return err
		}
	}
	_, err := b.postKeyed(ctx, r, key, channel, args{"text": text, "unfurl_links": false})
	return err
}
