package discourse_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/discourse"
	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
)

// hook is the only webhook of the forum.
func (r *rig) hook() fakediscourse.HookView {
	r.t.Helper()
	all := r.forum.Webhooks()
	require.Len(r.t, all, 1)
	return all[0]
}

// send delivers a body to the instance's own URL, signed, and changed as the test says.
func (r *rig) send(event, body string, change ...func(*http.Request)) int {
	r.t.Helper()
	target, err := r.inst.WebhookURL(r.t.Context())
	require.NoError(r.t, err)
	q := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("X-Discourse-Instance", forumURL)
	q.Header.Set("X-Discourse-Event", event)
	q.Header.Set("X-Discourse-Event-Signature", fakediscourse.Sign(hookSecret, []byte(body)))
	for _, f := range change {
		f(q)
	}
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, q)
	r.due()
	return w.Code
}

func TestTheWebhookIsMadeOnce(t *testing.T) {
	r := newRig(t)
	h := r.hook()
	target, err := r.inst.WebhookURL(t.Context())
	require.NoError(t, err)
	require.Equal(t, target, h.URL)
	require.Equal(t, hookSecret, h.Secret)
	require.Equal(t, "application/json", h.ContentType)
	require.True(t, h.Active)
	require.True(t, h.VerifyCert)
	require.False(t, h.Wildcard)
	require.Contains(t, h.Events, "user_suspended")
	require.Contains(t, h.Events, "reviewable_created")
	require.NotContains(t, h.Events, "notification_created")
	require.Equal(t, "successful", h.LastStatus) // the ping arrived

	r.Advance(24 * time.Hour)
	r.due()
	require.Equal(t, h.ID, r.hook().ID)
	require.Len(t, r.calls("POST /admin/api/web_hooks"), 1)
	require.Empty(t, r.calls("PUT /admin/api/web_hooks/{id}"))
}

// Older forums list the kinds of events, newer ones have them in groups.
func TestTheWebhookOfAnOlderForum(t *testing.T) {
	r := start(t)
	r.forum.Set(func(s *fakediscourse.Settings) { s.OldHooks = true })
	r.due()
	h := r.hook()
	require.False(t, h.Wildcard)
	require.Contains(t, h.Events, "user_suspended")
	require.NotContains(t, h.Events, "notification_created")
	r.forum.Set(func(s *fakediscourse.Settings) { s.OldHooks = false })
	r.Advance(24 * time.Hour)
	require.Equal(t, h.Events, r.hook().Events)
	require.Empty(t, r.calls("PUT /admin/api/web_hooks/{id}"))
}

// Somebody removes it, or it is made twice because an answer was lost: there is one again.
func TestTheWebhookIsMended(t *testing.T) {
	r := newRig(t)
	r.forum.RemoveWebhook(r.hook().ID)
	r.Advance(7 * time.Hour)
	first := r.hook().ID

	target, err := r.inst.WebhookURL(t.Context())
	require.NoError(t, err)
	_, err = r.forum.AddWebhook(fakediscourse.Webhook{URL: target, Secret: "some-other-secret", Events: []string{"notification_created"}})
	require.NoError(t, err)
	_, err = r.forum.AddWebhook(fakediscourse.Webhook{URL: "https://elsewhere.example/hook", Secret: "some-other-secret"})
	require.NoError(t, err)
	r.Advance(7 * time.Hour)
	all := r.forum.Webhooks()
	require.Len(t, all, 2) // another program's stays
	require.Equal(t, first, all[0].ID)

	// A new secret is brought to the forum.
	_, err = r.c.Enable(t.Context(), "discourse", discourse.Config{URL: forumURL, APIKey: gateway.Secret(r.key), WebhookSecret: "fake-second-secret"})
	require.NoError(t, err)
	r.due()
	require.Equal(t, "fake-second-secret", r.forum.Webhooks()[0].Secret)
	require.Equal(t, "successful", r.forum.Webhooks()[0].LastStatus)
}

