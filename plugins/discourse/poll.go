package discourse

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/vote"
)

type pollRun = gateway.Run[*Discourse, vote.Outcome]

// pollEvery is how often a poll is read at the most. Each look takes two requests, and one for each fifty voters of an option, of the sixty a
// minute that a forum lets a key make.
const pollEvery = time.Minute

// votes are the features of the voting process.
func votes() []gateway.Feature[*Discourse] {
	return []gateway.Feature[*Discourse]{
		gateway.ProcessFunc("poll", "A vote by a poll of Discourse's, in a topic of its own or in one that there is. Everybody who sees it can vote in it, or who is in its groups; of a public one, whose votes do not count is left out when they are counted.",
			(*pollBox).Start, gateway.Can(canPoll), gateway.Least(pollEvery), gateway.Needs(global)),
		gateway.CommandFunc("poll", "finish", "Closes the poll now, reads how people voted in it, and closes the vote.", (*pollBox).finish),
	}
}

// pollBox is the durable state of a vote by a poll.
type pollBox struct {
	Post     letter    `json:"post,omitzero" jsonschema_description:"The post that the poll is in."`
	Options  []string  `json:"options,omitempty" jsonschema_description:"Discourse's name for each choice, in the order asked."`
	Terms    string    `json:"terms,omitempty" jsonschema_description:"A digest of what the poll asks beside its options: title, kind, limits, groups and end."`
	ClosesAt time.Time `json:"closes_at,omitzero" jsonschema_description:"When it closes by itself."`
	Quiet    bool      `json:"quiet,omitempty" jsonschema_description:"The result is not said in the topic."`
	Shut     bool      `json:"shut,omitempty" jsonschema_description:"The forum takes no votes any more."`
	Scan     *scan     `json:"scan,omitempty" jsonschema_description:"A reading of the voters that was interrupted."`
	Result   letter    `json:"result,omitzero" jsonschema_description:"The post that says the result."`
}

// Start posts the poll, and looks whether the forum has made of it what was meant.
func (b *pollBox) Start(ctx context.Context, r *pollRun, in Poll) error {
	raw, err := in.markup()
	if err != nil {
		return err
	}
	b.Quiet = in.Quiet
	if in.ClosingAt != nil {
		b.ClosesAt = *in.ClosingAt
	}
	if err := b.Post.write(ctx, r, r.ID(), in.TopicID, in.body(raw)); err != nil {
		return err
	}
	r.Ref(postRef(b.Post.ID))
	r.Ref(topicRef(b.Post.Topic))
	r.SetURL(b.Post.URL)
	return b.learn(ctx, r)
}

// body is what is posted beside the text.
func (in Poll) body(raw string) map[string]any {
	body := map[string]any{"raw": raw}
	if in.TopicID != 0 {
		return body
	}
	body["title"] = oneLine(first(in.TopicTitle, in.Title))
	if in.Category != 0 {
		body["category"] = in.Category
	}
	if len(in.Tags) > 0 {
		body["tags"] = in.Tags
	}
	return body
}

// learn asks for Discourse's names of the options. Where the forum has made no poll of the text, because its polls are switched off, the
// post is of no use and is taken away again.
func (b *pollBox) learn(ctx context.Context, r *pollRun) error {
	p, err := r.Plugin.pollPost(ctx, b.Post.ID)
	if err != nil {
		return err
	}
	v, ok := p.poll()
	if !ok || len(v.Options) != len(r.Ask().Choices()) {
		b.takeAway(ctx, r)
		return gateway.Errorf(gateway.Invalid, "the forum has made no poll of it: its polls are switched off, or it does not know polls of this type")
	}
	b.Options, b.Terms = v.names(), v.sum()
	later := v.Results == resultsOnClose || v.Results == resultsOnVote && !r.Ask().CloseWhenDecided // on older forums the author does not see them either
	if !v.tells() && !later {
		b.takeAway(ctx, r)
		return gateway.Errorf(gateway.Denied, "the forum does not show the poll's results to the key's account before it is closed: the account has to belong to its staff, and of results of on_vote older forums show nothing")
	}
	return nil
}

