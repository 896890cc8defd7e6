package github

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// marker is what is written into a text so that it is found again by whoever lost GitHub's answer. Nobody sees it: it is a comment of HTML.
func marker(id string) string { return "<!-- gateway:" + id + " -->" }

// marked adds the marker to a text.
func marked(text, id string) string {
	if id == "" {
		return text
	}
	return text + "\n\n" + marker(id)
}

// maxSearched bounds how many pages are searched for what may have been written.
const maxSearched = 100

// errMore is inside the error where a list has more pages than are read. What was taken of it until then is all that is had of it.
var errMore = errors.New("there is more than is read")

// pages reads a list page by page, a hundred at a time, until take says that it has seen enough.
func (c *client) pages(ctx context.Context, path string, query url.Values, limit int, take func(page []json.RawMessage) (enough bool, err error)) error {
	q := url.Values{"per_page": {"100"}}
	for k, v := range query {
		q[k] = v
	}
	for n := 1; ; n++ {
		a, err := c.do(ctx, request{method: http.MethodGet, path: path, query: q})
		if err != nil {
			return err
		}
		var page []json.RawMessage
		if err := json.Unmarshal(a.body, &page); err != nil {
			return gateway.Errorf(gateway.Unavailable, "github: GET %s: decoding the answer: %w", path, err)
		}
		enough, err := take(page)
		next := a.next()
		if err != nil || enough || next == "" {
			return err
		}
		if n >= limit {
			return gateway.Errorf(gateway.Unavailable, "github: GET %s: after %d pages: %w", path, limit, errMore)
		}
		if q, err = turned(next, q); err != nil {
			return err
		}
	}
}

// turned takes from the next page's address its query alone: the address itself is GitHub's to say, but not where our token goes.
func turned(next string, before url.Values) (url.Values, error) {
	u, err := url.Parse(next)
	if err != nil || u.RawQuery == "" || u.Query().Encode() == before.Encode() {
		return nil, gateway.Errorf(gateway.Unavailable, "github: the next page has no address")
	}
	return u.Query(), nil
}

// each decodes the entries of a list.
func each[T any](ctx context.Context, c *client, path string, query url.Values, limit int, fn func(T) (enough bool, err error)) error {
	return c.pages(ctx, path, query, limit, func(page []json.RawMessage) (bool, error) {
		for _, raw := range page {
			var one T
			if err := json.Unmarshal(raw, &one); err != nil {
				return false, gateway.Errorf(gateway.Unavailable, "github: GET %s: decoding an entry: %w", path, err)
			}
			if enough, err := fn(one); err != nil || enough {
				return true, err
			}
		}
		return false, nil
	})
}

// CreateIssue is the input of create-issue.
type CreateIssue struct {
	Repo
	Title     string   `json:"title" jsonschema:"minLength=1,maxLength=256" jsonschema_description:"The title."`
	Body      string   `json:"body,omitempty" jsonschema:"maxLength=60000" jsonschema_description:"The text, in GitHub's Markdown."`
	Labels    []string `json:"labels,omitempty" jsonschema:"maxItems=100" jsonschema_description:"Labels to put on it."`
	Assignees []string `json:"assignees,omitempty" jsonschema:"maxItems=10" jsonschema_description:"The logins of those to whom it is assigned."`
}

// Issue is the answer of create-issue.
type Issue struct {
	Number int    `json:"issue_number" jsonschema_description:"The issue's number."`
	ID     int64  `json:"id" jsonschema_description:"The issue's ID."`
	URL    string `json:"url" jsonschema_description:"The issue's address."`
}

func (g *GitHub) createIssue(ctx context.Context, in CreateIssue) (Issue, error) {
	repo, err := g.repo(ctx, in.Repo)
	if err != nil {
		return Issue{}, err
	}
	made, err := g.openIssue(ctx, repo, newIssue{in.Title, marked(in.Body, gateway.CallOf(ctx).ID()), in.Labels, in.Assignees})
	return Issue{made.Number, made.ID, made.URL}, err
}

// newIssue is what is sent to open an issue.
type newIssue struct {
	Title     string   `json:"title"`
	Body      string   `json:"body"`
	Labels    []string `json:"labels,omitempty"`
	Assignees []string `json:"assignees,omitempty"`
}

// echoes names what GitHub will tell of it: also each label and assignment of a new issue has a delivery of its own. at is the repository as long
// as the issue has no number.
func (n newIssue) echoes(at string) []string {
	out := []string{ref("issues", "opened", at)}
	for _, l := range n.Labels {
		out = append(out, ref("labels", "labeled", at, l))
	}
	if len(n.Assignees) > 0 {
		out = append(out, ref("thread", "assigned", at))
	}
	return out
}

// openIssue posts an issue, and has the deliveries of it known as ours.
func (g *GitHub) openIssue(ctx context.Context, repo string, n newIssue) (issue, error) {
	call := gateway.CallOf(ctx)
	if err := call.Expect(ctx, g.echoesAs(ctx, n.echoes(repo))...); err != nil {
		return issue{}, err
	}
	var made issue
	if err := g.client(ctx).json(ctx, request{method: http.MethodPost, path: "/repos/" + repo + "/issues", body: n}, &made); err != nil {
		return issue{}, err
	}
	if made.Number == 0 {
		return issue{}, gateway.Errorf(gateway.Unknown, "github: POST /repos/%s/issues: the answer names no issue", repo)
	}
	call.Caused(g.echoesAs(ctx, n.echoes(issueRef(repo, made.Number)))...)
	return made, nil
}