// The health says that deliveries fail, until one arrives.
func TestDeliveriesThatFail(t *testing.T) {
	r := newRig(t)
	fault := r.fake.Fail(fakediscourse.Fault{Delivery: "*", Times: -1, CloseBefore: true})
	r.topic("bob")
	trouble := func() string {
		h, err := r.inst.Health(t.Context())
		require.NoError(t, err)
		require.Len(t, h.Polls, 1)
		return h.Polls[0].Error
	}
	require.Empty(t, trouble())
	r.Advance(7 * time.Hour)
	require.Contains(t, trouble(), "last delivery failed")
	require.NotContains(t, trouble(), "/api/hooks")
	fault.Remove()
	r.due()
	for range 2 { // the next look has it pinged, the one after sees that it arrived
		r.Advance(7 * time.Hour)
		r.due()
	}
	require.Empty(t, trouble())
}

func TestAnAnswerThatIsLostMakesNoSecondWebhook(t *testing.T) {
	r := start(t)
	r.fake.Fail(fakediscourse.Fault{Route: "POST /admin/api/web_hooks", LoseAnswer: true})
	r.due()
	r.Advance(time.Hour)
	r.hook()
	require.Len(t, r.calls("POST /admin/api/web_hooks"), 1)
}

func TestTheWebhookIsRemovedWithTheInstance(t *testing.T) {
	r := newRig(t)
	_, err := r.forum.AddWebhook(fakediscourse.Webhook{URL: "https://elsewhere.example/hook", Secret: "some-other-secret"})
	require.NoError(t, err)
	require.NoError(t, r.inst.Remove(t.Context()))
	require.Equal(t, "https://elsewhere.example/hook", r.hook().URL)

	r = newRig(t) // a forum that is away keeps nobody
	r.forum.Maintain(true)
	require.NoError(t, r.inst.Remove(t.Context()))
	r.hook()
}

// changeHook is what an administrator does to a webhook.
func (r *rig) changeHook(id int64, fields string) {
	r.t.Helper()
	at := forumURL + "/admin/api/web_hooks/" + itoa(id) + ".json"
	q, err := http.NewRequestWithContext(r.t.Context(), http.MethodPut, at, strings.NewReader(`{"web_hook":`+fields+`}`))
	require.NoError(r.t, err)
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Api-Key", r.key)
	q.Header.Set("Api-Username", "system")
	res, err := r.fake.Client().Do(q)
	require.NoError(r.t, err)
	require.NoError(r.t, res.Body.Close())
	require.Equal(r.t, http.StatusOK, res.StatusCode)
}

// An administrator makes something else of the webhook, or a forum that was restored gives its ID to another: that is theirs.
func TestAWebhookThatIsAnothersNowStaysTheirs(t *testing.T) {
	r := newRig(t)
	id := r.hook().ID
	r.changeHook(id, `{"payload_url":"https://elsewhere.example/hook","secret":"fake-their-secret"}`)
	theirs := func(n int) {
		t.Helper()
		all := r.forum.Webhooks()
		require.Len(t, all, n)
		require.Equal(t, []any{id, "https://elsewhere.example/hook", "fake-their-secret"}, []any{all[0].ID, all[0].URL, all[0].Secret})
	}
	r.Advance(7 * time.Hour)
	theirs(2)
	r.topic("bob")
	r.one("topic_created")
	require.NoError(t, r.inst.Remove(t.Context()))
	theirs(1)

	r = newRig(t)
	r.changeHook(id, `{"payload_url":"https://elsewhere.example/hook","secret":"fake-their-secret"}`)
	require.NoError(t, r.inst.Remove(t.Context())) // before anything was noticed
	theirs(1)
}

// One whose address alone is wrong is mended: it has the secret.
func TestAWebhookWithAnotherAddressIsMended(t *testing.T) {
	r := newRig(t)
	before := r.hook()
	r.changeHook(before.ID, `{"payload_url":"https://gateway.example/typo"}`)
	r.Advance(7 * time.Hour)
	require.Equal(t, before.ID, r.hook().ID)
	require.Equal(t, before.URL, r.hook().URL)
}

