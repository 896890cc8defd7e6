package github

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/vote"
)

type voteRun = gateway.Run[*GitHub, vote.Outcome]

// votes are the processes.
func votes() []gateway.Feature[*GitHub] {
	return []gateway.Feature[*GitHub]{
		gateway.ProcessFunc("issue-react-vote", "Opens an issue on which people vote with reactions. GitHub tells nobody of reactions, so they are read again and again, and once more at the end.",
			(*reactBox).Start, gateway.Can(canReact), gateway.Least(30*time.Second), gateway.Needs(writeIssues)),
		gateway.ProcessFunc("issue-comment-vote", "Opens an issue on which people vote with comments, by a line such as /vote yes. All comments are read once more at the end.",
			(*commentBox).Start, gateway.Can(canComment), gateway.Least(commentLeast), gateway.Needs(writeIssues)),
	}
}

// canReact is what reactions can carry: there are eight of them, in public, and nobody can be told that a vote was not counted.
var canReact = vote.Can{
	PollTypes: []vote.PollType{vote.Boolean, vote.Choice, vote.Multiple, vote.Approval, vote.Consent}, Secrecy: []vote.Secrecy{vote.Public},
	MaxOptions: len(reactions), MaxTitle: maxTitle, AnyMinChoice: true, AnyMaxChoice: true,
	Eligibility: true, Weights: true, CloseByPeople: true, ClosingAt: true, Live: true, Early: true,
}

// canComment is what comments can carry.
var canComment = vote.Can{
	PollTypes: []vote.PollType{vote.Boolean, vote.Choice, vote.Multiple, vote.Approval, vote.Consent}, Secrecy: []vote.Secrecy{vote.Public},
	MaxTitle: maxTitle, AnyMinChoice: true, AnyMaxChoice: true,
	Eligibility: true, Weights: true, CloseByPeople: true, ClosingAt: true, Live: true, Early: true,
}

const (
	// maxTitle is the longest title of an issue in characters.
	maxTitle = 256
	// maxPages bounds how much of an issue is read: 100,000 reactions or comments.
	maxPages = 1000
	// commentLeast is how often at most all comments are read.
	commentLeast = time.Minute
)

// Place is what both votes take beside the voting standard's.
type Place struct {
	Repository string   `json:"repo_name,omitempty" choices:"repositories" jsonschema:"pattern=^([A-Za-z0-9._-]+/)?[A-Za-z0-9._-]+$,maxLength=140" jsonschema_description:"The repository to open the issue in. Absent: the one of the configuration."`
	MaxVotes   int64    `json:"max_votes,omitempty" jsonschema:"minimum=0,maximum=100000" jsonschema_description:"After so many people have voted the vote closes. 0: it does not."`
	Labels     []string `json:"labels,omitempty" jsonschema:"maxItems=20" jsonschema_description:"Labels to put on the issue."`
}

// ReactVote is the input of issue-react-vote.
type ReactVote struct {
	vote.Ask
	Place
	Reactions []string `json:"reactions,omitempty" jsonschema:"maxItems=8,uniqueItems=true" jsonschema_description:"Which reaction stands for each choice, in their order: +1, -1, laugh, hooray, confused, heart, rocket, eyes. Absent: in this order; for consent +1, eyes and -1."`
}

// CommentVote is the input of issue-comment-vote.
type CommentVote struct {
	vote.Ask
	Place
}

// box is the durable state of a vote.
type box struct {
	Repo     string    `json:"repo,omitempty" jsonschema_description:"The repository, as owner/name."`
	Number   int       `json:"number,omitempty" jsonschema_description:"The issue's number."`
	IssueID  int64     `json:"issue_id,omitempty" jsonschema_description:"The issue's ID."`
	URL      string    `json:"url,omitempty" jsonschema_description:"The issue's address."`
	Sent     bool      `json:"sent,omitempty" jsonschema_description:"GitHub may have the issue."`
	Since    time.Time `json:"since,omitzero" jsonschema_description:"When it was first tried."`
	ClosesAt time.Time `json:"closes_at,omitzero" jsonschema_description:"When the vote closes by itself."`
	MaxVotes int64     `json:"max_votes,omitempty" jsonschema_description:"How many voters close it."`
	Saying   bool      `json:"saying,omitempty" jsonschema_description:"GitHub may have the result."`
	Said     bool      `json:"said,omitempty" jsonschema_description:"The result stands under the issue."`
}

