package fakediscourse_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
)

func TestWebhooksByAPI(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	const list = "/admin/api/web_hooks.json"
	w.refused(404, "not_found", "bob", "GET", list, "")
	w.refused(404, "not_found", "ann", "GET", list, "") // for administrators alone
	w.refused(404, "not_found", "", "GET", list, "")
	for body, says := range map[string]string{
		`{}`:              "web_hook",
		`{"web_hook":{}}`: "Payload URL can't be blank",
		`{"web_hook":{"payload_url":"ftp://x.example","wildcard_web_hook":true}}`:                           "Payload URL is invalid",
		`{"web_hook":{"payload_url":"https://x.example"}}`:                                                  "event types can't be blank",
		`{"web_hook":{"payload_url":"https://x.example","wildcard_web_hook":true,"secret":"short"}}`:        "minimum is 12",
		`{"web_hook":{"payload_url":"https://x.example","wildcard_web_hook":true,"content_type":7}}`:        "Content type",
		`{"web_hook":{"payload_url":"https://x.example","web_hook_event_type_ids":[9999],"active":"true"}}`: "event types can't be blank",
	} {
		a := w.send("system", "POST", list, body)
		require.Contains(t, []int{400, 422}, a.status, body)
		require.Contains(t, string(a.body), says, body)
	}
	a := w.ok("POST", list, `{"web_hook":{"payload_url":" https://x.example/hook ","content_type":"1","secret":"`+secret+`","active":true,"verify_certificate":true,"web_hook_event_type_ids":["201","308"]}}`)
	id := num(int64(a.at(t, "web_hook", "id").(float64)))
	require.Equal(t, "https://x.example/hook", a.at(t, "web_hook", "payload_url"))
	require.Equal(t, "post_created", a.at(t, "web_hook", "web_hook_event_types", 0, "name"))
	require.Equal(t, 2.0, w.ok("GET", list, "").at(t, "total_rows_web_hooks"))
	require.Equal(t, "user_suspended", w.ok("GET", "/admin/api/web_hooks/"+id+".json", "").at(t, "web_hook", "web_hook_event_types", 1, "name"))
	w.refused(422, "minimum is 12", "system", "PUT", "/admin/api/web_hooks/"+id+".json", `{"web_hook":{"secret":"x"}}`)
	w.ok("PUT", "/admin/api/web_hooks/"+id+".json", `{"web_hook":{"web_hook_event_type_ids":[1501]}}`)
	h := w.f.Webhooks()[1]
	require.Equal(t, []string{"post_liked"}, h.Events)
	require.Equal(t, secret, h.Secret, "what is not named stays")
	require.True(t, h.Active && h.VerifyCert && !h.Wildcard)

	w.ok("POST", "/admin/api/web_hooks/"+id+"/ping.json", "")
	got := w.heard()
	require.Len(t, got, 1)
	require.Equal(t, `{"ping":"OK"}`, string(got[0].body))
	require.Equal(t, "ping", got[0].header.Get("X-Discourse-Event-Type"))
	require.Equal(t, "successful", w.f.Webhooks()[1].LastStatus)
	events := w.ok("GET", "/admin/api/web_hook_events/"+id+".json", "")
	require.Equal(t, 200.0, events.at(t, "web_hook_events", 0, "status"))
	require.Contains(t, events.at(t, "web_hook_events", 0, "headers"), `"X-Discourse-Event":"ping"`)

	w.topic(hello) // of which this one wants nothing
	require.Len(t, w.heard(), 2)
	w.ok("DELETE", "/admin/api/web_hooks/"+id+".json", "")
	w.refused(404, "not_found", "system", "DELETE", "/admin/api/web_hooks/"+id+".json", "")
	w.refused(404, "not_found", "system", "POST", "/admin/api/web_hooks/"+id+"/ping.json", "")
}

