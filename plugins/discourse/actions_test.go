package discourse_test

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/discourse"
	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
)

const somewhere = "I would like it to stand by the river, in the shade."

// Every action is done, answered, and what the forum says about it is known as ours.
func TestTopicsAndPosts(t *testing.T) {
	r := newRig(t)
	made := do[discourse.Written](r, "create-topic", discourse.CreateTopic{Title: "Where shall the bench stand?", Raw: somewhere, Category: 4, Tags: []string{"park"}})
	topic, ok := r.forum.Topic(made.TopicID)
	require.True(t, ok)
	require.Equal(t, "Where shall the bench stand?", topic.Title)
	require.Equal(t, forumURL+"/t/where-shall-the-bench-stand/"+itoa(made.TopicID), made.URL)
	for _, typ := range []string{"topic_created", "post_created"} {
		e := r.one(typ)
		require.True(t, e.Bot, typ)
		require.NotEmpty(t, e.Cause, typ)
		require.Equal(t, "-1", e.Initiator, typ)
	}

	answer := do[discourse.Written](r, "create-post", discourse.CreatePost{TopicID: made.TopicID, Raw: "What about the other side of the river?", ReplyTo: 1})
	require.Equal(t, made.TopicID, answer.TopicID)
	require.NotEmpty(t, r.Events("post_created")[1].Cause)

	edit := discourse.EditPost{PostID: discourse.PostID{ID: answer.ID}, Raw: "What about the other side of the river, then?", Reason: "a word"}
	r.Clock.Set(r.Clock.Now().Add(time.Hour)) // edits within minutes are told as none
	require.Zero(t, do[discourse.Done](r, "edit-post", edit))
	require.NotEmpty(t, r.one("post_edited").Cause)
	require.True(t, do[discourse.Done](r, "edit-post", edit).Already)

	require.Zero(t, do[discourse.Done](r, "delete-post", discourse.PostID{ID: answer.ID}))
	require.NotEmpty(t, r.one("post_destroyed").Cause)
	require.True(t, do[discourse.Done](r, "delete-post", discourse.PostID{ID: answer.ID}).Already)
	require.Zero(t, do[discourse.Done](r, "recover-post", discourse.PostID{ID: answer.ID}))
	require.NotEmpty(t, r.one("post_recovered").Cause)
	require.True(t, do[discourse.Done](r, "recover-post", discourse.PostID{ID: answer.ID}).Already)
	require.True(t, do[discourse.Locked](r, "lock-post", discourse.LockPost{PostID: discourse.PostID{ID: answer.ID}, Locked: true}).Locked)
	require.False(t, do[discourse.Locked](r, "lock-post", discourse.LockPost{PostID: discourse.PostID{ID: answer.ID}}).Locked)

	it := discourse.TopicID{ID: made.TopicID}
	require.Zero(t, do[discourse.Done](r, "edit-topic", discourse.EditTopic{TopicID: it, Title: "Where shall the new bench stand?", Category: 1, Tags: &[]string{"bench"}}))
	require.NotEmpty(t, r.one("topic_edited").Cause)
	require.Len(t, r.Events("post_edited"), 1, "the forum tells of the topic alone")
	require.NoError(t, r.forum.EditPost("ann", made.ID, somewhere+" It is for all."))
	r.due()
	edits := r.Events("post_edited")
	require.Len(t, edits, 2)
	require.Empty(t, edits[1].Cause, "what somebody does to the opening post is theirs")
	topic, _ = r.forum.Topic(made.TopicID)
	require.Equal(t, "Where shall the new bench stand?", topic.Title)
	require.Equal(t, []string{"bench"}, topic.Tags)
	require.EqualValues(t, 1, topic.Category)
	change := discourse.EditTopic{TopicID: it, Title: "Where shall the new bench stand?", Category: 1, Tags: &[]string{"bench"}}
	require.True(t, do[discourse.Done](r, "edit-topic", change).Already)
	require.True(t, do[discourse.Done](r, "open-topic", it).Already)
	require.False(t, do[discourse.Done](r, "close-topic", it).Already)
	require.True(t, do[discourse.Done](r, "close-topic", it).Already)
	do[discourse.Done](r, "open-topic", it)
	closed := r.Events("topic_closed_status_updated")
	require.Len(t, closed, 2)
	require.NotEmpty(t, closed[0].Cause)
	require.NotEmpty(t, closed[1].Cause)
	do[discourse.Done](r, "pin-topic", discourse.PinTopic{TopicID: it, Globally: true})
	require.NotEmpty(t, r.one("topic_pinned_globally_status_updated").Cause)
	require.True(t, do[discourse.Done](r, "pin-topic", discourse.PinTopic{TopicID: it, Globally: true}).Already)
	until := time.Date(2026, 11, 20, 18, 30, 0, 0, time.FixedZone("", 3600))
	require.Zero(t, do[discourse.Done](r, "pin-topic", discourse.PinTopic{TopicID: it, Until: &until}))
	topic, _ = r.forum.Topic(made.TopicID)
	require.Equal(t, until.UTC(), topic.PinnedUntil)
	require.False(t, do[discourse.Done](r, "unpin-topic", it).Already)
	require.True(t, do[discourse.Done](r, "unpin-topic", it).Already)

	require.Zero(t, do[discourse.Done](r, "delete-topic", it))
	require.NotEmpty(t, r.one("topic_destroyed").Cause)
	ours := func(typ string, n int) { // and so is what becomes of the opening post by that
		t.Helper()
		all := r.Events(typ)
		require.Len(t, all, n, typ)
		require.NotEmpty(t, all[n-1].Cause, typ)
	}
	ours("post_destroyed", 2)
	require.True(t, do[discourse.Done](r, "delete-topic", it).Already)
	require.Zero(t, do[discourse.Done](r, "recover-topic", it))
	require.NotEmpty(t, r.one("topic_recovered").Cause)
	ours("post_recovered", 2)
	require.True(t, do[discourse.Done](r, "recover-topic", it).Already)

	// What becomes of another post of the topic is not.
	_, err := r.forum.Reply("bob", it.ID, "There is a fine place beside the old mill.")
	require.NoError(t, err)
	topic, _ = r.forum.Topic(it.ID)
	require.NoError(t, r.forum.DeletePost("ann", topic.Posts[len(topic.Posts)-1]))
	r.due()
	all := r.Events("post_destroyed")
	require.Len(t, all, 3)
	require.Empty(t, all[2].Cause)
	require.Empty(t, r.fake.Refused())
}

