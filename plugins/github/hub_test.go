package github_test

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	webhookSecret = "a-webhook-secret-of-a-test"
	clientSecret  = "a-client-secret-of-a-test"
	installation  = "4711"
)

// testKey is the app's. Making one takes a while, so that there is one for all tests.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func keyPEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(testKey())}))
}

// call is one request that arrived.
type call struct {
	Method, Path, Query, Auth, Body string
	Status                          int
}

// hub is as much of GitHub as these tests need: an organisation acme with a repository town. It checks credentials, and refuses routes that it
// does not know. It is a transport: no port, no waiting.
type hub struct {
	mu        sync.Mutex
	now       func() time.Time
	seen      []call
	tokens    map[string]time.Time
	minted    int
	installed bool
	suspended bool
	issues    []map[string]any
	comments  map[int][]map[string]any
	reactions map[int][]map[string]any
	blocked   map[string]bool
	members   map[string]string // login to role
	mayReach  map[string]bool   // logins that have access to the installation
	codes     map[string]string // code to login
	failed    []map[string]any  // the log of deliveries, newest first
	nextID    int64
	follows   bool                                 // it goes by the app's clock
	fault     func(r *http.Request) *http.Response // of a request, before it is handled
	after     func(r *http.Request) error          // of an answer, after it was
}

func newHub(now func() time.Time) *hub {
	return &hub{
		now: now, tokens: map[string]time.Time{}, installed: true, comments: map[int][]map[string]any{}, reactions: map[int][]map[string]any{}, blocked: map[string]bool{},
		members: map[string]string{"ada": "admin", "bob": "member"}, mayReach: map[string]bool{"ada": true, "bob": true}, codes: map[string]string{}, nextID: 1000,
	}
}

func (h *hub) id() int64 { h.nextID++; return h.nextID }

func respond(status int, v any, header ...string) *http.Response {
	raw := []byte{}
	if v != nil {
		raw, _ = json.Marshal(v)
	}
	if s, ok := v.(string); ok {
		raw = []byte(s)
	}
	res := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(raw))), ProtoMajor: 1, ProtoMinor: 1}
	for i := 0; i+1 < len(header); i += 2 {
		res.Header.Set(header[i], header[i+1])
	}
	return res
}

func refusal(status int, message string, header ...string) *http.Response {
	return respond(status, map[string]any{"message": message, "documentation_url": "https://docs.github.com/rest"}, header...)
}

// RoundTrip answers a request.
func (h *hub) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
		r.Body = io.NopCloser(bytes.NewReader(body)) // for whoever looks at it first
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var res *http.Response
	if h.fault != nil {
		res = h.fault(r)
	}
	if res == nil {
		res = h.serve(r, body)
	}
	h.seen = append(h.seen, call{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get("Authorization"), string(body), res.StatusCode})
	res.Request = r
	if h.after != nil {
		if err := h.after(r); err != nil {
			return nil, err
		}
	}
	return res, nil
}

// calls lists the requests with a method and a beginning of the path, without those for tokens.
func (h *hub) calls(method, prefix string) []call {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []call
	for _, c := range h.seen {
		if (method == "" || c.Method == method) && strings.HasPrefix(c.Path, prefix) && !strings.HasSuffix(c.Path, "/access_tokens") {
			out = append(out, c)
		}
	}
	return out
}

func (h *hub) jwt(token string) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return false
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || rsa.VerifyPKCS1v15(&testKey().PublicKey, crypto.SHA256, sum[:], sig) != nil {
		return false
	}
	var c struct {
		Iat, Exp int64
		Iss      string
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(raw, &c) != nil {
		return false
	}
	if h.follows {
		at := time.Unix(c.Iat, 0).Add(time.Minute)
		h.now = func() time.Time { return at }
	}
	now := h.now().Unix()
	return c.Iss == "Iv1.test" && c.Iat <= now && c.Exp > now && c.Exp-now <= 600
}

