package fakegithub

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

func (r *request) getApp() (any, error) {
	o := r.s.appJSON()
	o["client_id"], o["installations_count"] = r.s.app.ClientID, len(r.s.live())
	return o, nil
}

// live lists the installations that have not ended.
func (s *Server) live() []*installation {
	return slices.DeleteFunc(slices.Clone(s.installs), func(i *installation) bool { return i.ended })
}

func (r *request) listInstallations() (any, error) {
	return page(r, r.s.live(), func(i *installation) object { return r.s.installJSON(i, false) }), nil
}

func (r *request) installation() (*installation, error) {
	if i := r.s.install(r.vars["installation_id"]); i != nil {
		return i, nil
	}
	return nil, notFound()
}

func (r *request) getInstallation() (any, error) {
	i, err := r.installation()
	if err != nil {
		return nil, err
	}
	return r.s.installJSON(i, false), nil
}

func (r *request) deleteInstallation() (any, error) {
	i, err := r.installation()
	if err != nil {
		return nil, err
	}
	r.s.uninstall(i, r.s.bot)
	return nil, nil
}

func (r *request) suspendInstallation() (any, error) {
	i, err := r.installation()
	if err != nil {
		return nil, err
	}
	r.s.suspend(i, r.s.bot, true)
	return nil, nil
}

func (r *request) unsuspendInstallation() (any, error) {
	i, err := r.installation()
	if err != nil {
		return nil, err
	}
	r.s.suspend(i, r.s.bot, false)
	return nil, nil
}

// accountInstallation is the installation on an account or a repository.
func (r *request) accountInstallation() (any, error) {
	login := orElse(r.vars["org"], orElse(r.vars["username"], r.vars["owner"]))
	a := r.s.account(login)
	if a == nil {
		return nil, notFound()
	}
	i := r.s.installOn(a)
	if i == nil {
		return nil, notFound()
	}
	if name := r.vars["repo"]; name != "" {
		if repo := r.s.repo(login, name); repo == nil || !i.covers(repo) {
			return nil, notFound()
		}
	}
	return r.s.installJSON(i, false), nil
}

// tokenLife is how long an installation's token lasts.
const tokenLife = time.Hour

func (r *request) postAccessToken() (any, error) {
	i, err := r.installation()
	if err != nil {
		return nil, err
	}
	if !i.suspended.IsZero() {
		return nil, refuse(http.StatusForbidden, "This installation has been suspended")
	}
	var in struct {
		Repositories  []string
		RepositoryIDs []int64 `json:"repository_ids"`
		Permissions   map[string]string
	}
	if err := r.into(&in); err != nil {
		return nil, err
	}
	t := &token{text: "ghs_" + randomText(18), install: i, permissions: i.permissions, expires: r.s.now().Add(tokenLife)}
	if len(in.Permissions) > 0 {
		for name, level := range in.Permissions {
			if !i.may(name, level) {
				return nil, unprocessable("The permissions requested are not granted to this installation.")
			}
		}
		t.permissions = in.Permissions
	}
	if t.repos, err = r.chosen(i, in.Repositories, in.RepositoryIDs); err != nil {
		return nil, err
	}
	r.s.tokens[t.text] = t
	selection := "all"
	if i.selected != nil || t.repos != nil {
		selection = "selected"
	}
	o := object{"token": t.text, "expires_at": stamp(t.expires), "permissions": t.permissions, "repository_selection": selection}
	if t.repos != nil {
		o["repositories"] = r.s.reposJSON(t.repos)
	}
	return o, nil
}

// chosen are the repositories that a token is to be for, nil for all.
func (r *request) chosen(i *installation, names []string, ids []int64) ([]*Repo, error) {
	var out []*Repo
	missing := unprocessable("There is at least one repository that does not exist or is not accessible to the parent installation.")
	for _, name := range names {
		repo := r.s.repo(i.account.login, name)
		if repo == nil || !i.covers(repo) {
			return nil, missing
		}
		out = append(out, repo)
	}
	for _, id := range ids {
		n := slices.IndexFunc(r.s.repos, func(x *Repo) bool { return x.id == id })
		if n < 0 || !i.covers(r.s.repos[n]) {
			return nil, missing
		}
		out = append(out, r.s.repos[n])
	}
	return out, nil
}

func (s *Server) reposJSON(list []*Repo) []object {
	out := []object{}
	for _, x := range list {
		out = append(out, s.repoJSON(x, false))
	}
	return out
}

func (r *request) listInstalledRepos() (any, error) {
	var list []*Repo
	for _, x := range r.s.repos {
		if r.reaches(x) {
			list = append(list, x)
		}
	}
	selection := "all"
	if r.tok.install.selected != nil {
		selection = "selected"
	}
	return object{"total_count": len(list), "repository_selection": selection, "repositories": page(r, list, func(x *Repo) object { return r.s.repoJSON(x, false) })}, nil
}

func (r *request) endToken() (any, error) {
	r.tok.ended = true
	return nil, nil
}