// A text that a forum keeps in another way is the same text: it tells nobody of an edit that changes nothing, and the next one would count as ours.
func TestATextThatIsKeptInAnotherWay(t *testing.T) {
	for name, raw := range map[string]string{"a space before": "  " + somewhere, "other spaces": "By the\u00a0river, and\u3000in the shade, as they say.", "lines behind": somewhere + " Or not.\n\n"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			_, id := r.topic("bob")
			edit := discourse.EditPost{PostID: discourse.PostID{ID: id}, Raw: raw}
			require.False(t, do[discourse.Done](r, "edit-post", edit).Already)
			require.True(t, do[discourse.Done](r, "edit-post", edit).Already)
			require.NotEmpty(t, r.one("post_edited").Cause)
			require.NoError(t, r.forum.EditPost("ann", id, somewhere+" It is for all."))
			r.due()
			all := r.Events("post_edited")
			require.Len(t, all, 2)
			require.Empty(t, all[1].Cause)
		})
	}
}

// Whoever recovers an opening post recovers its topic.
func TestRecoveringAnOpeningPost(t *testing.T) {
	r := newRig(t)
	topic, first := r.topic("bob")
	require.NoError(t, r.forum.DeleteTopic("ann", topic))
	r.due()
	require.Empty(t, r.one("topic_destroyed").Cause)
	require.Zero(t, do[discourse.Done](r, "recover-post", discourse.PostID{ID: first}))
	require.NotEmpty(t, r.one("post_recovered").Cause)
	require.NotEmpty(t, r.one("topic_recovered").Cause)
}

