package fakeslack

import (
	"slices"
	"sort"
	"strings"
	"time"
)

type tokenKind string

const (
	kindBot  tokenKind = "bot"
	kindUser tokenKind = "user"
	kindApp  tokenKind = "app"
	kindNone tokenKind = "none"
)

type token struct {
	text       string
	kind       tokenKind
	team       string // empty for an organisation's token
	enterprise string // set for an organisation's token
	user       string
	botID      string
	scopes     []string
	expires    time.Time // zero: never
	revoked    string    // the error that answers a token that no longer works
	before     string    // the refresh token that it came of, which works until this one is used
}

func (t *token) has(scope string) bool { return slices.Contains(t.scopes, scope) }

// hasAny is true for any of the scopes, written with | between them.
func (t *token) hasAny(scopes string) bool {
	return slices.ContainsFunc(strings.Split(scopes, "|"), t.has)
}

// allScopes is what Install grants when it is asked for nothing special: every bot scope that the fake knows.
var allScopes = strings.Fields(`app_mentions:read channels:history channels:join channels:manage channels:read
	channels:write.invites channels:write.topic chat:write chat:write.customize chat:write.public commands
	groups:history groups:read groups:write groups:write.invites groups:write.topic im:history im:read im:write
	mpim:history mpim:read mpim:write mpim:write.topic pins:read pins:write reactions:read reactions:write team:read
	usergroups:read usergroups:write users:read users:read.email users.profile:read`)

// userScopes are scopes that only a user token can have.
var userScopes = strings.Fields(`admin channels:write identify identity.basic identity.avatar identity.email identity.team
	openid profile email search:read users:write users.profile:write im:write.topic`)

// otherScopes are bot scopes that exist in Slack but open nothing that the fake supports.
var otherScopes = strings.Fields(`bookmarks:read bookmarks:write calls:read calls:write canvases:read canvases:write
	conversations.connect:manage conversations.connect:read conversations.connect:write dnd:read emoji:read files:read
	files:write incoming-webhook links:read links:write links.embed:write metadata.message:read reminders:read
	reminders:write remote_files:read remote_files:share remote_files:write team.billing:read team.preferences:read
	users:write workflow.steps:execute assistant:write datastore:read datastore:write`)

func knownScope(scope string, ofUser bool) bool {
	if slices.Contains(allScopes, scope) || slices.Contains(otherScopes, scope) {
		return true
	}
	return ofUser && slices.Contains(userScopes, scope)
}

// tokenKindText gives tokens the prefixes of real ones without ever writing one down in the source.
func (s *Server) newTokenText(kind tokenKind, rotating bool) string {
	prefix := "xox" + "b-"
	if kind == kindUser {
		prefix = "xox" + "p-"
	}
	if rotating {
		prefix = "xox" + "e." + prefix + "1-"
	}
	return prefix + "fake-" + secretText(12)
}

// Install installs the app without OAuth and returns the bot token. Without scopes it grants every bot scope. A second
// Install adds scopes and returns the same token, as Slack mostly does.
func (w *Workspace) Install(scopes ...string) (botToken string) {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if len(scopes) == 0 {
		scopes = allScopes
	}
	return w.installApp(scopes, nil).text
}

// installApp installs or extends. members is nil for one workspace, or all workspaces of the organisation.
func (w *Workspace) installApp(scopes []string, organisation []*Workspace) *token {
	s := w.s
	if w.install == nil || w.install.org != (organisation != nil) {
		in := &install{botUser: s.id("U"), botID: s.id("B"), org: organisation != nil}
		if organisation == nil {
			organisation = []*Workspace{w}
		}
		for _, o := range organisation {
			o.install = in
			o.users[in.botUser] = &user{id: in.botUser, name: "fakeapp", realName: "Fake App", bot: true, created: s.opt.Now()}
		}
	}
	in := w.install
	w.users[in.botUser].deleted = false
	if in.token == nil || in.token.revoked != "" || s.opt.TokenRotation {
		t := &token{kind: kindBot, text: s.newTokenText(kindBot, s.opt.TokenRotation), team: w.id, user: in.botUser, botID: in.botID}
		if in.org {
			t.team, t.enterprise = "", w.enterprise
		}
		if in.token != nil {
			t.scopes = in.token.scopes
		}
		if s.opt.TokenRotation {
			t.expires = s.opt.Now().Add(tokenLife)
		}
		in.token = t
		s.tokens[t.text] = t
	}
	in.token.scopes = union(in.token.scopes, scopes)
	return in.token
}