// Where the key may not, the instance's health says what has to be done by hand; events come all the same then.
func TestAWebhookByHand(t *testing.T) {
	r := newRig(t, func(s *setup) {
		s.key = []fakediscourse.KeyOption{fakediscourse.WithScopes(fakediscourse.Scope{Resource: "topics", Action: "write"})}
	})
	require.Empty(t, r.forum.Webhooks())
	h, err := r.inst.Health(t.Context())
	require.NoError(t, err)
	require.Contains(t, h.Polls[0].Error, "by hand")
	require.Contains(t, h.Missing, "users:suspend")
	require.NotContains(t, h.Missing, "topics:write")
	require.Equal(t, gateway.InstanceActive, h.Status)

	target, err := r.inst.WebhookURL(t.Context())
	require.NoError(t, err)
	_, err = r.forum.AddWebhook(fakediscourse.Webhook{URL: target, Secret: hookSecret})
	require.NoError(t, err)
	r.topic("bob")
	r.one("topic_created")
	// Who suspended somebody is not known then.
	require.NoError(t, r.forum.Suspend("ann", "bob", r.Clock.Now().Add(time.Hour), "spam"))
	e := r.one("user_suspended")
	require.Empty(t, e.Initiator)
	require.Contains(t, string(e.Data), `"suspension":{"by":null,"reason":"","until":null}`)
}

func TestEventsOnly(t *testing.T) {
	r := newRig(t, func(s *setup) { s.config.APIKey = "none" })
	require.Empty(t, r.forum.Webhooks())
	require.Equal(t, http.StatusOK, r.send("post_created", `{"post":{"id":7,"user_id":42}}`))
	require.Equal(t, "42", r.one("post_created").Initiator)
	require.Equal(t, http.StatusOK, r.send("user_suspended", `{"user":{"id":42}}`))
	r.one("user_suspended")
	require.Equal(t, gateway.Denied, gateway.CodeOf(r.refusal("get-user", discourse.Person{UserID: "42"})))
	for _, call := range r.fake.Calls() {
		require.Equal(t, "none", call.Key, call.Route)
	}
}

// Who suspended somebody and why is asked, for Discourse does not say it.
func TestSuspendedByWhom(t *testing.T) {
	r := newRig(t)
	require.NoError(t, r.forum.Suspend("ann", "bob", r.Clock.Now().Add(time.Hour), "harassment"))
	e := r.one("user_suspended")
	require.Equal(t, "90", e.Initiator)
	require.False(t, e.Bot)
	require.Empty(t, e.Cause)
	var data struct {
		User       struct{ ID int64 }
		Suspension struct {
			By     struct{ Username string }
			Reason string
		}
	}
	require.NoError(t, json.Unmarshal(e.Data, &data))
	require.Equal(t, int64(42), data.User.ID)
	require.Equal(t, "ann", data.Suspension.By.Username)
	require.Equal(t, "harassment", data.Suspension.Reason)
	require.NoError(t, r.forum.Unsuspend("ann", "bob"))
	require.Empty(t, r.one("user_unsuspended").Cause)
}

// The forum is away when it should say who did it: the event comes when it is back, once.
func TestSuspendedWhileTheForumIsAway(t *testing.T) {
	r := newRig(t)
	fault := r.fake.Fail(fakediscourse.Fault{Route: "GET /admin/users/{id}", Times: 2, Status: 503, Body: "<html>maintenance</html>"})
	require.NoError(t, r.forum.Suspend("ann", "bob", r.Clock.Now().Add(24*time.Hour), "harassment"))
	r.due()
	require.Empty(t, r.Events("user_suspended"))
	r.Advance(time.Hour)
	require.Equal(t, 2, fault.Hits())
	require.Equal(t, "90", r.one("user_suspended").Initiator)
}

// The program dies after the event was made and before it is known that it was asked who did it: what the forum says the second time makes no other event.
func TestASuspensionThatIsAskedAboutTwice(t *testing.T) {
	r := newRig(t)
	require.NoError(t, r.forum.Suspend("ann", "bob", r.Clock.Now().Add(24*time.Hour), "harassment"))
	e := r.one("user_suspended")
	var data map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(e.Data, &data))
	require.Contains(t, data, "suspension")
	data["suspension"] = json.RawMessage(`{"by":null,"reason":"","until":null}`) // it was taken back meanwhile
	body, err := json.Marshal(data)
	require.NoError(t, err)
	header := http.Header{"Content-Type": {"application/json"}, "X-Discourse-Event": {"user_suspended"}}
	require.NoError(t, r.inst.Accept(t.Context(), header, body))
	r.due()
	require.Equal(t, "90", r.one("user_suspended").Initiator)
	// Another one is another.
	r.Clock.Advance(time.Hour)
	require.NoError(t, r.forum.Suspend("ann", "bob", r.Clock.Now().Add(48*time.Hour), "harassment"))
	r.due()
	require.Len(t, r.Events("user_suspended"), 2)
}