func TestAMessageIsSentToAccountsByTheirIDs(t *testing.T) {
	r := newRig(t)
	made := do[discourse.Written](r, "create-message", discourse.CreateMessage{Title: "About your ban", Raw: "It is of the other platform, and you may appeal.", Usernames: []string{"joshua"}, UserIDs: []string{"42"}})
	call := r.calls("POST /posts")[0]
	var body map[string]any
	require.NoError(t, json.Unmarshal(call.Body, &body))
	require.Equal(t, "joshua,bob", body["target_recipients"])
	require.Equal(t, "private_message", body["archetype"])
	topic, ok := r.forum.Topic(made.TopicID)
	require.True(t, ok)
	require.Equal(t, "private_message", topic.Archetype)

	for _, in := range []discourse.CreateMessage{
		{Title: "Nobody", Raw: "gets this one, or what?"},
		{Title: "Two", Raw: "names in one are none", Usernames: []string{"bob,ann"}},
		{Title: "Outside", Raw: "would be an e-mail to anybody", Usernames: []string{"somebody@elsewhere.example"}},
	} {
		require.Equal(t, gateway.Invalid, gateway.CodeOf(r.refusal("create-message", in)))
	}
}

// What somebody else writes, also as our account while ours is under way, is theirs.
func TestOnlyOurOwnIsOurs(t *testing.T) {
	r := newRig(t)
	r.topic("bob")
	e := r.one("post_created")
	require.Equal(t, "42", e.Initiator)
	require.Empty(t, e.Cause)
	require.False(t, e.Bot)
}

func TestFlagsAndLikes(t *testing.T) {
	r := newRig(t)
	_, id := r.topic("bob")
	it := discourse.PostID{ID: id}
	require.Zero(t, do[discourse.Done](r, "like-post", it))
	e := r.one("post_liked")
	require.Equal(t, "-1", e.Initiator)
	require.NotEmpty(t, e.Cause)
	require.True(t, do[discourse.Done](r, "like-post", it).Already)

	require.Zero(t, do[discourse.Done](r, "flag-post", discourse.FlagPost{PostID: it, Kind: "notify_moderators", Message: "Please have a look."}))
	e = r.one("reviewable_created")
	require.Equal(t, "-1", e.Initiator)
	require.NotEmpty(t, e.Cause)
	require.Equal(t, gateway.Invalid, gateway.CodeOf(r.refusal("flag-post", discourse.FlagPost{PostID: it, Kind: "boring"})))

	// Of somebody else it is theirs.
	require.NoError(t, r.forum.Like("joshua", id))
	r.due()
	all := r.Events("post_liked")
	require.Len(t, all, 2)
	require.Equal(t, "7", all[1].Initiator)
	require.Empty(t, all[1].Cause)
}

// What waits for approval is no post yet, and is not posted again.
func TestWhatHasToBeApproved(t *testing.T) {
	r := newRig(t)
	r.fake.Fail(fakediscourse.Fault{Route: "POST /posts", Status: 200, Body: `{"success":true,"action":"enqueued","pending_post":{"id":7}}`})
	require.Equal(t, gateway.Conflict, gateway.CodeOf(r.refusal("create-topic", discourse.CreateTopic{Title: "Where shall the bench stand?", Raw: somewhere})))
}

// Of a penalty that is over the forum still says who did it, and nothing else.
func TestAPenaltyThatIsOver(t *testing.T) {
	r := newRig(t)
	bob := discourse.Person{UserID: "42"}
	until := r.Clock.Now().Add(time.Hour)
	for name, end := range map[string]func(){
		"taken back": func() {
			require.NoError(t, r.forum.Unsuspend("ann", "bob"))
			require.NoError(t, r.forum.Unsilence("ann", "bob"))
		},
		"its time is up": func() { r.Advance(2 * time.Hour) },
	} {
		require.NoError(t, r.forum.Suspend("ann", "bob", until, "spam"), name)
		require.NoError(t, r.forum.Silence("ann", "bob", until, "spam"))
		got := do[discourse.Account](r, "get-user", bob)
		require.True(t, got.Suspended && got.Silenced, name)
		require.Equal(t, "90", got.SuspendedBy)
		end()
		got = do[discourse.Account](r, "get-user", bob)
		require.False(t, got.Suspended || got.Silenced, name)
		require.Empty(t, got.SuspendedBy+got.SuspendReason, name)
		until = r.Clock.Now().Add(time.Hour)
	}
	require.Zero(t, do[discourse.Done](r, "suspend", discourse.Suspend{Person: bob, Reason: "decision 7"}))
}

