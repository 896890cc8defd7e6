package github

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"mime"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// eventData is an event's payload as GitHub sent it.
type eventData map[string]json.RawMessage

// message is a delivery.
type message struct {
	id           string
	event        string
	action       string // "": the event has none
	installation string
	bare         bool // it is of no installation: GitHub has been told to say hello, or somebody took back an authorization
	body         payload
	fields       map[string]json.RawMessage
	data         json.RawMessage
}

// typ is the event's name: its target and what happened to it.
func (m *message) typ() string { return strings.TrimSuffix(m.event+" "+m.action, " ") }

// head is what all deliveries have alike.
type head struct {
	Action       string `json:"action"`
	Installation struct {
		ID int64 `json:"id"`
	} `json:"installation"`
	Sender     *account `json:"sender"`
	Repository *struct {
		FullName string `json:"full_name"`
	} `json:"repository"`
	Organization *account `json:"organization"`
}

// payload is what the plugin reads of a delivery: beside the head only of those in [detailed], for the same name may be something else in another
// event. The comment of a deployment_review is text.
type payload struct {
	head
	Issue       *issue   `json:"issue"`
	PullRequest *issue   `json:"pull_request"`
	Comment     *comment `json:"comment"`
	Review      *struct {
		ID int64 `json:"id"`
	} `json:"review"`
	Label *struct {
		Name string `json:"name"`
	} `json:"label"`
	BlockedUser *account `json:"blocked_user"`
	Member      *account `json:"member"`
	Membership  *struct {
		User *account `json:"user"`
	} `json:"membership"`
	User *account `json:"user"` // who is invited, where there is no membership yet
	Team *struct {
		Slug string `json:"slug"`
	} `json:"team"`
	Changes json.RawMessage `json:"changes"` // what was edited, as it was before
}

type account struct {
	Login string `json:"login"`
	ID    int64  `json:"id"`
	Type  string `json:"type"` // User, Organization, Bot
}

type issue struct {
	ID     int64    `json:"id"`
	Number int      `json:"number"`
	URL    string   `json:"html_url"`
	Title  string   `json:"title"`
	Body   string   `json:"body"`
	State  string   `json:"state"`
	User   *account `json:"user"`
}

type comment struct {
	ID      int64    `json:"id"`
	URL     string   `json:"html_url"`
	Body    string   `json:"body"`
	User    *account `json:"user"`
	Created stamp    `json:"created_at"`
	Updated stamp    `json:"updated_at"`
}

// stamp is a time of GitHub's: text, in push events a number of seconds, and sometimes null. What is none of these is no time, and no error.
type stamp struct{ time.Time }

func (s *stamp) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		if t, err := time.Parse(time.RFC3339, text); err == nil {
			s.Time = t
		}
		return nil
	}
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil && n > 0 && n < 1<<40 {
		s.Time = time.Unix(n, 0).UTC()
	}
	return nil
}