// A suspension of ours is ours although the answer was lost and the program died meanwhile.
func TestSuspendingAndDying(t *testing.T) {
	r := newRig(t)
	in := discourse.Suspend{Person: discourse.Person{UserID: "42"}, Reason: "decision 7"}
	r.fake.Fail(fakediscourse.Fault{Route: "PUT /admin/users/{id}/suspend", LoseAnswer: true})
	r.fake.Fail(fakediscourse.Fault{Route: "GET /admin/users/{id}", CloseBefore: true}) // nor can it be looked up
	require.Equal(t, gateway.Unknown, gateway.CodeOf(r.refusal("suspend", in, gateway.Once("decision-7"))))
	require.NoError(t, r.fake.Flush(t.Context()))
	r.Restart()
	r.c = r.Community("town")
	var err error
	r.inst, err = r.c.Instance(t.Context(), "discourse")
	require.NoError(t, err)
	r.Advance(time.Hour)
	do[discourse.Done](r, "suspend", in, gateway.Once("decision-7"))
	require.Len(t, r.calls("PUT /admin/users/{id}/suspend"), 1)
	require.NotEmpty(t, r.one("user_suspended").Cause)
}

func TestUserFields(t *testing.T) {
	r := newRig(t)
	pronouns, city := r.forum.AddUserField("Pronouns"), r.forum.AddUserField("City")
	require.NoError(t, r.forum.ChangeField("bob", city, "Town"))
	first := r.one("user_fields_changed")
	require.JSONEq(t, `{"user_id":42,"username":"bob","known":false,"old_values":{},"new_values":{"`+itoa(city)+`":"Town"}}`, string(first.Data))
	require.NoError(t, r.forum.ChangeField("bob", pronouns, "they"))
	require.NoError(t, r.forum.ChangeField("bob", city, "Village"))
	r.due()
	all := r.Events("user_fields_changed")
	require.Len(t, all, 3)
	require.JSONEq(t, `{"user_id":42,"username":"bob","known":true,"old_values":{"`+itoa(pronouns)+`":null},"new_values":{"`+itoa(pronouns)+`":"they"}}`, string(all[1].Data))
	require.JSONEq(t, `{"user_id":42,"username":"bob","known":true,"old_values":{"`+itoa(city)+`":"Town"},"new_values":{"`+itoa(city)+`":"Village"}}`, string(all[2].Data))

	// An update of something else is no change of the fields, nor is a copy of an earlier delivery.
	require.NoError(t, r.forum.Rename("bob", "robert"))
	r.due()
	require.Len(t, r.Events("user_fields_changed"), 3)
	// Nobody's account was read.
	for _, call := range r.fake.Calls() {
		require.NotContains(t, call.Route, "/u/")
		require.NotContains(t, call.Route, "/admin/users")
	}
	// Who is gone is forgotten.
	require.Equal(t, http.StatusOK, r.send("user_anonymized", `{"user":{"id":42,"username":"anon1","user_fields":{}}}`))
	require.Equal(t, http.StatusOK, r.send("user_updated", `{"user":{"id":42,"username":"anon1","user_fields":{"`+itoa(city)+`":"Elsewhere"}}}`))
	all = r.Events("user_fields_changed")
	require.Len(t, all, 4)
	require.Contains(t, string(all[3].Data), `"known":false`)
}

