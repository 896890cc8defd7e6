package discourse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/vote"
)

// pollPost is a post with its polls.
type pollPost struct {
	post
	Version int        `json:"version"`
	Polls   []pollView `json:"polls"`
}

// untouched says that nobody has edited the post, and that a poll is in its text.
func (p pollPost) untouched() bool {
	return p.Version <= 1 && strings.Contains(p.Raw, pollTag)
}

// deleted says that the post is, or that its author has marked it so.
func (p pollPost) deleted() bool { return p.DeletedAt != nil || p.Gone }

// poll finds the vote's.
func (p pollPost) poll() (pollView, bool) {
	for _, v := range p.Polls {
		if v.Name == pollName {
			return v, true
		}
	}
	return pollView{}, false
}

// pollView is a poll as the API has it (plugins/poll/app/serializers of Discourse, checked 2026-11). Options are in the order of the text.
type pollView struct {
	Name    string `json:"name"`
	Status  string `json:"status"`
	Results string `json:"results"`
	Public  bool   `json:"public"`
	Voters  int64  `json:"voters"`
	terms
	Options []struct {
		ID    string `json:"id"`
		Votes *int64 `json:"votes"` // absent where the results are not shown
	} `json:"options"`
}

// terms are what is asked in a poll beside its options, and of whom.
type terms struct {
	Type   string           `json:"type"`
	Title  maybe[string]    `json:"title"` // as HTML
	Min    maybe[int64]     `json:"min"`
	Max    maybe[int64]     `json:"max"`
	Step   maybe[int64]     `json:"step"`
	Groups maybe[string]    `json:"groups"`
	Close  maybe[time.Time] `json:"close"`
}

// sum is a text by which two of them are told apart.
func (t terms) sum() string {
	said := fmt.Sprintf("%q %q %d %d %d %q %d", t.Type, t.Title.v, t.Min.v, t.Max.v, t.Step.v, t.Groups.v, t.Close.v.UnixMilli())
	return sum([]byte(said))
}

// names are Discourse's for the options.
func (v pollView) names() []string {
	out := make([]string, len(v.Options))
	for i, o := range v.Options {
		out[i] = o.ID
	}
	return out
}

func (v pollView) closed() bool { return v.Status == "closed" }

// tells says that the forum shows the results to the key's account now.
func (v pollView) tells() bool {
	for _, o := range v.Options {
		if o.Votes == nil {
			return false
		}
	}
	return true
}

// pollPost reads the post of a vote.
func (d *Discourse) pollPost(ctx context.Context, id int64) (pollPost, error) {
	var p pollPost
	err := d.client().needs(global).do(ctx, http.MethodGet, postPath(id)+".json", nil, nil, &p)
	return p, err
}

// pollsOn is an error where a post shows no poll although it has not been touched, because the forum's polls are switched off, for a while perhaps: then the
// routes for them are not there either. Otherwise the poll was moved to another post, as happens to that of a topic which is merged into another.
func (d *Discourse) pollsOn(ctx context.Context, p pollPost) error {
	if len(p.Polls) > 0 || p.deleted() || !p.untouched() {
		return nil
	}
	q := url.Values{"post_id": {strconv.FormatInt(p.ID, 10)}, "poll_name": {pollName}, "limit": {"1"}}
	err := d.client().needs(global).do(ctx, http.MethodGet, "/polls/voters.json", q, nil, nil)
	if refusedWith(err, http.StatusNotFound) {
		return gateway.Errorf(gateway.Unavailable, "discourse: the forum's polls are switched off: %w", err)
	}
	if gateway.CodeOf(err) == gateway.Unavailable {
		return err
	}
	return nil
}

const (
	voterPage = 50 // voters, at the most, that a forum gives at once
	// scanKept is for how long an interrupted reading of an open poll goes on where it was: votes change meanwhile.
	scanKept = time.Hour
)

// scan is a reading of who voted for what. A forum that lets a key make sixty requests a minute takes some minutes to tell of ten thousand, so that
// it is kept where it is interrupted.
type scan struct {
	Since  time.Time `json:"since" jsonschema_description:"When it began."`
	Final  bool      `json:"final,omitempty" jsonschema_description:"The poll was closed then."`
	Option int       `json:"option" jsonschema_description:"The choice that is read."`
	Page   int       `json:"page" jsonschema_description:"How many pages of its voters were read."`
	// Marks are what each account has chosen: for each choice 0, or its rank, or 1 where there is none. It is about 50 bytes for a voter.
	Marks map[int64][]byte `json:"marks" jsonschema_description:"What each account has chosen."`
}