// getHookConfig shows the webhook, as its secret is never shown.
func (r *request) getHookConfig() (any, error) {
	q := r.s.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	kind := "json"
	if r.s.opt.Form {
		kind = "form"
	}
	o := object{"content_type": kind, "insecure_ssl": "0", "url": orElse(q.url, "https://example.com/webhook")}
	if q.secret != "" {
		o["secret"] = "********"
	}
	return o, nil
}

func (r *request) patchHookConfig() (any, error) {
	var in struct{ URL, Secret *string }
	if err := r.into(&in); err != nil {
		return nil, err
	}
	q := r.s.queue
	q.mu.Lock()
	if in.URL != nil {
		q.url = *in.URL
	}
	if in.Secret != nil {
		q.secret = *in.Secret
	}
	q.mu.Unlock()
	return r.getHookConfig()
}

// kept is how long GitHub keeps deliveries (https://docs.github.com/en/webhooks/testing-and-troubleshooting-webhooks/redelivering-webhooks, 2026-11).
const kept = 3 * 24 * time.Hour

// logged is one attempt with its delivery: an entry of the app's log.
type logged struct {
	d Delivery
	a Attempt
}

// attempts are the app's log, newest first.
func (s *Server) attempts() []logged {
	oldest := s.opt.Now().Add(-kept)
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	var out []logged
	for _, d := range s.queue.log {
		for _, a := range d.Attempts {
			if !a.At.Before(oldest) {
				out = append(out, logged{*d, a})
			}
		}
	}
	slices.SortFunc(out, func(a, b logged) int { return int(b.a.ID - a.a.ID) })
	return out
}

// status is what GitHub says of an attempt. It gives a lost connection and a late answer statuses of its own.
func (a Attempt) status() (string, int) {
	switch a.Failed {
	case "":
		return "OK", a.Answer.Status
	case "timed out":
		return a.Failed, http.StatusGatewayTimeout
	case "failed to connect to host":
		return a.Failed, http.StatusBadGateway
	}
	return a.Failed, a.Answer.Status
}

func idOrNull(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}

func (l logged) json() object {
	status, code := l.a.status()
	return object{
		"id": l.a.ID, "guid": l.d.GUID, "delivered_at": stamp(l.a.At), "redelivery": l.a.Redelivery, "duration": 0.03, "status": status, "status_code": code, "event": l.d.Event, "action": textOrNull(l.d.Action),
		"installation_id": idOrNull(l.d.Installation), "repository_id": idOrNull(l.d.Repository), "throttled_at": nil,
	}
}

// listDeliveries pages by a cursor, not by numbers.
func (r *request) listDeliveries() (any, error) {
	q := r.call.Query
	per := perPage(q.Get("per_page"))
	list := r.s.attempts()
	if c := q.Get("cursor"); c != "" {
		after, err := strconv.ParseInt(c, 10, 64)
		if err != nil {
			return nil, invalid("Delivery", "cursor", "invalid", "")
		}
		list = slices.DeleteFunc(list, func(l logged) bool { return l.a.ID > after })
	}
	switch q.Get("status") {
	case "success":
		list = slices.DeleteFunc(list, func(l logged) bool { return l.a.Failed != "" })
	case "failure":
		list = slices.DeleteFunc(list, func(l logged) bool { return l.a.Failed == "" })
	}
	if len(list) > per {
		q.Set("cursor", text(list[per].a.ID))
		r.header.Set("Link", fmt.Sprintf(`<%s%s?%s>; rel="next"`, apiURL, r.call.Path, q.Encode()))
		list = list[:per]
	}
	out := []object{}
	for _, l := range list {
		out = append(out, l.json())
	}
	return out, nil
}

func (r *request) delivery() (logged, error) {
	for _, l := range r.s.attempts() {
		if text(l.a.ID) == r.vars["delivery_id"] {
			return l, nil
		}
	}
	return logged{}, notFound()
}

func (r *request) getDelivery() (any, error) {
	l, err := r.delivery()
	if err != nil {
		return nil, err
	}
	o := l.json()
	o["url"] = "https://example.com/webhook"
	o["request"] = object{"headers": flat(l.a.header), "payload": json.RawMessage(l.d.Payload)}
	o["response"] = object{"headers": flat(l.a.Answer.Header), "payload": string(l.a.Answer.Body)}
	return o, nil
}

// flat writes headers with one value each.
func flat(h http.Header) object {
	o := object{}
	for k := range h {
		o[k] = h.Get(k)
	}
	return o
}

// redeliver sends a delivery again, with its GUID.
func (r *request) redeliver() (any, error) {
	l, err := r.delivery()
	if err != nil {
		return nil, err
	}
	q := r.s.queue
	q.mu.Lock()
	var log *Delivery
	for _, d := range q.log {
		if d.GUID == l.d.GUID {
			log = d
		}
	}
	q.mu.Unlock()
	q.add(log, true)
	return object{}, nil
}
