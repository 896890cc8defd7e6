// Package sourcecred reads what an instance of SourceCred knows of people: how much cred somebody has, and by which accounts. It is a source of claims
// and joins nobody: that two accounts are one identity there is what that instance says.
//
// SourceCred is not maintained any more, and calls the file that is read here experimental; its instances go on as static pages.
package sourcecred

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// Kind is the kind of claims that say how much cred somebody has. Their name is "total", and their data has "amount" as decimal text, so that
// a policy can ask for a claim with at least an amount: gateway.ClaimQuery{Kind: Kind, Name: "total", Within: {"amount": "100"}}.
const Kind = "cred"

// Config is one instance of SourceCred.
type Config struct {
	Name string // of the source; "" is "sourcecred"
	URL  string // where the instance's pages are: https://cred.example; output/accounts.json is read below it

	// User says by which name SourceCred knows an account: the username of a Discourse account, the login of a GitHub account, where the gateway knows them
	// by numbers. It may call the platform. "" is an account that SourceCred cannot know. Nil: by its user ID.
	User func(ctx context.Context, c *gateway.Community, a gateway.AccountRef) (string, error)
	// Servers are the URLs of Discourse servers by the platform ID of their accounts. What is not listed has the platform ID as its URL, or the
	// platform ID is its host.
	Servers map[string]string
	// MaxAge is how old the newest figures may be: an instance that nobody runs any more goes on saying the same for ever. 0: 30 days; less: however old.
	MaxAge time.Duration
}

// The bounds of what is spent on an instance.
const (
	maxFile     = 32 << 20
	keepFor     = time.Minute // within which the file is not asked for again
	maxAliases  = 100         // of one identity that are listed
	defaultAge  = 30 * 24 * time.Hour
	accountPath = "output/accounts.json"
)

// Source is a claim source for gateway.Options.ClaimSources.
type Source struct {
	c  Config
	at string

	mu     sync.Mutex // held while the file is read: everybody needs the same
	etag   string
	have   *ledger
	loaded time.Time
}

// New makes a source. Invalid: the URL is not one.
func New(c Config) (*Source, error) {
	if c.Name == "" {
		c.Name = "sourcecred"
	}
	if c.MaxAge == 0 {
		c.MaxAge = defaultAge
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, gateway.Errorf(gateway.Invalid, "sourcecred: Config.URL %q: want http(s)://host[/path]", c.URL)
	}
	return &Source{c: c, at: u.JoinPath(accountPath).String()}, nil
}

// Name is the source's name.
func (s *Source) Name() string { return s.c.Name }

// Claims says what the instance knows of an account: its cred, its identity there, and the identity's other accounts. Of people, and of accounts on
// platforms that SourceCred does not know, it says nothing.
func (s *Source) Claims(ctx context.Context, c *gateway.Community, subject string) ([]gateway.Claim, error) {
	ref, ok := gateway.AccountOf(subject)
	if !ok {
		return nil, nil
	}
	if _, known := forms[ref.Plugin]; !known {
		return nil, nil
	}
	alias, err := s.alias(ctx, c, ref)
	if err != nil || alias.User == "" {
		return nil, err
	}
	l, err := s.ledger(ctx, c)
	if err != nil {
		return nil, err
	}
	if old := c.Now().Sub(l.newest); s.c.MaxAge > 0 && old > s.c.MaxAge {
		return nil, gateway.Errorf(gateway.Unavailable, "sourcecred: the newest figures of %s are from %s", s.c.Name, l.newest.Format(time.DateOnly))
	}
	h := l.holders[alias]
	if h == nil {
		return nil, nil
	}
	return h.claims(alias)
}

func (h *holder) claims(mine Alias) ([]gateway.Claim, error) {
	data, err := json.Marshal(map[string]any{"amount": h.cred, "identity": h.id, "active": h.active})
	if err != nil {
		return nil, fmt.Errorf("sourcecred: encoding a claim: %w", err)
	}
	var out []gateway.Claim
	if h.cred != "" {
		out = append(out, gateway.Claim{Kind: Kind, Name: "total", Data: data})
	}
	out = append(out, gateway.Claim{Kind: gateway.ClaimIdentifier, Name: "sourcecred/identity/" + url.PathEscape(h.id)})
	for i, a := range h.aliases {
		if i < maxAliases && a != mine {
			out = append(out, gateway.Claim{Kind: gateway.ClaimIdentifier, Name: a.String()})
		}
	}
	return out, nil
}

// alias is how SourceCred knows an account; without a User where it cannot.
func (s *Source) alias(ctx context.Context, c *gateway.Community, ref gateway.AccountRef) (Alias, error) {
	a := Alias{Plugin: ref.Plugin, User: ref.UserID}
	if forms[ref.Plugin].server {
		a.Server = s.c.Servers[ref.PlatformID]
		if a.Server == "" {
			a.Server = ref.PlatformID
		}
		if !strings.Contains(a.Server, "://") {
			a.Server = "https://" + a.Server
		}
		a.Server = strings.TrimSuffix(a.Server, "/")
	}
	if s.c.User == nil {
		return a, nil
	}
	var err error
	if a.User, err = s.c.User(ctx, c, ref); err != nil {
		return a, fmt.Errorf("sourcecred: asking by which name %s is known: %w", ref, err)
	}
	return a, nil
}

// ledger reads the file, unless it has just been read. One that has not changed is not sent again.
func (s *Source) ledger(ctx context.Context, c *gateway.Community) (*ledger, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := c.Now(); s.have != nil && !now.Before(s.loaded) && now.Sub(s.loaded) < keepFor {
		return s.have, nil
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.at, nil)
	if err != nil {
		return nil, gateway.Errorf(gateway.Invalid, "sourcecred: %w", err)
	}
	r.Header.Set("Accept", "application/json")
	if s.etag != "" {
		r.Header.Set("If-None-Match", s.etag)
	}
	resp, err := c.Guarded().Do(r)
	if err != nil {
		return nil, unavailable(fmt.Errorf("sourcecred: reading accounts.json: %w", err))
	}
	defer func() { _ = resp.Body.Close() }() // it was read, or is not wanted
	switch {
	case resp.StatusCode == http.StatusNotModified && s.have != nil:
		s.loaded = c.Now()
		return s.have, nil
	case resp.StatusCode != http.StatusOK:
		return nil, gateway.Errorf(gateway.Unavailable, "sourcecred: reading accounts.json: status %d", resp.StatusCode)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxFile+1))
	if err != nil {
		return nil, gateway.Errorf(gateway.Unavailable, "sourcecred: reading accounts.json: %w", err)
	}
	if len(raw) > maxFile {
		return nil, gateway.Errorf(gateway.Unavailable, "sourcecred: accounts.json has more than %d bytes", maxFile)
	}
	l, err := read(raw)
	if err != nil {
		return nil, err
	}
	s.have, s.etag, s.loaded = l, resp.Header.Get("ETag"), c.Now()
	return l, nil
}

// unavailable gives an error without a code the code of what may be there later.
func unavailable(err error) error {
	var e *gateway.Error
	if errors.As(err, &e) {
		return err
	}
	return &gateway.Error{Code: gateway.Unavailable, Err: err}
}