func TestWebhookKinds(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	w.f.RemoveWebhook(w.hook)
	const url = "https://gateway.example/x"
	form, err := w.f.AddWebhook(fakediscourse.Webhook{URL: url, Form: true, Events: []string{"post_created"}})
	require.NoError(t, err)
	w.topic(hello)
	got := w.heard()
	require.Len(t, got, 1)
	require.Equal(t, "application/x-www-form-urlencoded", got[0].header.Get("Content-Type"))
	require.Equal(t, byte('{'), got[0].body[0], "the body is JSON all the same")
	require.Empty(t, got[0].header.Values("X-Discourse-Event-Signature"), "nothing is signed without a secret")
	w.f.RemoveWebhook(form)

	_, err = w.f.AddWebhook(fakediscourse.Webhook{URL: url, Inactive: true})
	require.NoError(t, err)
	_, err = w.f.AddWebhook(fakediscourse.Webhook{URL: url, Categories: []int64{3}})
	require.NoError(t, err)
	_, err = w.f.AddWebhook(fakediscourse.Webhook{URL: url, Tags: []string{"wanted"}})
	require.NoError(t, err)
	w.topic(hello + " Twice.")
	require.Empty(t, w.heard())
	_, _, err = w.f.Post("ann", fakediscourse.NewTopic{Title: "With the tag that is wanted", Raw: hello, Tags: []string{"wanted"}})
	require.NoError(t, err)
	require.Equal(t, []string{"topic_created", "post_created"}, w.events())
	_, err = w.f.AddWebhook(fakediscourse.Webhook{URL: "nowhere"})
	require.Error(t, err)
	require.ErrorIs(t, w.f.Ping(99), fakediscourse.ErrRefused)
}

// Discourse retries only where that is switched on: after 1, 5, 25 and 125 minutes, each time with another event ID.
func TestRetries(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	w.answer(503)
	require.NoError(t, w.f.ChangeField("bob", w.f.AddUserField("Wallet"), "1"))
	d := w.s.DeliveriesOf("user_updated")
	require.True(t, d[0].GivenUp)
	require.Equal(t, "failed", w.f.Webhooks()[0].LastStatus)

	w.f.Set(func(s *fakediscourse.Settings) { s.RetryWebHookEvents = true })
	require.NoError(t, w.f.Promote("bob", 2))
	for _, minutes := range []time.Duration{1, 5, 25, 125} {
		require.Zero(t, w.s.SendLate(context.Background()))
		w.pass(minutes * time.Minute)
		require.Equal(t, 1, w.s.SendLate(context.Background()))
	}
	w.pass(24 * time.Hour)
	require.Zero(t, w.s.SendLate(context.Background()))
	d = w.s.DeliveriesOf("user_promoted")
	require.Len(t, d[0].Attempts, 5)
	require.True(t, d[0].GivenUp)
	ids := map[string]bool{}
	for _, g := range w.heard()[1:] {
		ids[g.header.Get("X-Discourse-Event-Id")] = true
	}
	require.Len(t, ids, 5)
	require.Len(t, w.ok("GET", "/admin/api/web_hook_events/"+num(w.hook)+".json?status=failed", "").at(t, "web_hook_events"), 6)

	w.answer(410) // which is not retried
	require.NoError(t, w.f.Promote("bob", 3))
	w.pass(time.Hour)
	require.Zero(t, w.s.SendLate(context.Background()))

	// An administrator has it delivered again.
	w.answer(200)
	w.heard()
	events := w.ok("GET", "/admin/api/web_hook_events/"+num(w.hook)+".json", "")
	id := num(int64(events.at(t, "web_hook_events", 0, "id").(float64)))
	w.ok("POST", "/admin/api/web_hooks/"+num(w.hook)+"/events/"+id+"/redeliver.json", "")
	got := w.heard()
	require.Len(t, got, 1)
	require.Equal(t, id, got[0].header.Get("X-Discourse-Event-Id"), "under its ID of then")
	w.refused(404, "not_found", "system", "POST", "/admin/api/web_hooks/"+num(w.hook)+"/events/9999/redeliver.json", "")
	failed := w.ok("GET", "/admin/api/web_hook_events/"+num(w.hook)+".json?status=failed", "").at(t, "web_hook_events").([]any)
	require.Len(t, failed, 6, "it succeeded meanwhile")
	one := failed[0].(map[string]any)["id"]
	w.ok("POST", "/admin/api/web_hooks/"+num(w.hook)+"/events/failed_redeliver.json", string(rawOf(t, map[string]any{"event_ids": []any{one, id}})))
	require.Len(t, w.events(), 1)
	w.f.RedeliverFailed(w.hook)
	require.Len(t, w.events(), 5)
	w.refused(404, "not_found", "system", "POST", "/admin/api/web_hooks/"+num(w.hook)+"/events/failed_redeliver.json", `{"event_ids":[1]}`)

	// One that was removed or switched off meanwhile gets nothing.
	w.answer(500)
	require.NoError(t, w.f.Promote("bob", 4))
	w.f.RemoveWebhook(w.hook)
	w.pass(time.Hour)
	require.Equal(t, 1, w.s.SendLate(context.Background()))
	all := w.s.DeliveriesOf("user_promoted")
	require.Equal(t, "webhook was deleted", all[len(all)-1].Dropped)
}