// changedFrom is a time of ours as GitHub takes it to list what was changed since. Its clock may be behind ours.
func (g *GitHub) changedFrom(t time.Time) string {
	return t.Add(min(g.app.clock.get(), 0) - time.Minute).UTC().Format(time.RFC3339)
}

// issueWith looks for an issue that carries a marker, among those that were made since then by whoever would have. The deliveries of the one that it finds are ours.
func (g *GitHub) issueWith(ctx context.Context, repo, id string, since time.Time, n newIssue) (found issue, ok bool, err error) {
	q := url.Values{"state": {"all"}, "creator": {g.author(ctx)}, "since": {g.changedFrom(since)}}
	err = each(ctx, g.client(ctx), "/repos/"+repo+"/issues", q, maxSearched, func(i issue) (bool, error) {
		if strings.Contains(i.Body, marker(id)) && i.User != nil && strings.EqualFold(i.User.Login, g.author(ctx)) {
			found, ok = i, true
		}
		return ok, nil
	})
	if ok {
		gateway.CallOf(ctx).Caused(g.echoesAs(ctx, n.echoes(issueRef(repo, found.Number)))...)
	}
	return found, ok, err
}

func (g *GitHub) findIssue(ctx context.Context, in CreateIssue) (Issue, gateway.Found, error) {
	repo, err := g.repo(ctx, in.Repo)
	if err != nil {
		return Issue{}, gateway.CannotTell, err
	}
	call := gateway.CallOf(ctx)
	i, ok, err := g.issueWith(ctx, repo, call.ID(), call.Started(), newIssue{Labels: in.Labels, Assignees: in.Assignees})
	if err != nil || !ok {
		return Issue{}, missing(err), err
	}
	return Issue{i.Number, i.ID, i.URL}, gateway.Happened, nil
}

// missing is what a look-up says that found nothing.
func missing(err error) gateway.Found {
	if err != nil {
		return gateway.CannotTell
	}
	return gateway.DidNot
}

// Comment is the input of comment.
type Comment struct {
	Thread
	Body string `json:"body" jsonschema:"minLength=1,maxLength=60000" jsonschema_description:"The text, in GitHub's Markdown."`
}

// Commented is its answer.
type Commented struct {
	ID  int64  `json:"comment_id" jsonschema_description:"The comment's ID."`
	URL string `json:"url" jsonschema_description:"The comment's address."`
}

func (g *GitHub) comment(ctx context.Context, in Comment) (Commented, error) {
	repo, err := g.repo(ctx, in.Repo)
	if err != nil {
		return Commented{}, err
	}
	c, err := g.say(ctx, repo, in.Number, marked(in.Body, gateway.CallOf(ctx).ID()))
	return Commented{c.ID, c.URL}, err
}

// say comments, and has the delivery of it known as ours.
func (g *GitHub) say(ctx context.Context, repo string, number int, text string) (comment, error) {
	call := gateway.CallOf(ctx)
	if err := call.Expect(ctx, g.echoesAs(ctx, []string{ref("issue_comment", "created", issueRef(repo, number))})...); err != nil {
		return comment{}, err
	}
	var made comment
	if err := g.client(ctx).json(ctx, request{method: http.MethodPost, path: issuePath(repo, number) + "/comments", body: map[string]any{"body": text}}, &made); err != nil {
		return comment{}, err
	}
	if made.ID == 0 {
		return comment{}, gateway.Errorf(gateway.Unknown, "github: POST %s/comments: the answer names no comment", issuePath(repo, number))
	}
	call.Caused(g.echoesAs(ctx, []string{ref("issue_comment", "created", repo, strconv.FormatInt(made.ID, 10))})...)
	return made, nil
}

// commentWith looks for a comment that carries a marker.
func (g *GitHub) commentWith(ctx context.Context, repo string, number int, id string, since time.Time) (found comment, ok bool, err error) {
	q := url.Values{"since": {g.changedFrom(since)}}
	err = each(ctx, g.client(ctx), issuePath(repo, number)+"/comments", q, maxSearched, func(c comment) (bool, error) {
		if strings.Contains(c.Body, marker(id)) && c.User != nil && strings.EqualFold(c.User.Login, g.author(ctx)) {
			found, ok = c, true
		}
		return ok, nil
	})
	return found, ok, err
}

func (g *GitHub) findComment(ctx context.Context, in Comment) (Commented, gateway.Found, error) {
	repo, err := g.repo(ctx, in.Repo)
	if err != nil {
		return Commented{}, gateway.CannotTell, err
	}
	call := gateway.CallOf(ctx)
	c, ok, err := g.commentWith(ctx, repo, in.Number, call.ID(), call.Started())
	if err != nil || !ok {
		return Commented{}, missing(err), err
	}
	call.Caused(g.echoesAs(ctx, []string{ref("issue_comment", "created", repo, strconv.FormatInt(c.ID, 10))})...)
	return Commented{c.ID, c.URL}, gateway.Happened, nil
}