// A delivery that failed comes again after newer ones: what it says of the fields is history.
func TestUserFieldsThatComeLate(t *testing.T) {
	r := newRig(t)
	update := func(city, seen string) {
		t.Helper()
		body := `{"user":{"id":42,"username":"bob","last_seen_at":` + seen + `,"user_fields":{"1":"` + city + `"}}}`
		require.Equal(t, http.StatusOK, r.send("user_updated", body))
	}
	update("Town", `"2026-11-02T11:00:00.000Z"`)
	update("Village", `"2026-11-02T11:20:00.000Z"`)
	update("Hamlet", `"2026-11-02T11:10:00.000Z"`) // failed at first
	update("City", `"2026-11-02T11:20:00.000Z"`)
	update("Harbour", `null`)
	var told []string
	for _, e := range r.Events("user_fields_changed") {
		var d discourse.FieldsChanged
		require.NoError(t, json.Unmarshal(e.Data, &d))
		told = append(told, fmt.Sprint(d.Old["1"], " to ", d.New["1"]))
	}
	require.Equal(t, []string{"<nil> to Town", "Town to Village", "Village to City", "City to Harbour"}, told)
	require.Len(t, r.Events("user_updated"), 5)
}

func TestWhatPeopleDoIsTold(t *testing.T) {
	r := newRig(t)
	topic, first := r.topic("bob")
	answer, err := r.forum.Reply("Carla", topic, "There is a fine place beside the old mill.")
	require.NoError(t, err)
	require.NoError(t, r.forum.Like("bob", answer))
	_, err = r.forum.Flag("bob", answer, 8, "")
	require.NoError(t, err)
	require.NoError(t, r.forum.EditPost("Carla", answer, "There is a fine place beside the new mill."))
	require.NoError(t, r.forum.DeletePost("ann", answer))
	require.NoError(t, r.forum.Recover("ann", answer))
	require.NoError(t, r.forum.EditTopic("ann", topic, "Where will the bench stand then?", 1))
	require.NoError(t, r.forum.SetStatus("ann", topic, "closed", true))
	require.NoError(t, r.forum.DeleteTopic("ann", topic))
	require.NoError(t, r.forum.Recover("ann", first))
	r.due()
	require.Equal(t, "42", r.one("post_liked").Initiator)
	require.Equal(t, "42", r.one("reviewable_created").Initiator)
	for _, typ := range []string{"topic_created", "topic_destroyed", "topic_recovered", "topic_closed_status_updated"} {
		e := r.one(typ)
		require.Empty(t, e.Cause, typ)
		require.False(t, e.Bot, typ)
	}
	require.NotEmpty(t, r.Events("post_edited"))
	require.NotEmpty(t, r.Events("topic_edited"))
	require.Len(t, r.Events("post_destroyed"), 2)
}

// Retries, copies and repairs have no second effect.
func TestOnceForEachFact(t *testing.T) {
	r := newRig(t)
	r.fake.Fail(fakediscourse.Fault{Delivery: "post_created", Duplicate: 2})
	r.fake.Fail(fakediscourse.Fault{Delivery: "topic_created", LoseAnswer: true})
	r.topic("bob")
	r.one("post_created")
	r.one("topic_created")
	require.NoError(t, r.inst.Repair(t.Context(), gateway.Gap{Since: r.Clock.Now().Add(-time.Hour)}))
	r.one("topic_created")
}

func TestWhatFailedToArriveIsFetched(t *testing.T) {
	r := newRig(t)
	r.fake.Fail(fakediscourse.Fault{Delivery: "*", Times: 3, CloseBefore: true})
	r.topic("bob")
	require.NoError(t, r.forum.Suspend("ann", "Carla", r.Clock.Now().Add(time.Hour), "spam"))
	r.due()
	require.Empty(t, r.Events("post_created"))
	require.NoError(t, r.inst.Repair(t.Context(), gateway.Gap{Since: r.Clock.Now()}))
	r.due()
	require.Equal(t, "42", r.one("post_created").Initiator)
	r.one("topic_created")
	require.Equal(t, "90", r.one("user_suspended").Initiator)
	require.NoError(t, r.inst.Repair(t.Context(), gateway.Gap{Since: r.Clock.Now()}))
	r.due()
	r.one("post_created")
}

