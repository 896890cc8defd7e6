package fakegithub_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/google/go-github/v60/github"

	"github.com/metagov/gateway-go/plugins/github/fakegithub"
)

func Example() {
	s := fakegithub.New(fakegithub.Options{Key: testKey()})
	defer s.Close()
	webhook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		payload, err := github.ValidatePayload(r, []byte(s.App().WebhookSecret))
		if err != nil {
			fmt.Println(err)
			return
		}
		event, err := github.ParseWebHook(github.WebHookType(r), payload)
		if e, ok := event.(*github.IssueCommentEvent); ok && err == nil {
			fmt.Println(e.GetSender().GetLogin(), "says", e.GetComment().GetBody())
		}
	}))
	defer webhook.Close()
	s.SetRequestURL(webhook.URL, nil)

	org := s.AddOrg("acme", "ada")
	repo := s.AddRepo("acme", "town")
	if _, err := s.Install("acme", fakegithub.Installing{}); err != nil {
		fmt.Println(err)
		return
	}
	issue, err := repo.OpenIssue("eve", "Shall we?", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := repo.Comment("eve", issue, "/vote yes"); err != nil {
		fmt.Println(err)
	}
	if err := org.Block("ada", "eve"); err != nil {
		fmt.Println(err)
	}
	_, err = repo.Comment("eve", issue, "/vote no")
	fmt.Println(err)
	// Output:
	// eve says /vote yes
	// fakegithub: comment by eve in acme/town: fakegithub: GitHub would not allow that: User is blocked
}
