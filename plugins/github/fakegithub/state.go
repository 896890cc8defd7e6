package fakegithub

import (
	"slices"
	"strings"
	"time"
)

// account is a person, an organisation or a bot.
type account struct {
	names  []string // that it had before
	id     int64
	login  string
	kind   string // User, Organization, Bot
	name   string
	emails []Email
	since  time.Time
}

// Email is an address of a person.
type Email struct {
	Address           string
	Primary, Verified bool
}

// Org is an organisation. Its methods are what people do in it.
type Org struct {
	s       *Server
	acc     *account
	members []*member
	invited []*invitation
	blocked []*account
	teams   []*team
	limit   *interactionLimit
}

// owner is the account, nil of no organisation.
func (o *Org) owner() *account {
	if o == nil {
		return nil
	}
	return o.acc
}

type member struct {
	who  *account
	role string // admin, member; in teams maintainer, member; in repositories what they may do
}

type invitation struct {
	id      int64
	who     *account
	by      *account
	role    string
	created time.Time
}

type team struct {
	id         int64
	name, slug string
	created    time.Time
	members    []*member
	pending    []*member // of people who are only invited to the organisation
}

type interactionLimit struct {
	group   string
	expires time.Time
}

// Repo is a repository. Its methods are what people do in it.
type Repo struct {
	s          *Server
	id         int64
	owner      *account
	name       string
	names      []string // that it had before
	about      string
	private    bool
	created    time.Time
	updated    time.Time
	threads    []*thread // issues and pull requests, by number less one
	labels     []*label
	people     []*member // collaborators, with what they may do
	invited    []*invitation
	files      []*file
	head       string // of the default branch
	limit      *interactionLimit
	commentsBy map[int64]*comment
	checks     []*checkRun
}

func (r *Repo) full() string { return r.owner.login + "/" + r.name }

type label struct {
	id          int64
	name, color string
	about       string
	byGitHub    bool // it is one of those that every repository begins with
}

type file struct {
	path    string
	content []byte
	sha     string
}

// thread is an issue or a pull request: GitHub numbers both together.
type thread struct {
	id         int64
	repo       *Repo
	number     int
	title      string
	body       string
	user       *account
	byApp      bool
	closed     bool
	reason     string // why it was closed: completed, not_planned, duplicate, or reopened
	closedBy   *account
	closedAt   time.Time
	locked     bool
	lockReason string
	labels     []*label
	assignees  []*account
	comments   []*comment
	reactions  []*reaction
	events     []*issueEvent
	created    time.Time
	updated    time.Time
	deleted    bool
	moved      *thread // where it was transferred to
	pull       *pull   // nil of issues
}

type issueEvent struct {
	id     int64
	what   string
	actor  *account
	at     time.Time
	label  *label
	reason string
}

type comment struct {
	id        int64
	thread    *thread
	body      string
	user      *account
	byApp     bool
	created   time.Time
	updated   time.Time
	reactions []*reaction
}

type reaction struct {
	id      int64
	user    *account
	content string
	created time.Time
}

type pull struct {
	head, base  string // branches
	sha         string // of the head
	baseSHA     string
	draft       bool
	conflict    bool
	checksFail  bool
	merged      bool
	mergedBy    *account
	mergedAt    time.Time
	mergeSHA    string
	mergeMethod string
	reviews     []*review
	requested   []*account
}

type review struct {
	id        int64
	user      *account
	body      string
	state     string // APPROVED, CHANGES_REQUESTED, COMMENTED, DISMISSED, PENDING
	commit    string
	submitted time.Time
}

// installation is the app on an account.
type installation struct {
	id          int64
	account     *account
	permissions map[string]string
	events      []string
	selected    []*Repo // nil: all
	created     time.Time
	suspended   time.Time
	suspendedBy *account
	ended       bool
}

// allEvents are those that the fake tells of, apart from the ones that every app is told of.
var allEvents = []string{"check_run", "issue_comment", "issues", "label", "member", "membership", "org_block", "organization", "pull_request", "pull_request_review", "push", "repository", "team"}

func (i *installation) subscribed(event string) bool { return slices.Contains(i.events, event) }

func (i *installation) covers(r *Repo) bool {
	return r.owner == i.account && (i.selected == nil || slices.Contains(i.selected, r))
}

// may says whether the installation has a permission at a level or above.
func (i *installation) may(permission, level string) bool {
	return enough(i.permissions[permission], level)
}

var levels = map[string]int{"read": 1, "write": 2, "admin": 3}

func enough(has, wants string) bool { return levels[has] >= levels[wants] && levels[has] > 0 }

// id gives the next number. Callers hold s.mu, here and below.
func (s *Server) id() int64 { s.lastID++; return s.lastID }

func (s *Server) now() time.Time { return s.opt.Now().UTC().Truncate(time.Second) }

func (s *Server) addAccount(login, kind string) *account {
	a := &account{id: s.id(), login: login, kind: kind, name: login, since: s.now()}
	s.accounts[strings.ToLower(login)] = a
	return a
}

func (s *Server) account(login string) *account { return s.accounts[strings.ToLower(login)] }

func (s *Server) orgOf(a *account) *Org {
	for _, o := range s.orgs {
		if o.acc == a {
			return o
		}
	}
	return nil
}

func (s *Server) repo(owner, name string) *Repo {
	for _, r := range s.repos {
		if strings.EqualFold(r.owner.login, owner) && strings.EqualFold(r.name, name) {
			return r
		}
	}
	return nil
}

func (s *Server) installOn(a *account) *installation {
	for _, i := range s.installs {
		if i.account == a && !i.ended {
			return i
		}
	}
	return nil
}

func (s *Server) install(id string) *installation {
	for _, i := range s.installs {
		if text(i.id) == id && !i.ended {
			return i
		}
	}
	return nil
}

func of(list []*member, who *account) *member {
	for _, m := range list {
		if m.who == who {
			return m
		}
	}
	return nil
}

func without(list []*member, who *account) []*member {
	return slices.DeleteFunc(list, func(m *member) bool { return m.who == who })
}

func invitationOf(list []*invitation, who *account) *invitation {
	for _, i := range list {
		if i.who == who {
			return i
		}
	}
	return nil
}

// thread finds one that is still there.
func (r *Repo) thread(number int) *thread {
	if number < 1 || number > len(r.threads) {
		return nil
	}
	return r.threads[number-1]
}

// rights is what somebody may do in a repository: none, read, triage, write, maintain or admin.
func (r *Repo) rights(a *account) string {
	if a == r.owner {
		return "admin"
	}
	if o := r.s.orgOf(r.owner); o != nil {
		if m := of(o.members, a); m != nil && m.role == "admin" {
			return "admin"
		}
	}
	if m := of(r.people, a); m != nil {
		return m.role
	}
	if o := r.s.orgOf(r.owner); !r.private || o != nil && of(o.members, a) != nil {
		return "read" // an organisation's base permission is read
	}
	return "none"
}

var rightLevels = []string{"none", "read", "triage", "write", "maintain", "admin"}

// can says whether somebody has at least these rights.
func (r *Repo) can(a *account, wants string) bool {
	return slices.Index(rightLevels, r.rights(a)) >= slices.Index(rightLevels, wants)
}