// A suspension that is over by the time that the forum can be asked is nobody's.
func TestASuspensionThatWasTakenBack(t *testing.T) {
	r := newRig(t)
	r.fake.Fail(fakediscourse.Fault{Route: "GET /admin/users/{id}", Times: 1, Status: 503, Body: "<html>maintenance</html>"})
	require.NoError(t, r.forum.Suspend("ann", "bob", r.Clock.Now().Add(24*time.Hour), "by mistake"))
	r.due()
	require.NoError(t, r.forum.Unsuspend("ann", "bob"))
	r.Advance(time.Hour)
	e := r.one("user_suspended")
	require.Empty(t, e.Initiator)
	require.Contains(t, string(e.Data), `"suspension":{"by":null,"reason":"","until":null}`)
}

// Where there is no suspension to take back, newer forums tell nobody: what a moderator takes back later is theirs.
func TestTakingBackASuspensionThatThereIsNot(t *testing.T) {
	r := newRig(t)
	require.True(t, do[discourse.Done](r, "unsuspend", discourse.Person{UserID: "42"}).Already)
	require.True(t, do[discourse.Done](r, "unsilence", discourse.Person{UserID: "42"}).Already)
	require.Empty(t, r.Events("user_unsuspended"))
	require.NoError(t, r.forum.Suspend("ann", "bob", r.Clock.Now().Add(time.Hour), "spam"))
	r.due()
	require.NoError(t, r.forum.Unsuspend("ann", "bob"))
	require.Empty(t, r.one("user_unsuspended").Cause)
}

func TestSuspending(t *testing.T) {
	r := newRig(t)
	bob := discourse.Person{UserID: "42"}
	require.Zero(t, do[discourse.Done](r, "suspend", discourse.Suspend{Person: bob, Reason: "harassment: decision 7"}))
	u, _ := r.forum.User("bob")
	require.Equal(t, 3018, u.SuspendedTill.Year())
	require.Equal(t, "harassment: decision 7", u.SuspendReason)
	e := r.one("user_suspended")
	require.NotEmpty(t, e.Cause)
	require.True(t, e.Bot)
	require.Equal(t, "-1", e.Initiator)

	got := do[discourse.Account](r, "get-user", bob)
	require.True(t, got.Suspended)
	require.Equal(t, "bob", got.Username)
	require.Equal(t, "-1", got.SuspendedBy)
	require.Equal(t, "harassment: decision 7", got.SuspendReason)
	require.True(t, do[discourse.Done](r, "suspend", discourse.Suspend{Person: bob, Reason: "again"}).Already)

	require.Zero(t, do[discourse.Done](r, "unsuspend", discourse.Person{Username: "bob"}))
	require.NotEmpty(t, r.one("user_unsuspended").Cause)
	u, _ = r.forum.User("bob")
	require.Zero(t, u.SuspendedTill)

	until := r.Clock.Now().Add(24 * time.Hour)
	require.Zero(t, do[discourse.Done](r, "silence", discourse.Suspend{Person: bob, Reason: "spam", Until: &until}))
	require.True(t, do[discourse.Account](r, "get-user", bob).Silenced)
	require.True(t, do[discourse.Done](r, "silence", discourse.Suspend{Person: bob, Reason: "spam", Until: &until}).Already)
	require.Zero(t, do[discourse.Done](r, "unsilence", bob))
	require.False(t, do[discourse.Account](r, "get-user", bob).Silenced)

	// The staff cannot be suspended, and the forum's refusal says what would be needed.
	err := r.refusal("suspend", discourse.Suspend{Person: discourse.Person{UserID: "90"}, Reason: "no"})
	require.Equal(t, gateway.Denied, gateway.CodeOf(err))
	require.ErrorContains(t, err, "users:suspend")
}

