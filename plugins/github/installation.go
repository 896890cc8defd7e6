package github

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// installation is what GitHub says of one.
type installation struct {
	ID          int64             `json:"id"`
	AppSlug     string            `json:"app_slug"`
	Account     account           `json:"account"`
	TargetType  string            `json:"target_type"`
	Selection   string            `json:"repository_selection"`
	Permissions map[string]string `json:"permissions"`
	Events      []string          `json:"events"`
	SuspendedAt *string           `json:"suspended_at"`
}

// granted writes permissions as actions declare them, such as issues:write.
func (i installation) granted() []string {
	out := []string{}
	for name, level := range i.Permissions {
		out = append(out, name+":"+level)
	}
	sort.Strings(out)
	return out
}

// read asks for an installation as the app. It is of this app, or GitHub does not know it.
func (a *app) read(ctx context.Context, c *client, id string) (installation, error) {
	var out installation
	if err := c.json(ctx, request{method: http.MethodGet, path: "/app/installations/" + id}, &out); err != nil {
		return installation{}, err
	}
	if out.TargetType == "Enterprise" { // its account has no login, and neither repositories nor members
		return installation{}, gateway.Errorf(gateway.Invalid, "github: installation %s is an enterprise's: enable that of one of its organisations", id)
	}
	if out.ID == 0 || out.Account.Login == "" {
		return installation{}, gateway.Errorf(gateway.Unavailable, "github: GET /app/installations/%s: the answer names no installation", id)
	}
	if now := strconv.FormatInt(out.ID, 10); now != id { // written with zeros before it, no delivery would be for it
		return installation{}, gateway.Errorf(gateway.Invalid, "github: the installation's ID is %s, and not %s", now, id)
	}
	return out, nil
}

// configure is called when an instance is enabled or changed: GitHub is asked whose installation it is.
func (a *app) configure(ctx context.Context, inst *gateway.Instance, _, c *Config) error {
	i, err := a.read(ctx, a.asApp(inst.HTTP, inst.Now), c.InstallationID)
	if err != nil {
		return err
	}
	if i.AppSlug != "" && !strings.EqualFold(i.AppSlug, a.Slug) {
		return gateway.Errorf(gateway.Invalid, "github: the key is that of the app %s, and App.Slug says %s", i.AppSlug, a.Slug)
	}
	c.Account, c.AccountType, c.Permissions = i.Account.Login, first(i.TargetType, i.Account.Type), i.granted()
	return nil
}

// granted is the feature of the same purpose. Whoever may write may read, and whoever administers may do both.
func (g *GitHub) granted() []string {
	out := slices.Clone(g.config.Permissions)
	for _, p := range g.config.Permissions {
		name, level, _ := strings.Cut(p, ":")
		if level == "admin" {
			out = append(out, name+":write")
		}
		if level == "admin" || level == "write" {
			out = append(out, name+":read")
		}
	}
	return out
}

// Installation is the answer of get-installation.
type Installation struct {
	InstallationID string            `json:"installation_id" jsonschema_description:"The installation's ID."`
	Account        string            `json:"account" jsonschema_description:"The login of whom it is installed for."`
	AccountType    string            `json:"account_type" jsonschema_description:"Organization or User."`
	Selection      string            `json:"repository_selection,omitempty" jsonschema_description:"all, or selected: the repositories that it reaches."`
	Permissions    map[string]string `json:"permissions" jsonschema_description:"What it lets the app do."`
	Events         []string          `json:"events" jsonschema_description:"The events that GitHub delivers."`
	Suspended      bool              `json:"suspended,omitempty" jsonschema_description:"Whether somebody has suspended it: nothing works then, and nothing is delivered."`
}

func (g *GitHub) getInstallation(ctx context.Context, _ struct{}) (Installation, error) {
	i, err := g.app.read(ctx, g.app.asApp(g.HTTP, g.Now), g.config.InstallationID)
	if err != nil {
		return Installation{}, err
	}
	out := Installation{g.config.InstallationID, i.Account.Login, first(i.TargetType, i.Account.Type), i.Selection, i.Permissions, i.Events, i.SuspendedAt != nil}
	if out.Permissions == nil {
		out.Permissions = map[string]string{}
	}
	if out.Events == nil {
		out.Events = []string{}
	}
	return out, nil
}

const (
	maxChoices     = 100
	maxChoicePages = 20 // an installation may reach thousands of repositories
)

// listRepositories is what the field repo_name offers.
func (g *GitHub) listRepositories(ctx context.Context, query string) ([]gateway.Choice, error) {
	out := []gateway.Choice{}
	q := url.Values{"per_page": {"100"}}
	for range maxChoicePages {
		a, err := g.own().do(ctx, request{method: http.MethodGet, path: "/installation/repositories", query: q})
		if err != nil {
			return nil, err
		}
		var page struct {
			Repositories []struct {
				FullName string `json:"full_name"`
			} `json:"repositories"`
		}
		if err := json.Unmarshal(a.body, &page); err != nil {
			return nil, gateway.Errorf(gateway.Unavailable, "github: GET /installation/repositories: decoding the answer: %w", err)
		}
		for _, r := range page.Repositories {
			if strings.Contains(strings.ToLower(r.FullName), strings.ToLower(query)) && len(out) < maxChoices {
				out = append(out, gateway.Choice{Value: r.FullName, Label: r.FullName})
			}
		}
		next := a.next()
		if next == "" || len(out) == maxChoices {
			break
		}
		if q, err = turned(next, q); err != nil {
			return nil, err
		}
	}
	return out, nil
}