var issueRoute = regexp.MustCompile(`^/repos/acme/town/issues/([0-9]+)(/.*)?$`)

func (h *hub) serve(r *http.Request, body []byte) *http.Response {
	path := r.URL.Path
	var in map[string]any
	_ = json.Unmarshal(body, &in)
	if r.Header.Get("User-Agent") == "" {
		return refusal(403, "Request forbidden by administrative rules.")
	}
	if r.URL.Host == "github.com" {
		return h.login(path, body)
	}
	if r.URL.Host != "api.github.com" {
		return refusal(599, "another host: "+r.URL.Host)
	}
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if strings.HasPrefix(path, "/app") {
		if strings.HasPrefix(path, "/applications/") {
			return respond(204, nil)
		}
		if !h.jwt(token) {
			return refusal(401, "A JSON web token could not be decoded")
		}
		return h.app(r, path)
	}
	if login, ok := strings.CutPrefix(token, "ghu_"); ok {
		if res := h.user(path, login); res != nil {
			return res
		}
	} else if until, ok := h.tokens[token]; !ok || !h.now().Before(until) || !h.installed {
		return refusal(401, "Bad credentials")
	}
	author := map[string]any{"login": "town-app[bot]", "id": 99, "type": "Bot"}
	if login, ok := strings.CutPrefix(token, "ghu_"); ok {
		author = user(login)
	}
	switch {
	case path == "/installation/repositories":
		return respond(200, map[string]any{"total_count": 1, "repositories": []any{map[string]any{"full_name": "acme/town"}}})
	case path == "/repos/acme/town/issues" && r.Method == http.MethodPost:
		n := len(h.issues) + 1
		i := map[string]any{"id": h.id(), "number": n, "html_url": fmt.Sprintf("https://github.com/acme/town/issues/%d", n), "title": in["title"], "body": in["body"], "state": "open", "user": author}
		h.issues = append(h.issues, i)
		return respond(201, i)
	case path == "/repos/acme/town/issues":
		return h.page(r, h.issues)
	case issueRoute.MatchString(path):
		m := issueRoute.FindStringSubmatch(path)
		n, _ := strconv.Atoi(m[1])
		return h.issue(r, n, m[2], in, author)
	case strings.HasPrefix(path, "/orgs/acme/blocks/"):
		login := strings.TrimPrefix(path, "/orgs/acme/blocks/")
		switch {
		case r.Method == http.MethodPut && (h.blocked[login] || login == "ada"):
			return refusal(422, "Validation Failed")
		case r.Method == http.MethodGet && !h.blocked[login]:
			return refusal(404, "Not Found")
		}
		h.blocked[login] = r.Method != http.MethodDelete
		return respond(204, nil)
	case strings.HasPrefix(path, "/orgs/acme/members/"):
		login := strings.TrimPrefix(path, "/orgs/acme/members/")
		if h.members[login] == "" {
			return refusal(404, "Not Found")
		}
		if r.Method == http.MethodDelete {
			delete(h.members, login)
		}
		return respond(204, nil)
	case strings.HasPrefix(path, "/orgs/acme/memberships/"):
		login := strings.TrimPrefix(path, "/orgs/acme/memberships/")
		if r.Method == http.MethodPut {
			h.members[login], _ = in["role"].(string)
			return respond(200, map[string]any{"state": "pending", "role": in["role"]})
		}
		if h.members[login] == "" {
			return refusal(404, "Not Found")
		}
		return respond(200, map[string]any{"state": "active", "role": h.members[login]})
	case strings.HasSuffix(path, "/members"), strings.HasSuffix(path, "/collaborators"):
		var list []map[string]any
		for i := range 150 {
			list = append(list, user(fmt.Sprintf("m%03d", i)))
		}
		return h.page(r, append(list, map[string]any{"login": "robot", "type": "Bot"}))
	case path == "/repos/acme/town/pulls/7/merge":
		if in["sha"] == strings.Repeat("b", 40) {
			return refusal(409, "Head branch was modified. Review and try the merge again.")
		}
		return respond(200, map[string]any{"sha": strings.Repeat("a", 40), "merged": true})
	case path == "/repos/acme/town/pulls/7/reviews", path == "/repos/acme/town/collaborators/bob", strings.HasPrefix(path, "/orgs/acme/teams/"):
		return respond(200, map[string]any{"id": 5, "html_url": "https://github.com/x", "state": "active", "role": "member"})
	case path == "/zen":
		return respond(200, map[string]any{"says": r.URL.RawQuery})
	case path == "/forbidden":
		return refusal(403, "Resource not accessible by integration", "X-Accepted-GitHub-Permissions", "issues=write; pull_requests=write")
	}
	return refusal(404, "Not Found")
}