func TestGroups(t *testing.T) {
	r := newRig(t)
	r.forum.AddGroup("gardeners", "joshua")
	in := discourse.Membership{Person: discourse.Person{UserID: "42"}, Group: "gardeners"}
	require.Zero(t, do[discourse.Done](r, "add-to-group", in))
	require.ElementsMatch(t, []string{"bob", "joshua"}, r.forum.Members("gardeners"))
	require.NotEmpty(t, r.one("user_added_to_group").Cause)
	require.True(t, do[discourse.Done](r, "add-to-group", in).Already)
	require.Zero(t, do[discourse.Done](r, "remove-from-group", in))
	require.NotEmpty(t, r.one("user_removed_from_group").Cause)
	require.Equal(t, []string{"joshua"}, r.forum.Members("gardeners"))
	require.True(t, do[discourse.Done](r, "remove-from-group", in).Already)
	require.Equal(t, gateway.NotFound, gateway.CodeOf(r.refusal("add-to-group", discourse.Membership{Person: in.Person, Group: "nobody"})))

	names := r.forum.AddUsers("member", 2_500)
	r.forum.AddGroup("crowd", names...)
	reading, err := r.c.ReadRole(t.Context(), gateway.RoleKey("discourse", "group/crowd"), 0)
	require.NoError(t, err)
	require.Equal(t, 2_500, reading.Members)
	require.Len(t, r.calls("GET /groups/{name}/members"), 3)
}

func TestChoices(t *testing.T) {
	r := newRig(t)
	r.forum.AddGroup("gardeners")
	got, err := r.inst.Choices(t.Context(), "categories", "gen")
	require.NoError(t, err)
	require.Equal(t, []gateway.Choice{{Value: "4", Label: "General"}}, got)
	got, err = r.inst.Choices(t.Context(), "groups", "garden")
	require.NoError(t, err)
	require.Equal(t, []gateway.Choice{{Value: "gardeners", Label: "gardeners"}}, got)
}

func TestMethod(t *testing.T) {
	r := newRig(t)
	topic, _ := r.topic("bob")
	raw := json.RawMessage(`{"route":"/t/{id}.json","id":` + itoa(topic) + `}`)
	out := do[discourse.Answer](r, "method", raw)
	require.Contains(t, string(out.Data), "Where shall the bench stand?")
	many := json.RawMessage(`{"route":"/t/{id}/posts.json","id":` + itoa(topic) + `,"post_ids":[1,2],"include_raw":true}`)
	require.Contains(t, string(do[discourse.Answer](r, "method", many).Data), somewhere)
	require.Equal(t, []string{"1", "2"}, r.calls("GET /t/{id}/posts")[0].Query["post_ids[]"])
	require.Empty(t, do[discourse.Answer](r, "method", json.RawMessage(`{"method":"DELETE","route":"/t/{id}.json","id":`+itoa(topic)+`}`)).Data)
	for in, code := range map[string]gateway.Code{
		`{"route":"/admin/api/keys.json"}`:                    gateway.Denied,
		`{"route":"/{a}/{b}/keys","a":"admin","b":"API"}`:     gateway.Denied,
		`{"method":"POST","route":"/admin/api/web_hooks"}`:    gateway.Denied,
		`{"route":"/t/{id}.json"}`:                            gateway.Invalid,
		`{"route":"/t/{id}/x.json","id":".."}`:                gateway.Invalid,
		`{"route":"/t//x"}`:                                   gateway.Invalid,
		`{"route":"/t/{id}.json","id":"1/../../admin"}`:       gateway.Invalid,
		`{"route":"/admin/users/{id}.json","id":"4711"}`:      gateway.NotFound,
		`{"method":"GET","route":"/t/{id}.json?x","id":"77"}`: gateway.Invalid,
	} {
		require.Equal(t, code, gateway.CodeOf(r.refusal("method", json.RawMessage(in))), in)
	}
}