// takeAway deletes the post, or the topic that was opened for it. The vote does not start then, and what a call that failed has done is nobody's: the events
// of it have no cause.
func (b *pollBox) takeAway(ctx context.Context, r *pollRun) {
	at := postPath(b.Post.ID)
	if b.Post.Opened {
		at = topicPath(b.Post.Topic)
	}
	if err := r.Plugin.client().needs(global).do(ctx, http.MethodDelete, at+".json", nil, nil, nil); err != nil {
		r.Plugin.Log.WarnContext(ctx, "a post that was to be a poll could not be taken away", "process", r.ID(), "post", b.Post.ID, "error", err)
	}
}

// Receive takes what happens to the post and its topic. Discourse tells nobody of votes, nor of a poll that is closed.
func (b *pollBox) Receive(_ context.Context, r *pollRun, m *message) (gateway.Reply, error) {
	id := m.about.ID.v
	switch {
	case r.Ended() || id == 0:
	case m.event == "post_destroyed" && id == b.Post.ID, m.event == "topic_destroyed" && id == b.Post.Topic && b.Post.Opened:
		r.CloseNow(vote.Closing{By: vote.ByDeletion})
	case m.event == "post_edited" && id == b.Post.ID, strings.HasPrefix(m.event, "topic_") && id == b.Post.Topic: // a post may have moved elsewhere before
		r.UpdateAt(r.Now())
	}
	return gateway.Reply{}, nil
}

// Update reads how people voted. After the closing time it closes the poll first, so that what is read is what stays.
func (b *pollBox) Update(ctx context.Context, r *pollRun) error {
	due := !b.ClosesAt.IsZero() && !r.Now().Before(b.ClosesAt)
	if due {
		if err := b.shut(ctx, r); err != nil {
			return err
		}
	}
	p, err := r.Plugin.pollPost(ctx, b.Post.ID)
	if gone := gateway.CodeOf(err) == gateway.NotFound || err == nil && p.deleted(); gone {
		if !due { // what is known counts where it was deleted when the vote was over
			r.CloseNow(vote.Closing{By: vote.ByDeletion})
		}
		return nil
	}
	if err == nil {
		err = r.Plugin.pollsOn(ctx, p)
	}
	if err != nil {
		return err
	}
	b.follow(r, p)
	v, ok := p.poll()
	if !ok || !b.same(r.Ask(), v) {
		r.Plugin.Log.WarnContext(ctx, "the poll of a vote was edited and is another now", "process", r.ID(), "post", b.Post.ID)
		r.CloseNow(edited)
		return nil
	}
	switch {
	case !due:
		return b.lookOn(ctx, r, v)
	case !v.tells() && !v.closed(): // it cannot be closed in the archive, and the forum's clock may be behind
		return gateway.Errorf(gateway.Unavailable, "discourse: the forum does not show the poll's results yet")
	}
	return b.read(ctx, r, v)
}

// follow notices that the post was moved into another topic: what becomes of the old one is nothing to it.
func (b *pollBox) follow(r *pollRun, p pollPost) {
	if p.TopicID == 0 || p.TopicID == b.Post.Topic {
		return
	}
	b.Post.is(r.Plugin, p.post)
	r.Ref(topicRef(b.Post.Topic))
	r.SetURL(b.Post.URL)
}

// edited is the end of a vote whose poll is another now, or in another post.
var edited = vote.Closing{By: vote.ByDeletion, Note: "the poll was edited or moved and is not what was asked any more"}

// same says that a poll is still the one that was asked.
func (b *pollBox) same(ask *vote.Ask, v pollView) bool {
	return slices.Equal(v.names(), b.Options) && v.sum() == b.Terms && v.Public == ask.VotersVisible()
}

// nearly is how long before its closing time a poll that is closed was closed by that: the clocks of forums differ from ours.
const nearly = time.Minute