func (h *hub) app(r *http.Request, path string) *http.Response {
	switch {
	case strings.HasPrefix(path, "/app/installations/"+installation):
		if !h.installed {
			return refusal(404, "Not Found")
		}
		if strings.HasSuffix(path, "/access_tokens") {
			if h.suspended {
				return refusal(403, "This installation has been suspended")
			}
			h.minted++
			t := fmt.Sprintf("ghs_%d", h.minted)
			h.tokens[t] = h.now().Add(time.Hour)
			return respond(201, map[string]any{"token": t, "expires_at": h.now().Add(time.Hour).Format(time.RFC3339)})
		}
		if r.Method == http.MethodDelete {
			h.installed = false
			return respond(204, nil)
		}
		return respond(200, map[string]any{
			"id": 4711, "app_slug": "town-app", "target_type": "Organization", "account": map[string]any{"login": "acme", "id": 1, "type": "Organization"}, "repository_selection": "all",
			"permissions": map[string]string{"issues": "write", "members": "read", "contents": "write"}, "events": []string{"issues"},
		})
	case path == "/app":
		return respond(200, map[string]any{"slug": "town-app"})
	case path == "/app/hook/deliveries":
		var list []map[string]any
		for _, d := range h.failed {
			list = append(list, map[string]any{"id": d["id"], "guid": d["guid"], "delivered_at": d["at"], "status_code": d["status"], "installation_id": d["installation"], "event": d["event"]})
		}
		return h.page(r, list)
	case strings.HasPrefix(path, "/app/hook/deliveries/"):
		for _, d := range h.failed {
			if path == fmt.Sprintf("/app/hook/deliveries/%v", d["id"]) {
				return respond(200, map[string]any{"event": d["event"], "request": map[string]any{"payload": json.RawMessage(d["payload"].(string))}})
			}
		}
	}
	return refusal(404, "Not Found")
}

func (h *hub) issue(r *http.Request, n int, rest string, in map[string]any, author map[string]any) *http.Response {
	if n < 1 || n > len(h.issues) {
		return refusal(404, "Not Found")
	}
	i := h.issues[n-1]
	if i["deleted"] != nil {
		return refusal(410, "This issue was deleted")
	}
	switch {
	case rest == "" && r.Method == http.MethodPatch:
		for k, v := range in {
			i[k] = v
		}
		return respond(200, i)
	case rest == "":
		whole := map[string]any{"comments": len(h.comments[n]), "reactions": map[string]any{"total_count": len(h.reactions[n])}}
		for k, v := range i {
			whole[k] = v
		}
		return respond(200, whole)
	case rest == "/comments" && r.Method == http.MethodPost:
		c := h.comment(n, author, in["body"].(string), h.now())
		return respond(201, c)
	case rest == "/comments":
		return h.page(r, since(h.comments[n], r.URL.Query().Get("since")))
	case rest == "/reactions":
		return h.page(r, h.reactions[n])
	case rest == "/lock":
		return respond(204, nil)
	case strings.HasPrefix(rest, "/labels"):
		return respond(200, []any{})
	}
	return refusal(404, "Not Found")
}