// A lost answer is looked up: nothing is posted or done twice, and what was done is ours.
// Of a very long topic Discourse does not list the posts: that ours is not there is not known then, and it is not posted again.
func TestALostAnswerInAVeryLongTopic(t *testing.T) {
	r := newRig(t)
	topic, _ := r.topic("bob")
	in := discourse.CreatePost{TopicID: topic, Raw: somewhere}
	r.fake.Fail(fakediscourse.Fault{Route: "POST /posts", LoseAnswer: true})
	mega := r.fake.Fail(fakediscourse.Fault{Route: "GET /t/{id}", Times: -1, Body: `{"id":1,"posts_count":10001,"post_stream":{"posts":[],"isMegaTopic":true,"lastId":99}}`})
	for range 3 {
		require.Equal(t, gateway.Unknown, gateway.CodeOf(r.refusal("create-post", in, gateway.Once("lost"))))
		r.Advance(time.Hour)
	}
	require.Len(t, r.calls("POST /posts"), 1)
	require.Positive(t, mega.Hits())
}

func TestLostAnswersAreLookedUp(t *testing.T) {
	for action, c := range map[string]struct {
		in    any
		route string
		event string
	}{
		"create-topic":   {discourse.CreateTopic{Title: "Which colour shall the bench have?", Raw: somewhere}, "POST /posts", "topic_created"},
		"create-message": {discourse.CreateMessage{Title: "About your ban", Raw: "It is of the other platform.", Usernames: []string{"bob"}}, "POST /posts", "topic_created"},
		"create-post":    {discourse.CreatePost{TopicID: 1, Raw: somewhere}, "POST /posts", "post_created"},
		"suspend":        {discourse.Suspend{Person: discourse.Person{UserID: "42"}, Reason: "spam"}, "PUT /admin/users/{id}/suspend", "user_suspended"},
		"unsuspend":      {discourse.Person{UserID: "43"}, "PUT /admin/users/{id}/unsuspend", "user_unsuspended"},
	} {
		t.Run(action, func(t *testing.T) {
			r := newRig(t)
			require.NoError(t, r.forum.Suspend("ann", "Carla", r.Clock.Now().Add(time.Hour), "an hour"))
			topic, _ := r.topic("joshua")
			if in, ok := c.in.(discourse.CreatePost); ok {
				in.TopicID = topic
				c.in = in
			}
			r.due()
			before := len(r.Events(c.event))
			sent := len(r.calls(c.route))
			r.fake.Fail(fakediscourse.Fault{Route: c.route, LoseAnswer: true})
			do[json.RawMessage](r, action, c.in, gateway.Once("lost"))
			require.Len(t, r.calls(c.route), sent+1)
			all := r.Events(c.event)
			require.Len(t, all, before+1)
			require.NotEmpty(t, all[before].Cause)
		})
	}
}

// A suspension whose answer was lost is found, also with what was written to the person, and as whatever the forum writes its account.
func TestASuspensionIsFoundWithItsMessage(t *testing.T) {
	r := newRig(t, func(s *setup) {
		s.config.APIUsername = "GARDENER"
		s.key = []fakediscourse.KeyOption{fakediscourse.ForUser("Gardener")}
		s.people = func(f *fakediscourse.Forum) { f.AddUser(91, "Gardener", fakediscourse.Admin()) }
	})
	in := discourse.Suspend{Person: discourse.Person{UserID: "42"}, Reason: "spam ", Message: "Dear Bob,\n\nthis was spam.\n"}
	r.fake.Fail(fakediscourse.Fault{Route: "PUT /admin/users/{id}/suspend", LoseAnswer: true})
	require.False(t, do[discourse.Done](r, "suspend", in, gateway.Once("lost")).Already)
	require.Len(t, r.calls("PUT /admin/users/{id}/suspend"), 1)
	require.NotEmpty(t, r.one("user_suspended").Cause)
	require.Equal(t, "spam", do[discourse.Account](r, "get-user", in.Person).SuspendReason)
	require.Contains(t, string(r.one("user_suspended").Data), `"reason":"spam"`)
	do[discourse.Done](r, "silence", in)
	require.Equal(t, "spam", do[discourse.Account](r, "get-user", in.Person).SilenceReason)
}