func TestDeliveryFaults(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	act := func(level int) {
		t.Helper()
		require.NoError(t, w.f.Promote("bob", level))
	}
	w.s.Fail(fakediscourse.Fault{Delivery: "user_promoted", Drop: true})
	act(1)
	require.Empty(t, w.events())
	require.Equal(t, "lost on purpose", w.s.Deliveries()[0].Dropped)

	w.s.Fail(fakediscourse.Fault{Delivery: "*", Duplicate: 2})
	act(2)
	got := w.heard()
	require.Len(t, got, 3)
	require.Equal(t, got[0].body, got[2].body)
	require.NotEqual(t, got[0].header.Get("X-Discourse-Event-Id"), got[2].header.Get("X-Discourse-Event-Id"))

	w.s.Fail(fakediscourse.Fault{Delivery: "user_promoted", Reorder: true})
	act(3)
	require.Empty(t, w.events())
	require.NoError(t, w.f.Rename("bob", "robert"))
	require.Equal(t, []string{"user_updated", "user_promoted"}, w.events())
	require.NoError(t, w.f.Rename("robert", "bob"))
	w.heard()

	w.s.Fail(fakediscourse.Fault{Delivery: "user_promoted", Late: time.Minute})
	act(1)
	require.Zero(t, w.s.SendLate(context.Background()))
	w.pass(time.Minute)
	require.Equal(t, 1, w.s.SendLate(context.Background()))
	require.Equal(t, []string{"user_promoted"}, w.events())

	w.s.Fail(fakediscourse.Fault{Delivery: "user_promoted", CloseBefore: true})
	act(2)
	require.Empty(t, w.events())
	w.s.Fail(fakediscourse.Fault{Delivery: "user_promoted", LoseAnswer: true})
	act(3)
	require.Len(t, w.events(), 1)
	all := w.s.DeliveriesOf("user_promoted")
	require.Contains(t, all[len(all)-1].Attempts[0].Failed, "lost on purpose")

	hold := w.s.Fail(fakediscourse.Fault{Delivery: "user_promoted", Hold: true})
	done := make(chan error)
	go func() { done <- w.f.Promote("bob", 4) }()
	require.NoError(t, hold.Wait(context.Background()))
	require.Empty(t, w.got)
	hold.Release()
	require.NoError(t, <-done)
	require.Len(t, w.events(), 1)
	require.Equal(t, 1, hold.Hits())
}

func TestSend(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	a, err := w.f.Send(context.Background(), w.hook, "something_new", []byte(`{"something":{}}`))
	require.NoError(t, err)
	require.True(t, a.OK())
	got := w.heard()
	require.Equal(t, "something", got[0].header.Get("X-Discourse-Event-Type"))
	require.Equal(t, fakediscourse.Sign(secret, got[0].body), got[0].header.Get("X-Discourse-Event-Signature"))
	_, err = w.f.Send(context.Background(), 99, "x", nil)
	require.Error(t, err)
	require.Error(t, w.s.SetRequestURL("://", nil))
}