var (
	eventRE  = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	actionRE = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,99}$`)
	guidRE   = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
)

// parse reads a delivery. Name and identifier of the event stand in headers, which GitHub does not sign; so the body has to be one that such
// an event has, and the identifier counts together with it.
func parse(d *gateway.Delivery) (*message, error) {
	m := &message{event: d.Header.Get("X-Github-Event")}
	guid := d.Header.Get("X-Github-Delivery")
	if !eventRE.MatchString(m.event) || !guidRE.MatchString(guid) {
		return nil, gateway.Errorf(gateway.Invalid, "it does not say which event it is, or which delivery")
	}
	raw, err := content(d)
	if err != nil {
		return nil, err
	}
	canonical, err := compacted(raw)
	if err != nil {
		return nil, err
	}
	if err := m.read(canonical); err != nil {
		return nil, gateway.Errorf(gateway.Invalid, "it is no delivery of GitHub's: %w", err)
	}
	m.data, m.action = canonical, m.body.Action
	if m.action != "" && !actionRE.MatchString(m.action) {
		if detailed[m.event] {
			return nil, gateway.Errorf(gateway.Invalid, "its action has no name")
		}
		m.action = "" // of a repository_dispatch it is any text (https://docs.github.com/en/rest/repos/repos#create-a-repository-dispatch-event, 2026-11)
	}
	if !m.fits() {
		return nil, gateway.Errorf(gateway.Invalid, "it is not what an event %s says", m.event)
	}
	m.fields = nil // all of it is in data
	if m.body.Installation.ID > 0 {
		m.installation = strconv.FormatInt(m.body.Installation.ID, 10)
	}
	m.bare = m.event == "ping" || m.event == "github_app_authorization"
	sum := sha256.Sum256(canonical)
	m.id = guid + ":" + hex.EncodeToString(sum[:12])
	if m.body.Comment != nil {
		m.id = m.typ() + ":" + hex.EncodeToString(sum[:]) // comments have a time of their own: the same one twice is one that was replayed
	}
	return m, nil
}

// detailed are the events of which more than the head is read.
var detailed = map[string]bool{
	"issues": true, "issue_comment": true, "commit_comment": true, "discussion_comment": true, "pull_request": true, "pull_request_review": true,
	"pull_request_review_comment": true, "org_block": true, "organization": true, "membership": true, "member": true,
}

// The fields that are read. The rest of a delivery, which may have megabytes, is gone through once only: GitHub waits ten seconds.
var (
	headFields   = []string{"action", "installation", "sender", "repository", "organization"}
	detailFields = []string{"issue", "pull_request", "comment", "review", "label", "blocked_user", "member", "membership", "user", "team", "changes"}
)

func (m *message) read(raw []byte) error {
	if err := json.Unmarshal(raw, &m.fields); err != nil {
		return err
	}
	small := map[string]json.RawMessage{}
	take := func(names []string) {
		for _, name := range names {
			if v, ok := m.fields[name]; ok {
				small[name] = v
			}
		}
	}
	take(headFields)
	if detailed[m.event] {
		take(detailFields)
	}
	raw, err := json.Marshal(small)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, &m.body)
}

// content takes the JSON out of a body, which may be a form (https://docs.github.com/en/webhooks/using-webhooks/creating-webhooks, 2026-11). The
// header that says so is not signed: what begins as an object is none, and what does not begin as GitHub's forms do neither.
func content(d *gateway.Delivery) ([]byte, error) {
	kind, _, err := mime.ParseMediaType(d.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" || bytes.HasPrefix(bytes.TrimSpace(d.Body), []byte("{")) {
		return d.Body, nil
	}
	if !bytes.HasPrefix(d.Body, []byte("payload=")) {
		return nil, gateway.Errorf(gateway.Invalid, "its form is none of GitHub's")
	}
	form, err := url.ParseQuery(string(d.Body))
	if err != nil {
		return nil, gateway.Errorf(gateway.Invalid, "its form cannot be read")
	}
	return []byte(form.Get("payload")), nil
}

// compacted writes an object in one way, so that what is fetched later is the same as what was delivered.
func compacted(raw []byte) ([]byte, error) {
	var object map[string]any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&object); err != nil || object == nil || dec.More() {
		return nil, gateway.Errorf(gateway.Invalid, "its body is no JSON object")
	}
	out, err := json.Marshal(object)
	if err != nil {
		return nil, gateway.Errorf(gateway.Invalid, "its body cannot be written again: %w", err)
	}
	return out, nil
}

// fits says whether the body is one that an event of this name has: a signed body under another event's name says something else. Of
// events that are not known nothing is asked.
func (m *message) fits() bool {
	b := &m.body
	commented := strings.HasSuffix(m.event, "comment")
	if eventKnown(m.event) && (!commented && m.object("comment") || m.event != "org_block" && m.object("blocked_user")) {
		return false
	}
	switch m.event {
	case "issues":
		return b.Issue != nil
	case "issue_comment":
		return b.Issue != nil && b.Comment != nil
	case "commit_comment", "discussion_comment", "pull_request_review_comment":
		return b.Comment != nil
	case "pull_request":
		return b.PullRequest != nil && b.Review == nil
	case "pull_request_review":
		return b.PullRequest != nil && b.Review != nil
	case "org_block":
		return b.BlockedUser != nil || m.null("blocked_user")
	case "membership":
		return b.Team != nil && (b.Member != nil || m.null("member"))
	}
	return true
}

// null says whether a field is there and null, as the person is whose account is gone.
func (m *message) null(field string) bool { return string(m.fields[field]) == "null" }

// object says whether a field is an object.
func (m *message) object(field string) bool { return bytes.HasPrefix(m.fields[field], []byte("{")) }

// by is who did it.
func (m *message) by() string {
	if m.body.Sender == nil {
		return ""
	}
	return m.body.Sender.Login
}

func (m *message) repo() string {
	if m.body.Repository == nil {
		return ""
	}
	return m.body.Repository.FullName
}

func (m *message) org() string {
	if m.body.Organization == nil {
		return ""
	}
	return m.body.Organization.Login
}

// issueRef names an issue or pull request among an installation's.
func issueRef(repo string, number int) string {
	return strings.ToLower(repo) + "#" + strconv.Itoa(number)
}

// ref is the name under which an act of ours and the delivery of it meet. Names are compared without case, as GitHub does.
func ref(event, action string, object ...string) string {
	return strings.ToLower(event + " " + action + " " + strings.Join(object, " "))
}

// echoes names what a delivery tells of. Whoever did it has been looked at before.
func (m *message) echoes() []string {
	b := &m.body
	switch {
	case m.event == "issues" && m.action == "opened":
		return []string{ref(m.event, m.action, issueRef(m.repo(), b.Issue.Number)), ref(m.event, m.action, m.repo())}
	case m.event == "issue_comment" && m.action == "created":
		return []string{ref(m.event, m.action, m.repo(), strconv.FormatInt(b.Comment.ID, 10)), ref(m.event, m.action, issueRef(m.repo(), b.Issue.Number))}
	case m.event == "issue_comment":
		return []string{ref(m.event, m.action, m.repo(), strconv.FormatInt(b.Comment.ID, 10))}
	case m.event == "pull_request_review":
		return []string{ref(m.event, m.action, issueRef(m.repo(), b.PullRequest.Number))}
	case b.Label != nil && (b.Issue != nil || b.PullRequest != nil):
		return []string{ref("labels", m.action, m.thread(), b.Label.Name), ref("labels", m.action, m.repo(), b.Label.Name)}
	case m.event == "issues" || m.event == "pull_request":
		return []string{ref("thread", m.action, m.thread()), ref("thread", m.action, m.repo())}
	case m.event == "org_block" && b.BlockedUser != nil:
		return []string{ref(m.event, m.action, m.org(), b.BlockedUser.Login)}
	case m.event == "organization" && b.Membership != nil && b.Membership.User != nil:
		return []string{ref(m.event, m.action, m.org(), b.Membership.User.Login)}
	case m.event == "organization" && b.User != nil:
		return []string{ref(m.event, m.action, m.org(), b.User.Login)}
	case m.event == "membership" && b.Member != nil:
		return []string{ref(m.event, m.action, m.org(), b.Team.Slug, b.Member.Login), ref(m.event, m.action, m.org(), b.Member.Login)}
	case m.event == "member" && b.Member != nil:
		return []string{ref(m.event, m.action, m.repo(), b.Member.Login)}
	}
	return nil
}

// thread names the issue or pull request that a delivery is about, "" where it is about none.
func (m *message) thread() string {
	switch {
	case m.body.Issue != nil:
		return issueRef(m.repo(), m.body.Issue.Number)
	case m.body.PullRequest != nil:
		return issueRef(m.repo(), m.body.PullRequest.Number)
	}
	return ""
}