// A delivery that failed while we were there, or away for a moment only, is fetched when the webhook is looked after: a forum tries once, unless it is told
// otherwise.
func TestWhatFailedOnTheWayIsFetched(t *testing.T) {
	r := newRig(t)
	r.forum.Set(func(s *fakediscourse.Settings) { s.RetryWebHookEvents = false })
	r.fake.Fail(fakediscourse.Fault{Delivery: "user_suspended", CloseBefore: true})
	require.NoError(t, r.forum.Suspend("ann", "Carla", r.Clock.Now().AddDate(1, 0, 0), "spam"))
	r.due()
	require.Empty(t, r.Events("user_suspended"))
	r.topic("bob") // which arrives
	r.Advance(7 * time.Hour)
	require.Equal(t, "90", r.one("user_suspended").Initiator)
	r.Advance(24 * time.Hour)
	r.one("user_suspended")
}

// What failed is fetched bit by bit where it is much, and all of it, in its order.
func TestALargeGapIsRepairedBitByBit(t *testing.T) {
	r := newRig(t)
	topic, _ := r.topic("bob")
	r.due()
	r.forum.Set(func(s *fakediscourse.Settings) { s.RetryWebHookEvents = false })
	fault := r.fake.Fail(fakediscourse.Fault{Delivery: "*", Times: -1, CloseBefore: true})
	const answers = 30
	for n := range answers {
		_, err := r.forum.Reply("Carla", topic, itoa(int64(n))+" "+strings.Repeat("There is a fine place beside the old mill. ", 700))
		require.NoError(t, err)
	}
	fault.Remove()
	before := len(r.Events("post_created"))
	require.NoError(t, r.inst.Repair(t.Context(), gateway.Gap{Since: r.Clock.Now()}))
	r.due()
	all := r.Events("post_created")[before:]
	require.Len(t, all, answers)
	for n, e := range all {
		require.Contains(t, string(e.Data), `"raw":"`+itoa(int64(n))+` There`)
	}
	require.Greater(t, len(r.calls("GET /admin/api/web_hook_events/{id}")), answers/50+2, "in several goes")
}

// A delivery that is larger than the gateway takes keeps none of the others waiting.
func TestAFailedDeliveryThatIsTooLargeIsPassedOver(t *testing.T) {
	r := newRig(t, func(s *setup) { s.options = func(o *gateway.Options) { o.MaxBody = 20_000 } })
	r.forum.Set(func(s *fakediscourse.Settings) { s.RetryWebHookEvents = false })
	fault := r.fake.Fail(fakediscourse.Fault{Delivery: "*", Times: -1, CloseBefore: true})
	topic, _ := r.topic("bob")
	_, err := r.forum.Reply("Carla", topic, strings.Repeat("There is a fine place beside the old mill. ", 700))
	require.NoError(t, err)
	last, err := r.forum.Reply("Carla", topic, "And there is another by the river.")
	require.NoError(t, err)
	fault.Remove()
	require.NoError(t, r.inst.Repair(t.Context(), gateway.Gap{Since: r.Clock.Now()}))
	r.due()
	all := r.Events("post_created")
	require.Len(t, all, 2)
	require.Contains(t, string(all[1].Data), `"id":`+itoa(last))
}

// Where the log cannot be seen, or what is in it cannot be read, a repair ends all the same.
func TestRepairsThatFindNothing(t *testing.T) {
	const route = "GET /admin/api/web_hook_events/{id}"
	for name, c := range map[string]struct {
		fault fakediscourse.Fault
		asked int
	}{
		"forbidden":    {fakediscourse.Fault{Refusal: "invalid_access"}, 1},
		"gone":         {fakediscourse.Fault{Refusal: "not_found"}, 1},
		"away":         {fakediscourse.Fault{Status: 503, Body: "<html>back soon</html>"}, 2},
		"not read":     {fakediscourse.Fault{Status: 200, Body: `{"web_hook_events":[{"id":1,"status":500,"headers":"?","payload":"{}","created_at":"2026-11-02T12:00:00Z"}]}`}, 2},
		"no JSON":      {fakediscourse.Fault{Status: 200, Body: `{"web_hook_events":[{"id":1,"status":500,"headers":"{\"X-Discourse-Event\":\"post_created\"}","payload":"<","created_at":"2026-11-02T12:00:00Z"}]}`}, 2},
		"a ping":       {fakediscourse.Fault{Status: 200, Body: `{"web_hook_events":[{"id":1,"status":500,"headers":"{\"X-Discourse-Event\":\"ping\"}","payload":"{}","created_at":"2026-11-02T12:00:00Z"}]}`}, 2},
		"too long ago": {fakediscourse.Fault{Status: 200, Body: `{"web_hook_events":[{"id":1,"status":500,"headers":"{\"X-Discourse-Event\":\"post_created\"}","payload":"{}","created_at":"2026-11-01T12:00:00Z"}]}`}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			c.fault.Route = route
			r.fake.Fail(c.fault)
			require.NoError(t, r.inst.Repair(t.Context(), gateway.Gap{Since: r.Clock.Now()}))
			r.Advance(time.Hour)
			require.Len(t, r.calls(route), c.asked)
			require.Empty(t, r.Events())
			status, _, err := r.inst.Status(t.Context())
			require.NoError(t, err)
			require.Equal(t, gateway.InstanceActive, status)
		})
	}
}