// begin opens the issue, once however often it is tried.
func (b *box) begin(ctx context.Context, r *voteRun, in Place, how string) error {
	g := r.Plugin
	repo, err := g.repo(ctx, Repo{in.Repository})
	if err != nil {
		return err
	}
	ask := r.Ask()
	b.Repo, b.MaxVotes = repo, in.MaxVotes
	if ask.ClosingAt != nil {
		b.ClosesAt = *ask.ClosingAt
	}
	made, err := b.open(ctx, r, newIssue{Title: ask.Title, Body: marked(text(ask, how), r.ID()), Labels: in.Labels})
	if err != nil {
		return err
	}
	b.Number, b.IssueID, b.URL = made.Number, made.ID, made.URL
	r.Ref(issueRef(b.Repo, b.Number))
	r.SetURL(b.URL)
	return nil
}

// open posts the issue. What is known of it is durable before GitHub hears of it, and it carries the process's ID, so that the next attempt finds it.
func (b *box) open(ctx context.Context, r *voteRun, n newIssue) (issue, error) {
	g := r.Plugin
	if b.Sent {
		made, ok, err := g.issueWith(ctx, b.Repo, r.ID(), b.Since, n)
		if err != nil || ok {
			return made, err
		}
	} else {
		b.Sent, b.Since = true, r.Now()
		if err := r.Save(ctx); err != nil {
			return issue{}, err
		}
	}
	made, err := g.openIssue(ctx, b.Repo, n)
	switch gateway.CodeOf(err) {
	case gateway.Unknown:
		if found, ok, e := g.issueWith(ctx, b.Repo, r.ID(), b.Since, n); e == nil && ok {
			return found, nil
		}
		return issue{}, gateway.Errorf(gateway.Unavailable, "the issue may have been opened, and is looked for again: %w", err)
	default:
		return made, err
	}
}

// text is what stands in the issue. How to vote comes first: the details may be anybody's words, and what comes after them they could hide, by the beginning
// of a comment of HTML for example.
func text(ask *vote.Ask, how string) string {
	if ask.ClosingAt != nil {
		how += fmt.Sprintf("\n\nThe vote closes at %s.", ask.ClosingAt.UTC().Format("2006-01-02 15:04 UTC"))
	}
	if ask.Details != "" {
		how += "\n\n---\n\n" + ask.Details
	}
	return how
}

// settle makes the ballots what people say now. Voters that are left alone keep what they have. closer has closed the vote. What was taken back
// goes first: of somebody with two accounts what the other one says counts then. began is when reading did.
func (b *box) settle(ctx context.Context, r *voteRun, says map[string]stand, leave map[string]bool, began time.Time, closer string) error {
	if err := b.withdraw(ctx, r, says, leave, began); err != nil {
		return err
	}
	for voter, s := range says {
		if err := b.cast(ctx, r, voter, s, began); err != nil {
			return err
		}
	}
	if closer != "" {
		r.CloseNow(vote.Closing{By: vote.ByPerson, User: closer, At: r.Now()})
		return nil
	}
	return b.full(ctx, r)
}

