package github

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

func pullPath(repo string, number int) string {
	return "/repos/" + repo + "/pulls/" + strconv.Itoa(number)
}

// Merge is the input of merge.
type Merge struct {
	Pull
	Method  string `json:"merge_method,omitempty" jsonschema:"enum=merge,enum=squash,enum=rebase" jsonschema_description:"How. Absent: as GitHub does by itself, with a merge commit."`
	SHA     string `json:"sha,omitempty" jsonschema:"pattern=^[0-9a-f]{40}$" jsonschema_description:"What the head of the pull request has to be. Where people decided on certain changes, give it: other changes are not merged then."`
	Title   string `json:"commit_title,omitempty" jsonschema:"maxLength=256" jsonschema_description:"The first line of the commit's message."`
	Message string `json:"commit_message,omitempty" jsonschema:"maxLength=60000" jsonschema_description:"The rest of it."`
}

// Merged is its answer.
type Merged struct {
	SHA string `json:"sha" jsonschema_description:"The commit that came of it."`
}

func (g *GitHub) merge(ctx context.Context, in Merge) (Merged, error) {
	repo, err := g.repo(ctx, in.Repo)
	if err != nil {
		return Merged{}, err
	}
	body := map[string]any{}
	for k, v := range map[string]string{"merge_method": in.Method, "sha": in.SHA, "commit_title": in.Title, "commit_message": in.Message} {
		if v != "" {
			body[k] = v
		}
	}
	var out Merged
	_, err = g.perform(ctx, act{
		request: request{method: http.MethodPut, path: pullPath(repo, in.Number) + "/merge", body: body},
		echoes:  []string{ref("thread", "closed", issueRef(repo, in.Number))},
	}, &out)
	return out, err
}

// findMerged looks whether it is merged. It says so too where somebody else did it: what was asked for is so then.
func (g *GitHub) findMerged(ctx context.Context, in Merge) (Merged, gateway.Found, error) {
	repo, err := g.repo(ctx, in.Repo)
	if err != nil {
		return Merged{}, gateway.CannotTell, err
	}
	var pull struct {
		Merged bool   `json:"merged"`
		SHA    string `json:"merge_commit_sha"`
	}
	if err := g.client(ctx).json(ctx, request{method: http.MethodGet, path: pullPath(repo, in.Number)}, &pull); err != nil || !pull.Merged {
		return Merged{}, missing(err), err
	}
	gateway.CallOf(ctx).Caused(g.echoesAs(ctx, []string{ref("thread", "closed", issueRef(repo, in.Number))})...)
	return Merged{pull.SHA}, gateway.Happened, nil
}

// Review is the input of review.
type Review struct {
	Pull
	Event    string `json:"event" jsonschema:"enum=APPROVE,enum=REQUEST_CHANGES,enum=COMMENT" jsonschema_description:"What the review says."`
	Body     string `json:"body,omitempty" jsonschema:"maxLength=60000" jsonschema_description:"The text, in GitHub's Markdown. All but an approval need one."`
	CommitID string `json:"commit_id,omitempty" jsonschema:"pattern=^[0-9a-f]{40}$" jsonschema_description:"The commit that is reviewed. Absent: the newest."`
}

// Reviewed is its answer.
type Reviewed struct {
	ID  int64  `json:"review_id" jsonschema_description:"The review's ID."`
	URL string `json:"url,omitempty" jsonschema_description:"The review's address."`
}

type reviewMade struct {
	ID   int64    `json:"id"`
	URL  string   `json:"html_url"`
	Body string   `json:"body"`
	User *account `json:"user"`
}

func (g *GitHub) review(ctx context.Context, in Review) (Reviewed, error) {
	repo, err := g.repo(ctx, in.Repo)
	if err != nil {
		return Reviewed{}, err
	}
	if in.Event != "APPROVE" && in.Body == "" {
		return Reviewed{}, gateway.Errorf(gateway.Invalid, "give body: GitHub takes only an approval without words")
	}
	body := map[string]any{"event": in.Event, "body": marked(in.Body, gateway.CallOf(ctx).ID())}
	if in.CommitID != "" {
		body["commit_id"] = in.CommitID
	}
	var made reviewMade
	_, err = g.perform(ctx, act{
		request: request{method: http.MethodPost, path: pullPath(repo, in.Number) + "/reviews", body: body},
		echoes:  []string{ref("pull_request_review", "submitted", issueRef(repo, in.Number))},
	}, &made)
	return Reviewed{made.ID, made.URL}, err
}

func (g *GitHub) findReview(ctx context.Context, in Review) (Reviewed, gateway.Found, error) {
	repo, err := g.repo(ctx, in.Repo)
	if err != nil {
		return Reviewed{}, gateway.CannotTell, err
	}
	var found reviewMade
	err = each(ctx, g.client(ctx), pullPath(repo, in.Number)+"/reviews", url.Values{}, maxSearched, func(r reviewMade) (bool, error) {
		if strings.Contains(r.Body, marker(gateway.CallOf(ctx).ID())) && r.User != nil && strings.EqualFold(r.User.Login, g.author(ctx)) {
			found = r
		}
		return found.ID != 0, nil
	})
	if err != nil || found.ID == 0 {
		return Reviewed{}, missing(err), err
	}
	gateway.CallOf(ctx).Caused(g.echoesAs(ctx, []string{ref("pull_request_review", "submitted", issueRef(repo, in.Number))})...)
	return Reviewed{found.ID, found.URL}, gateway.Happened, nil
}