func TestWhatIsNotTheForumsIsRefused(t *testing.T) {
	r := newRig(t)
	body := `{"post":{"id":7,"user_id":42}}`
	header := func(name, value string) func(*http.Request) {
		return func(q *http.Request) {
			if q.Header.Set(name, value); value == "" {
				q.Header.Del(name)
			}
		}
	}
	for name, c := range map[string]struct {
		change func(*http.Request)
		code   int
	}{
		"no signature":    {header("X-Discourse-Event-Signature", ""), http.StatusUnauthorized},
		"other secret":    {header("X-Discourse-Event-Signature", fakediscourse.Sign("fake-other-secret", []byte(body))), http.StatusUnauthorized},
		"other forum":     {header("X-Discourse-Instance", "https://evil.example"), http.StatusUnauthorized},
		"no event":        {header("X-Discourse-Event", ""), http.StatusBadRequest},
		"changed body":    {func(q *http.Request) { q.Body = http.NoBody }, http.StatusUnauthorized},
		"unknown address": {func(q *http.Request) { q.URL.Path += "x" }, http.StatusNotFound},
		"huge": {func(q *http.Request) {
			q.Body = http.MaxBytesReader(nil, nopCloser{bytes.NewReader(make([]byte, 10<<20))}, 20<<20)
		}, http.StatusRequestEntityTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.code, r.send("post_created", body, c.change))
			require.Empty(t, r.Events("post_created"))
		})
	}
	for _, odd := range []string{"[]", "null", "payload=%7B%7D", "<html>"} {
		require.Equal(t, http.StatusBadRequest, r.send("post_created", odd), odd)
	}
	for _, odd := range []string{"{}", `{"post":7}`, `{"post":{"id":"x","user_id":[]}}`, `{"a":{},"b":{}}`, `{"user":{"id":42,"user_fields":[]}}`} {
		require.Equal(t, http.StatusOK, r.send("something_new", odd), odd)
		require.Equal(t, http.StatusOK, r.send("user_updated", odd), odd)
	}
	require.Len(t, r.Events("something_new"), 5)
}

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }

// One forum's secret opens nothing of another community.
func TestCommunitiesAreApart(t *testing.T) {
	r := newRig(t)
	other, err := r.fake.AddForum("https://other.example")
	require.NoError(t, err)
	c := r.Community("village")
	inst, err := c.Enable(t.Context(), "discourse", discourse.Config{URL: "https://other.example", APIKey: gateway.Secret(other.NewKey())})
	require.NoError(t, err)
	r.due()
	require.Len(t, other.Webhooks(), 1)
	require.NotEqual(t, hookSecret, other.Webhooks()[0].Secret)
	require.GreaterOrEqual(t, len(other.Webhooks()[0].Secret), 20)
	target, err := inst.WebhookURL(t.Context())
	require.NoError(t, err)
	to, err := url.Parse(target)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, r.send("post_created", `{"post":{"id":7}}`, func(q *http.Request) { q.URL.Path = to.Path }))
}

func TestAKeyThatIsRevoked(t *testing.T) {
	r := newRig(t)
	r.forum.RevokeKey(r.key)
	require.Equal(t, gateway.Denied, gateway.CodeOf(r.refusal("get-user", discourse.Person{UserID: "42"})))
	status, reason, err := r.inst.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "paused "+gateway.BadCredentials, status+" "+reason)

	_, err = r.c.Enable(t.Context(), "discourse", discourse.Config{URL: forumURL, WebhookSecret: hookSecret, APIKey: "fake-wrong-key"})
	require.Equal(t, gateway.Denied, gateway.CodeOf(err))
	require.NotContains(t, err.Error(), "fake-wrong-key")
}