// read takes how people voted from the forum. Where it does not show the results yet there is nothing to take.
func (b *pollBox) read(ctx context.Context, r *pollRun, v pollView) error {
	if !v.tells() {
		if v.closed() {
			return gateway.Errorf(gateway.Denied, "discourse: the forum does not show the results of a closed poll to the key's account, which has to belong to its staff")
		}
		return nil
	}
	if !r.Ask().VotersVisible() {
		return r.SetTally(ctx, tallyOf(r.Ask(), v), v.Voters)
	}
	s := b.Scan
	if s == nil || s.Final != v.closed() || !s.Final && r.Now().Sub(s.Since) > scanKept {
		s = &scan{Since: r.Now(), Final: v.closed(), Marks: map[int64][]byte{}}
	}
	err := s.run(ctx, r, b.Post.ID, v)
	if err == nil {
		err = b.count(ctx, r, s.Marks)
	}
	if err == nil {
		b.Scan = nil
		return nil
	}
	b.Scan = s
	if errors.Is(err, errTooMany) {
		b.Scan = nil // going on with it would not make it right
	}
	if e := r.Save(context.WithoutCancel(ctx)); e != nil {
		r.Plugin.Log.WarnContext(ctx, "how far a poll was read could not be kept", "process", r.ID(), "error", e)
	}
	return err
}

// tallyOf is what the forum has counted.
func tallyOf(ask *vote.Ask, v pollView) []vote.Count {
	var out []vote.Count
	for i, c := range ask.Choices() {
		if n := *v.Options[i].Votes; n > 0 {
			out = append(out, vote.Votes("", c, n))
		}
	}
	return out
}

// run goes on reading, a page at a time.
func (s *scan) run(ctx context.Context, r *pollRun, post int64, v pollView) error {
	ranked := r.Ask().PollType == vote.Ranked
	for ; s.Option < len(v.Options); s.Option, s.Page = s.Option+1, 0 {
		o := v.Options[s.Option]
		for more := *o.Votes > 0; more; s.Page++ {
			page, err := r.Plugin.voters(ctx, post, o.ID, s.Page+1, ranked)
			if err != nil {
				return err
			}
			for _, x := range page {
				s.mark(x, len(v.Options))
			}
			if len(s.Marks) > vote.MaxVoters {
				return gateway.Errorf(gateway.Internal, "discourse: more than %d accounts have voted", vote.MaxVoters)
			}
			more = len(page) >= voterPage
		}
		if err := s.credible(ctx, r.Plugin, post, o.ID, *o.Votes); err != nil {
			return err
		}
	}
	return nil
}

// errTooMany says that a forum names more voters of a choice than it counts.
var errTooMany = errors.New("the forum names more voters of a choice than it counts, as older versions of Discourse do for polls of numbers: how people voted cannot be read there")

// credible refuses what cannot be: more voters of the choice that was read than votes. Of an open poll the votes are asked for again before, since
// somebody may have voted meanwhile. Versions of Discourse before the rewrite of its preload_serialized_voters! name all voters of a poll of numbers,
// whatever the option (plugins/poll/lib/poll.rb, checked 2026-11).
func (s *scan) credible(ctx context.Context, d *Discourse, post int64, option string, votes int64) error {
	named := s.named()
	if named <= votes {
		return nil
	}
	p, err := d.pollPost(ctx, post)
	if err != nil {
		return err
	}
	v, _ := p.poll()
	for _, o := range v.Options {
		if o.ID == option && o.Votes != nil && named <= *o.Votes {
			return nil
		}
	}
	return gateway.Errorf(gateway.Unavailable, "discourse: GET /polls/voters.json: %w", errTooMany)
}

// named is how many voters of the choice that is read there are.
func (s *scan) named() (n int64) {
	for _, m := range s.Marks {
		if s.Option < len(m) && m[s.Option] > 0 {
			n++
		}
	}
	return n
}

// mark notes what somebody chose, if they are still there.
func (s *scan) mark(x voter, options int) {
	if x.ID == 0 {
		return
	}
	m := s.Marks[x.ID]
	if len(m) != options {
		m = make([]byte, options)
		s.Marks[x.ID] = m
	}
	m[s.Option] = x.Mark
}

// voters reads a page of who chose an option. Pages count from 1; each but the first begins with the last of the one before, where rows are counted
// from both ends included (plugins/poll/lib/poll.rb of Discourse, checked 2026-11).
func (d *Discourse) voters(ctx context.Context, post int64, option string, page int, ranked bool) ([]voter, error) {
	q := url.Values{
		"post_id": {strconv.FormatInt(post, 10)}, "poll_name": {pollName}, "option_id": {option}, "page": {strconv.Itoa(page)}, "limit": {strconv.Itoa(voterPage)},
	}
	var said struct {
		Voters json.RawMessage `json:"voters"`
	}
	if err := d.client().needs(global).do(ctx, http.MethodGet, "/polls/voters.json", q, nil, &said); err != nil {
		return nil, err
	}
	out, err := parseVoters(said.Voters, option, ranked)
	if err != nil {
		return nil, gateway.Errorf(gateway.Unavailable, "discourse: GET /polls/voters.json: %w", err)
	}
	return out, nil
}