// A forum takes an end that is past, says that all is well, and suspends nobody.
func TestAPenaltyThatWouldBeOver(t *testing.T) {
	r := newRig(t)
	past := r.Clock.Now().Add(-time.Second)
	for _, action := range []string{"suspend", "silence"} {
		err := r.refusal(action, discourse.Suspend{Person: discourse.Person{UserID: "42"}, Reason: "spam", Until: &past})
		require.Equal(t, gateway.Invalid, gateway.CodeOf(err), action)
		require.ErrorContains(t, err, "/until", action)
	}
	require.Empty(t, r.Events("user_suspended"))
}

// A penalty that ends before the one that is wanted is no such penalty: the forum does not make it longer, and says so.
func TestAShorterPenaltyIsNotTheOneThatIsWanted(t *testing.T) {
	r := newRig(t)
	now := r.Clock.Now()
	at := func(d time.Duration) *time.Time { t := now.Add(d); return &t }
	const day = 24 * time.Hour
	require.NoError(t, r.forum.Suspend("ann", "bob", now.Add(10*day), "ten days"))
	require.NoError(t, r.forum.Silence("ann", "bob", now.Add(10*day), "ten days"))
	require.NoError(t, r.forum.Suspend("ann", "Carla", now.AddDate(900, 0, 0), "for ever"))
	for _, action := range []string{"suspend", "silence"} {
		for until, already := range map[*time.Time]bool{nil: false, at(30 * day): false, at(10*day + 23*time.Hour): true, at(10 * day): true, at(day): true} {
			in := discourse.Suspend{Person: discourse.Person{UserID: "42"}, Reason: "spam", Until: until}
			if already {
				require.True(t, do[discourse.Done](r, action, in).Already, "%s %v", action, until)
				continue
			}
			err := r.refusal(action, in)
			require.Equal(t, gateway.Conflict, gateway.CodeOf(err), "%s %v", action, until)
			require.ErrorContains(t, err, "already")
		}
	}
	require.True(t, do[discourse.Done](r, "suspend", discourse.Suspend{Person: discourse.Person{UserID: "43"}, Reason: "spam"}).Already)
}

// A post is found among many that came after it, and no further than where the call began.
func TestAPostIsFoundAmongMany(t *testing.T) {
	r := newRig(t)
	topic, _ := r.topic("joshua")
	for n := range 30 {
		_, err := r.forum.Reply("bob", topic, "This is an answer of before, with the number "+itoa(int64(n))+".")
		require.NoError(t, err)
	}
	r.Clock.Set(r.Clock.Now().Add(time.Hour))
	in := discourse.CreatePost{TopicID: topic, Raw: somewhere}
	for _, f := range []fakediscourse.Fault{{LoseAnswer: true}, {CloseBefore: true}} {
		f.Route = "POST /posts"
		r.fake.Fail(f)
		r.fake.Fail(fakediscourse.Fault{Route: "GET /t/{id}", CloseBefore: true})
		name := "lost" + strconv.FormatBool(f.LoseAnswer)
		require.Equal(t, gateway.Unknown, gateway.CodeOf(r.refusal("create-post", in, gateway.Once(name))))
		for n := range 50 {
			_, err := r.forum.Reply("bob", topic, "This is an answer of "+name+", with the number "+itoa(int64(n))+".")
			require.NoError(t, err)
		}
		r.Clock.Set(r.Clock.Now().Add(2 * time.Minute))
		before := len(r.calls("GET /t/{id}/posts"))
		do[discourse.Written](r, "create-post", in, gateway.Once(name))
		require.Equal(t, 3, len(r.calls("GET /t/{id}/posts"))-before, name) // twenty at a time
	}
	ours := 0
	for _, e := range r.Events("post_created") {
		if e.Cause != "" {
			ours++
		}
	}
	require.Equal(t, 2, ours)
	require.Len(t, r.calls("POST /posts"), 3)
}