// cast records what one voter says, if that is not what is known already. began is when all began to be read: then it is what they say now, though it be
// older than what is known, for they took that back; but what came meanwhile stands, for it may be on no page. The zero time: it is one word of theirs,
// and by itself an older one does not count.
func (b *box) cast(ctx context.Context, r *voteRun, voter string, s stand, began time.Time) error {
	whole := !began.IsZero()
	held, err := r.Held(ctx, voter)
	if err != nil {
		return err
	}
	nobody := len(held) == 0
	held = ownOf(held, voter)
	known, at := chosen(r.Ask(), held)
	if slices.Equal(known, s.choices) {
		return nil
	}
	if whole && len(held) > 0 && !at.Before(s.at) && !at.Before(began.Truncate(time.Second)) { // GitHub's times have no more than seconds
		return nil
	}
	ballot := gateway.Ballot{Voter: voter, Choices: s.choices, At: s.at}
	switch {
	case len(s.choices) == 0 && s.at.IsZero(): // they say nothing any more: since right after what they had said, so that another account's word is later
		ballot.At = b.within(at.Add(time.Microsecond))
	case whole && len(held) > 0 && !at.Before(s.at): // they took back what they had said since
		ballot.At = b.within(later(r.Now(), at))
	}
	receipt, err := r.Cast(ctx, ballot)
	if whole && err == nil && receipt.Stale && nobody { // what counts less than this is that they had taken their vote back
		ballot.At = b.within(r.Now())
		_, err = r.Cast(ctx, ballot)
	}
	var refused *vote.Refused
	if errors.As(err, &refused) && (refused.Code == vote.TooMany || refused.Code == vote.TooFew) {
		ballot.Choices = nil // what they say is no vote, and what they said before is not what they say
		_, err = r.Cast(ctx, ballot)
	}
	if err != nil && !errors.As(err, &refused) && gateway.CodeOf(err) != gateway.Conflict {
		return err
	}
	return nil
}

// ownOf leaves what an account says itself: what another one of theirs says, it says for itself.
func ownOf(held []vote.Ballot, voter string) []vote.Ballot {
	return slices.DeleteFunc(held, func(h vote.Ballot) bool { return h.Voter != voter })
}

func later(a, b time.Time) time.Time {
	if b.Before(a) {
		return a
	}
	return b.Add(time.Microsecond)
}

// within is a time at which a ballot counts.
func (b *box) within(t time.Time) time.Time {
	if !b.ClosesAt.IsZero() && t.After(b.ClosesAt) {
		return b.ClosesAt
	}
	return t
}

// listed is how many ballots are read at once.
const listed = 500

// loginRE is how accounts of GitHub stand in ballots. Others are those of a driver's own ballot box.
var loginRE = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// withdraw takes back the ballots of those who say nothing any more.
func (b *box) withdraw(ctx context.Context, r *voteRun, says map[string]stand, leave map[string]bool, began time.Time) error {
	var silent []string
	var voter, question string
	for {
		page, err := r.Ballots(ctx, voter, question, listed)
		if err != nil {
			return err
		}
		for _, x := range page {
			if _, ok := says[x.Voter]; !ok && !leave[x.Voter] && loginRE.MatchString(x.Voter) && (len(silent) == 0 || silent[len(silent)-1] != x.Voter) {
				silent = append(silent, x.Voter)
			}
			voter, question = x.Voter, x.Question
		}
		if len(page) < listed {
			break
		}
	}
	for _, v := range silent {
		if err := b.cast(ctx, r, v, stand{}, began); err != nil {
			return err
		}
	}
	return nil
}

// full closes the vote when as many have voted as were asked for.
func (b *box) full(ctx context.Context, r *voteRun) error {
	if b.MaxVotes == 0 || r.Ended() {
		return nil
	}
	t, err := r.Tally(ctx)
	if err == nil && t.Voters >= b.MaxVotes {
		r.CloseNow(vote.Closing{By: vote.ByPlatform, At: r.Now()})
	}
	return err
}

// chosen reads choices out of lines of a ballot, in the order of the ask, and when they were cast.
func chosen(ask *vote.Ask, held []vote.Ballot) (choices []string, at time.Time) {
	named := map[string]bool{}
	for _, h := range held {
		if h.At.After(at) {
			at = h.At
		}
		switch _, option := vote.SplitKey(h.Question); {
		case h.Choice == "":
		case !several(ask):
			named[h.Choice] = true
		case h.Choice == vote.Yes:
			named[option] = true
		}
	}
	for _, c := range ask.Choices() {
		if named[c] {
			choices = append(choices, c)
		}
	}
	return choices, at
}

// several says that a ballot names several options.
func several(a *vote.Ask) bool { return a.PollType == vote.Multiple || a.PollType == vote.Approval }
