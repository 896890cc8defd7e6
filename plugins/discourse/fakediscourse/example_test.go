package fakediscourse_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
)

// A moderator suspends somebody, and a webhook is told.
func Example() {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		signed := r.Header.Get("X-Discourse-Event-Signature") == fakediscourse.Sign("fake-webhook-secret", body)
		fmt.Println(r.URL.Path, r.Header.Get("X-Discourse-Event"), signed)
	}))
	defer app.Close()

	s := fakediscourse.New(fakediscourse.Options{})
	defer s.Close()
	forum, err := s.AddForum("https://forum.example")
	if err != nil {
		fmt.Println(err)
		return
	}
	forum.AddUser(42, "bob")
	forum.AddUser(90, "ann", fakediscourse.Moderator())
	if err := s.SetRequestURL(app.URL, nil); err != nil {
		fmt.Println(err)
		return
	}
	if _, err := forum.AddWebhook(fakediscourse.Webhook{URL: "https://gateway.example/hooks/discourse/c1", Secret: "fake-webhook-secret"}); err != nil {
		fmt.Println(err)
		return
	}
	if err := forum.Suspend("ann", "bob", s.Now().AddDate(1, 0, 0), "spam"); err != nil {
		fmt.Println(err)
	}
	// Output:
	// /hooks/discourse/c1 user_logged_out true
	// /hooks/discourse/c1 user_suspended true
}
