package github

import (
	"context"
	"net/http"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/vote"
)

// settles is how long an issue may be unknown to GitHub after it was opened there: not all of its machines hear of it at once.
const settles = 30 * time.Second

// heard takes what happened to the issue itself: it is deleted or moved away, or closed, which the next look makes sense of.
func (b *box) heard(r *voteRun, m *message) {
	if r.Ended() || m.event != "issues" || m.body.Issue == nil || b.IssueID != 0 && m.body.Issue.ID != b.IssueID {
		return
	}
	switch m.action {
	case "deleted", "transferred":
		r.CloseNow(vote.Closing{By: vote.ByDeletion, User: m.by(), At: r.Now()})
	case "closed":
		r.UpdateAt(r.Now())
	}
}

// looked is what the issue itself says.
type looked struct {
	there     bool   // it is still the vote's
	closer    string // who has closed it, and with it the vote; "" where nobody has who may
	comments  int    // how many there are
	reactions int
}

// look asks whether the issue is still the vote's: one that was deleted or has moved to another repository ends it.
func (b *box) look(ctx context.Context, r *voteRun) (l looked, err error) {
	var i struct {
		issue
		ClosedBy   *account `json:"closed_by"`
		Repository string   `json:"repository_url"`
		Comments   int      `json:"comments"`
		Reactions  struct {
			Total int `json:"total_count"`
		} `json:"reactions"`
	}
	err = r.Plugin.own().json(ctx, request{method: http.MethodGet, path: issuePath(b.Repo, b.Number)}, &i)
	switch {
	case err == nil && i.ID == b.IssueID:
		if ours, err := b.ours(ctx, r, i.Repository); err != nil || !ours {
			return looked{}, err
		}
		b.follow(r, i.Repository, i.URL)
		l = looked{there: true, comments: i.Comments, reactions: i.Reactions.Total}
		if i.State != "closed" || i.ClosedBy == nil {
			return l, nil
		}
		may, err := r.MayClose(ctx, i.ClosedBy.Login)
		if may {
			l.closer = i.ClosedBy.Login
		}
		return l, err
	case refusedWith(err, http.StatusNotFound) && r.Now().Before(b.Since.Add(settles)): // 410 is of what was there
		return looked{}, gateway.Errorf(gateway.Unavailable, "the issue cannot be seen yet: %w", err)
	case err == nil || gateway.CodeOf(err) == gateway.NotFound:
		r.CloseNow(vote.Closing{By: vote.ByDeletion, At: r.Now()})
		return looked{}, nil
	}
	return looked{}, err
}

// ours says whether the issue's repository still belongs to the account that the app is installed for. Who has been given it could make of the vote what
// they like, and the app may do nothing there: the vote ends.
func (b *box) ours(ctx context.Context, r *voteRun, repository string) (bool, error) {
	name, ok := strings.CutPrefix(repository, apiURL)
	if !ok || within(r.Plugin.config.Account, name) {
		return true, nil
	}
	i, err := r.Plugin.getInstallation(ctx, struct{}{}) // the account may have another name now
	if err != nil || within(i.Account, name) {
		return err == nil, err
	}
	r.CloseNow(vote.Closing{By: vote.ByDeletion, At: r.Now()})
	return false, nil
}

// follow takes over the name that the issue's repository has now: deliveries have it.
func (b *box) follow(r *voteRun, repository, page string) {
	name, ok := strings.CutPrefix(repository, apiURL+"/repos/")
	if !ok || !repoRE.MatchString(name) || strings.EqualFold(name, b.Repo) {
		return
	}
	b.Repo, b.URL = name, page
	r.Ref(issueRef(b.Repo, b.Number))
	r.SetURL(b.URL)
}