// Where nothing happened, it is done when it is asked for again, and only once there.
func TestWhatDidNotHappenIsDoneAgain(t *testing.T) {
	r := newRig(t)
	in := discourse.CreateTopic{Title: "Where shall the bench stand?", Raw: somewhere}
	r.fake.Fail(fakediscourse.Fault{Route: "POST /posts", CloseBefore: true})
	err := r.refusal("create-topic", in, gateway.Once("again"))
	require.Equal(t, gateway.Unknown, gateway.CodeOf(err))
	r.Clock.Set(r.Clock.Now().Add(2 * time.Minute))
	do[discourse.Written](r, "create-topic", in, gateway.Once("again"))
	require.Len(t, r.forum.Topics(), 1)
}

func TestRefusals(t *testing.T) {
	in := discourse.CreateTopic{Title: "Where shall the bench stand?", Raw: somewhere}
	for name, c := range map[string]struct {
		fault fakediscourse.Fault
		code  gateway.Code
		says  string
		after time.Duration
	}{
		"forbidden":   {fakediscourse.Fault{Refusal: "invalid_access"}, gateway.Denied, "topics:write", 0},
		"form":        {fakediscourse.Fault{Errors: []string{"Title has already been used"}}, gateway.Invalid, "Title has already been used", 0},
		"limit":       {fakediscourse.Fault{RetryAfter: 17 * time.Second}, gateway.Unavailable, "limits the rate", 17 * time.Second},
		"plain limit": {fakediscourse.Fault{PlainLimit: 9 * time.Second}, gateway.Unavailable, "limits the rate", 9 * time.Second},
		"read only":   {fakediscourse.Fault{Refusal: "read_only"}, gateway.Unavailable, "read_only", 0},
		"gone":        {fakediscourse.Fault{Refusal: "not_found"}, gateway.NotFound, "not_found", 0},
		"wall":        {fakediscourse.Fault{Status: 403, Body: "<html>Checking your browser</html>"}, gateway.Unavailable, "page", 0},
		"other site":  {fakediscourse.Fault{Status: 404, Body: "<html>nothing here</html>"}, gateway.Unavailable, "page", 0},
		"moved":       {fakediscourse.Fault{Status: 301, Body: "<html>over there</html>"}, gateway.Unavailable, "has moved", 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			c.fault.Route = "POST /posts"
			r.fake.Fail(c.fault)
			err := r.refusal("create-topic", in)
			require.Equal(t, c.code, gateway.CodeOf(err), err)
			require.ErrorContains(t, err, c.says)
			require.Equal(t, c.after, gateway.RetryAfter(err))
			status, _, err := r.inst.Status(t.Context())
			require.NoError(t, err)
			require.Equal(t, gateway.InstanceActive, status)
		})
	}
}

// What may have happened is not said to have failed.
func TestAPageOfFailureMayComeAfterwards(t *testing.T) {
	for _, f := range []fakediscourse.Fault{{Status: 502, Body: "<html>bad gateway</html>"}, {Status: 200, Body: "<html>welcome</html>"}, {Status: 500, Body: `{"errors":["oops"]}`}} {
		r := newRig(t)
		f.Route = "PUT /admin/users/{id}/silence"
		r.fake.Fail(f)
		require.Equal(t, gateway.Unknown, gateway.CodeOf(r.refusal("silence", discourse.Suspend{Person: discourse.Person{UserID: "42"}, Reason: "spam"})))
		f.Route = "GET /admin/users/{id}"
		r.fake.Fail(f)
		require.Equal(t, gateway.Unavailable, gateway.CodeOf(r.refusal("get-user", discourse.Person{UserID: "42"})))
	}
}