// UserToken gives the app a token that acts for a member, as if that member had agreed to the scopes.
func (w *Workspace) UserToken(user string, scopes ...string) string {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	return w.userToken(user, scopes).text
}

func (w *Workspace) userToken(user string, scopes []string) *token {
	for _, t := range w.s.tokens {
		if t.kind == kindUser && t.user == user && t.team == w.id && t.revoked == "" && !w.s.opt.TokenRotation {
			t.scopes = union(t.scopes, scopes)
			return t
		}
	}
	t := &token{kind: kindUser, text: w.s.newTokenText(kindUser, w.s.opt.TokenRotation), team: w.id, user: user, scopes: union(nil, scopes)}
	if w.s.opt.TokenRotation {
		t.expires = w.s.opt.Now().Add(tokenLife)
	}
	w.s.tokens[t.text] = t
	return t
}

// BotToken is the token of the present installation, or "".
func (w *Workspace) BotToken() string {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if w.install == nil || w.install.token == nil || w.install.token.revoked != "" {
		return ""
	}
	return w.install.token.text
}

// BotUserID is the app's bot user here, or "" when the app is not installed.
func (w *Workspace) BotUserID() string {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if w.install == nil {
		return ""
	}
	return w.install.botUser
}

// BotID is the app's bot ID (B…) here, or "".
func (w *Workspace) BotID() string {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if w.install == nil {
		return ""
	}
	return w.install.botID
}

// Uninstall removes the app as a person would: every token stops working, the bot leaves its channels, and tokens_revoked
// and app_uninstalled are sent.
func (w *Workspace) Uninstall() {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.uninstall()
}

func (w *Workspace) uninstall() {
	if w.install == nil {
		return
	}
	// Both events are made first: afterwards there is no installation to send them for.
	var people []string
	for _, t := range w.s.tokens {
		if t.kind == kindUser && t.team == w.id && t.revoked == "" {
			people = append(people, t.user)
		}
	}
	sort.Strings(people)
	w.emitBare(object{"type": "tokens_revoked", "tokens": object{"oauth": append([]string{}, people...), "bot": []string{w.install.botUser}}})
	w.emitBare(object{"type": "app_uninstalled"})
	for _, t := range w.s.tokens {
		if t.team == w.id && t.kind != kindApp || t.enterprise != "" && t.enterprise == w.enterprise {
			t.revoked = "account_inactive"
		}
	}
	w.deactivateBot()
	w.install = nil
}

func (w *Workspace) deactivateBot() {
	bot := w.install.botUser
	for _, c := range w.channels {
		if c.kind == kindPublic || c.kind == kindPrivate {
			c.remove(bot)
		}
	}
	if u := w.users[bot]; u != nil {
		u.deleted = true
	}
}

// RevokeTokens revokes the tokens of these users, the bot user among them if it is named, and sends tokens_revoked.
func (w *Workspace) RevokeTokens(users ...string) {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	people, bots := []string{}, []string{}
	for _, u := range users {
		for _, t := range w.s.tokens {
			if t.user != u || t.revoked != "" || t.team != w.id && t.team != "" {
				continue
			}
			t.revoked = "token_revoked"
			if t.kind == kindBot {
				bots = append(bots, u)
			} else {
				people = append(people, u)
			}
		}
	}
	if len(people)+len(bots) > 0 {
		w.emitBare(object{"type": "tokens_revoked", "tokens": object{"oauth": people, "bot": bots}})
	}
	if len(bots) > 0 {
		w.deactivateBot()
	}
}

func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, x := range b {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}