// since leaves the comments that were changed from a time on.
func since(list []map[string]any, from string) (out []map[string]any) {
	for _, c := range list {
		if c["updated_at"].(string) >= from { // both are RFC 3339, in UTC
			out = append(out, c)
		}
	}
	return out
}

func user(login string) map[string]any {
	return map[string]any{"login": login, "id": len(login), "type": "User"}
}

// comment adds one. The lock is held, or nobody else is there.
func (h *hub) comment(n int, author map[string]any, body string, at time.Time) map[string]any {
	c := map[string]any{"id": h.id(), "body": body, "user": author, "created_at": at.Format(time.RFC3339), "updated_at": at.Format(time.RFC3339), "html_url": "https://github.com/acme/town/issues/1#c"}
	h.comments[n] = append(h.comments[n], c)
	return c
}

// react adds a reaction.
func (h *hub) react(n int, login, content string, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reactions[n] = append(h.reactions[n], map[string]any{"id": h.id(), "content": content, "user": user(login), "created_at": at.Format(time.RFC3339)})
}

// unreact takes one back.
func (h *hub) unreact(n int, login, content string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var left []map[string]any
	for _, x := range h.reactions[n] {
		if x["content"] != content || fmt.Sprint(x["user"]) != fmt.Sprint(user(login)) {
			left = append(left, x)
		}
	}
	h.reactions[n] = left
}

// page answers a page of a list, with a Link header as GitHub's.
func (h *hub) page(r *http.Request, list []map[string]any) *http.Response {
	q := r.URL.Query()
	per, _ := strconv.Atoi(q.Get("per_page"))
	if per < 1 || per > 100 {
		per = 30
	}
	n, _ := strconv.Atoi(q.Get("page"))
	n = max(n, 1)
	from, to := min((n-1)*per, len(list)), min(n*per, len(list))
	var header []string
	if to < len(list) {
		q.Set("page", strconv.Itoa(n+1))
		header = []string{"Link", fmt.Sprintf(`<https://api.github.com%s?%s>; rel="next"`, r.URL.Path, q.Encode())}
	}
	return respond(200, append([]map[string]any{}, list[from:to]...), header...)
}

func (h *hub) user(path, login string) *http.Response {
	switch path {
	case "/user":
		return respond(200, user(login))
	case "/user/emails":
		return respond(200, []any{map[string]any{"email": login + "@example.org", "primary": true, "verified": true}})
	case "/user/installations":
		list := []any{}
		if h.mayReach[login] {
			list = append(list, map[string]any{"id": 4711, "account": map[string]any{"login": "acme"}})
		}
		return respond(200, map[string]any{"total_count": len(list), "installations": list})
	}
	return nil
}

func (h *hub) login(path string, body []byte) *http.Response {
	form, _ := url.ParseQuery(string(body))
	login := h.codes[form.Get("code")]
	delete(h.codes, form.Get("code"))
	switch {
	case path != "/login/oauth/access_token":
		return refusal(404, "Not Found")
	case form.Get("client_secret") != clientSecret:
		return respond(200, map[string]any{"error": "incorrect_client_credentials"})
	case form.Get("grant_type") == "refresh_token" && form.Get("refresh_token") != "ghr_good":
		return respond(200, map[string]any{"error": "bad_refresh_token"})
	case form.Get("grant_type") == "refresh_token":
		return respond(200, map[string]any{"access_token": "ghu_fresh", "expires_in": 28800, "refresh_token": "ghr_next", "token_type": "bearer"})
	case login == "":
		return respond(200, map[string]any{"error": "bad_verification_code"})
	}
	return respond(200, map[string]any{"access_token": "ghu_" + login, "expires_in": 28800, "refresh_token": "ghr_good", "token_type": "bearer", "scope": ""})
}

func signature(body []byte) string {
	mac := hmac.New(sha256.New, []byte(webhookSecret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}