func TestConfigure(t *testing.T) {
	r := newRig(t)
	enable := func(c discourse.Config) error {
		_, err := r.Community("other").Enable(t.Context(), "discourse", c)
		return err
	}
	for address, code := range map[string]gateway.Code{
		"http://forum.example":        gateway.Invalid, // not by plain http
		"https://u:p@forum.example":   gateway.Invalid,
		"https://forum.example/?x":    gateway.Invalid,
		"ftp://forum.example":         gateway.Invalid,
		"https://10.0.0.1":            gateway.Invalid, // not a public address
		"https://169.254.169.254/x":   gateway.Invalid,
		"https://nobody.example.test": gateway.Unavailable,
	} {
		require.Equal(t, code, gateway.CodeOf(enable(discourse.Config{URL: address})), address)
	}
	for name, f := range map[string]fakediscourse.Fault{
		"a page":     {Status: 200, Body: "<html>Hello</html>"},
		"moved":      {Status: 301, Body: "<html>there</html>"},
		"in repair":  {Status: 503, Body: "<html>back soon</html>"},
		"other JSON": {Status: 200, Body: `{"name":"something else"}`},
	} {
		f.Route = "GET /site/basic-info"
		r.fake.Fail(f)
		require.Error(t, enable(discourse.Config{URL: forumURL}), name)
	}
	require.Equal(t, gateway.Invalid, gateway.CodeOf(enable(discourse.Config{URL: forumURL, APIKey: gateway.Secret(r.key), APIUsername: "system\nX-Evil: 1"})))
	require.NoError(t, enable(discourse.Config{URL: "https://FORUM.example/", APIKey: gateway.Secret(" " + r.key + "\n")}))
	inst, err := r.Community("other").Instance(t.Context(), "discourse")
	require.NoError(t, err)
	require.Equal(t, forumURL, inst.PlatformID())
	raw, err := r.inst.Config(t.Context())
	require.NoError(t, err)
	require.NotContains(t, string(raw), r.key)
	require.NotContains(t, string(raw), hookSecret)
	require.Contains(t, string(raw), `"scopes":["global"]`)
}

// An older forum does not say what a key may do: then it is not known, and nothing is said to be missing.
func TestAForumThatDoesNotListScopes(t *testing.T) {
	r := start(t, func(s *setup) {
		s.key = []fakediscourse.KeyOption{fakediscourse.ForUser("admin")}
		s.config.APIUsername = "admin"
	})
	r.fake.Fail(fakediscourse.Fault{Route: "GET /session/scopes", Refusal: "not_found"})
	require.NoError(t, r.inst.Reconfigure(t.Context(), discourse.Config{URL: forumURL, APIKey: gateway.Secret(r.key), APIUsername: "admin"}))
	h, err := r.inst.Health(t.Context())
	require.NoError(t, err)
	require.Empty(t, h.Missing)
	raw, err := r.inst.Config(t.Context())
	require.NoError(t, err)
	require.Contains(t, string(raw), `"account_id":"1"`)
	r.due()
	// What the account does that is ours alone is known as the gateway's, whoever asked for it.
	_, _, err = r.forum.Post("admin", fakediscourse.NewTopic{Title: "Where shall the bench stand?", Raw: somewhere})
	require.NoError(t, err)
	e := r.one("topic_created")
	require.True(t, e.Bot)
	require.Empty(t, e.Cause)
}

// The forum moves: nothing goes to where it sends, and what waits says so.
func TestAForumThatMoves(t *testing.T) {
	r := newRig(t)
	require.NoError(t, r.forum.Move("https://new.example"))
	err := r.refusal("get-user", discourse.Person{UserID: "42"})
	require.Equal(t, gateway.Unavailable, gateway.CodeOf(err))
	require.ErrorContains(t, err, "has moved")
	require.Empty(t, r.fake.Refused())
	last := r.calls("")
	require.Equal(t, http.StatusMovedPermanently, last[len(last)-1].Answer.Status) // and nobody went there
}