// lookOn reads an open vote, and notices where it was closed by hand: the poll, by its staff, or the whole topic. Discourse does not say
// who did. A poll that was closed before its shortest time is over is opened again; a topic is the forum's own.
func (b *pollBox) lookOn(ctx context.Context, r *pollRun, v pollView) error {
	t, err := r.Plugin.topic(ctx, b.Post.Topic)
	if err != nil && gateway.CodeOf(err) != gateway.NotFound {
		return err
	}
	if err != nil || t.DeletedAt != nil {
		r.CloseNow(vote.Closing{By: vote.ByDeletion})
		return nil
	}
	closed := v.closed() && (b.ClosesAt.IsZero() || r.Now().Before(b.ClosesAt.Add(-nearly)))
	early := r.Now().Before(r.Ask().Earliest(b.Post.Since))
	if closed && early {
		return r.Plugin.toggle(ctx, b.Post.ID, "open")
	}
	over := !early && (closed || t.Closed || t.Archived)
	if over && !v.closed() {
		if v, err = b.last(ctx, r, v); err != nil {
			return err
		}
		over = v.tells() // a poll in the archive is not closed, and one that hides its results until then has to wait
	}
	if err := b.read(ctx, r, v); err != nil {
		return err
	}
	if over {
		r.CloseNow(vote.Closing{By: vote.ByPlatform})
	}
	return nil
}

// last closes a poll in which nobody can vote any more, so that it shows its results, and reads it again.
func (b *pollBox) last(ctx context.Context, r *pollRun, v pollView) (pollView, error) {
	if err := b.shut(ctx, r); err != nil {
		return v, err
	}
	p, err := r.Plugin.pollPost(ctx, b.Post.ID)
	if now, ok := p.poll(); ok {
		v = now
	}
	return v, err
}

// shut has the forum take no more votes. A post that is gone, or in the archive, takes none.
func (b *pollBox) shut(ctx context.Context, r *pollRun) error {
	if b.Shut || b.Post.ID == 0 {
		return nil
	}
	err := r.Plugin.toggle(ctx, b.Post.ID, "closed")
	if lasting(err) {
		r.Plugin.Log.WarnContext(ctx, "a poll cannot be closed", "process", r.ID(), "post", b.Post.ID, "error", err)
		return nil
	}
	b.Shut = err == nil
	return err
}

// lasting says that trying again will not help.
func lasting(err error) bool {
	switch gateway.CodeOf(err) {
	case gateway.NotFound, gateway.Denied, gateway.Invalid, gateway.Conflict:
		return err != nil
	}
	return false
}

// finish answers the command of that name. [gateway.Community.Close] reads how people voted and closes the poll after that, so that what is chosen between
// the two counts nowhere, and a poll that shows its results only then is counted as it was known. This closes the poll first, reads then, and closes the vote.
func (b *pollBox) finish(ctx context.Context, r *pollRun, _ struct{}) (Done, error) {
	if r.Status() != gateway.StatusPending {
		return Done{Already: true}, nil
	}
	if err := b.shut(ctx, r); err != nil {
		return Done{}, err
	}
	p, err := r.Plugin.pollPost(ctx, b.Post.ID)
	if err == nil {
		err = r.Plugin.pollsOn(ctx, p)
	}
	if err != nil {
		return Done{}, err
	}
	v, ok := p.poll()
	switch {
	case p.deleted():
		r.CloseNow(vote.Closing{By: vote.ByDeletion})
		return Done{}, nil
	case !ok || !b.same(r.Ask(), v):
		r.CloseNow(edited)
		return Done{}, nil
	case !v.tells() && !v.closed():
		return Done{}, gateway.Errorf(gateway.Conflict, "the poll could not be closed, its topic is in the archive perhaps, and the forum does not show its results before")
	}
	if err := b.read(ctx, r, v); err != nil {
		return Done{}, err
	}
	r.CloseNow(vote.Closing{By: vote.ByDriver})
	return Done{}, nil
}

// toggle opens or closes a poll, which may be so already.
func (d *Discourse) toggle(ctx context.Context, post int64, status string) error {
	in := map[string]any{"post_id": post, "poll_name": pollName, "status": status}
	return d.client().needs(global).do(ctx, http.MethodPut, "/polls/toggle_status.json", nil, in, nil)
}

// topicNow is what is read of a topic.
type topicNow struct {
	Closed    bool       `json:"closed"`
	Archived  bool       `json:"archived"`
	DeletedAt *time.Time `json:"deleted_at"`
}

func (d *Discourse) topic(ctx context.Context, id int64) (topicNow, error) {
	var t topicNow
	err := d.client().needs(global).do(ctx, http.MethodGet, "/t/"+strconv.FormatInt(id, 10)+".json", nil, nil, &t)
	return t, err
}
