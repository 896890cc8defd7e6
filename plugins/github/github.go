// Package github connects communities to GitHub: it brings what happens in an organisation's or a person's repositories as events,
// acts there (issues, comments, labels, pull requests, members, teams, blocks, any route of the REST API), and holds votes on issues, by
// reactions or by comments.
//
// One GitHub App (see [App]) serves all communities. Each installation of it, on an organisation's or a person's account, is one instance.
// Deliveries come by HTTP, signed with the app's webhook secret, at POST /api/hooks/github. Accounts are known by their logins, as GitHub's
// routes take them.
package github

import (
	"context"
	"crypto/rsa"
	"regexp"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// App is the GitHub App, as its settings say it. [New] refuses one without private key or without webhook secret: nothing that is
// delivered could be believed then.
type App struct {
	ID         string         // the app's ID, or its client ID: the issuer of its tokens
	Slug       string         // the last part of the app's address, https://github.com/apps/SLUG; its bot is SLUG[bot]
	PrivateKey gateway.Secret // PEM, PKCS #1 as GitHub gives it, or PKCS #8

	// WebhookSecret checks deliveries.
	WebhookSecret gateway.Secret

	ClientID     string         // for installing and logging in; empty: not possible
	ClientSecret gateway.Secret // likewise

	// Sweep is how often the app's log of deliveries is looked through for what failed, a minute at the least. GitHub brings nothing twice, so that
	// otherwise what it wants to tell during a restart is missed. 0: only after outages, and when somebody asks for a repair.
	Sweep time.Duration
}

// Config is one installation. An installation by OAuth fills it in; by hand the installation's ID is enough. It holds no secret: tokens are
// made with the app's key, and are never kept.
type Config struct {
	InstallationID string   `json:"installation_id" gateway:"platform_id,public" jsonschema:"title=Installation,pattern=^[0-9]+$,maxLength=20" jsonschema_description:"The installation's ID, the number at the end of its settings' address."`
	Account        string   `json:"account,omitempty" gateway:"public" jsonschema:"title=Account" jsonschema_description:"The login of the organisation or person that the app is installed for. Asked of GitHub."`
	AccountType    string   `json:"account_type,omitempty" gateway:"public" jsonschema:"title=Kind of account" jsonschema_description:"Organization or User. Asked of GitHub."`
	Repository     string   `json:"repo_name,omitempty" gateway:"public" choices:"repositories" jsonschema:"title=Repository" jsonschema_description:"The repository that is meant where an action or vote names none."`
	Permissions    []string `json:"permissions,omitempty" gateway:"public" jsonschema:"title=Permissions" jsonschema_description:"What the installation lets the app do, such as issues:write. Asked of GitHub."`
}

// GitHub is the plugin's value for one installation.
type GitHub struct {
	*gateway.Instance
	config Config
	app    *app
}

// app is what all installations share.
type app struct {
	App
	key    *rsa.PrivateKey
	tokens *tokens
	log    *logbook
	clock  clockOff
}

var slugRE = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,99}$`)

// New makes the plugin. Invalid: the app has no ID, slug, readable private key or webhook secret, or only half of its client credentials.
func New(a App) (gateway.Plugin, error) {
	switch {
	case a.WebhookSecret == "":
		return nil, gateway.Errorf(gateway.Invalid, "github: App.WebhookSecret is empty: whoever knows the URL could speak in GitHub's name")
	case a.ID == "" || !slugRE.MatchString(a.Slug):
		return nil, gateway.Errorf(gateway.Invalid, "github: App.ID and App.Slug are needed: as whom the app speaks, and how its own acts are known")
	case (a.ClientID == "") != (a.ClientSecret == ""):
		return nil, gateway.Errorf(gateway.Invalid, "github: App.ClientID and App.ClientSecret belong together, and only one is given")
	case a.Sweep != 0 && a.Sweep < minSweep:
		return nil, gateway.Errorf(gateway.Invalid, "github: App.Sweep is %v, and %v is the least", a.Sweep, minSweep)
	}
	key, err := parseKey(a.PrivateKey)
	if err != nil {
		return nil, err
	}
	s := &app{App: a, key: key, tokens: newTokens(), log: newLogbook()}
	open := func(_ context.Context, i *gateway.Instance, c Config) (*GitHub, error) {
		return &GitHub{i, c, s}, nil
	}
	features := []gateway.Feature[*GitHub]{
		gateway.ChoicesFunc("repositories", "Repositories that the installation reaches.", (*GitHub).listRepositories),
		gateway.ConfigureFunc[*GitHub](s.configure),
		gateway.GrantedFunc((*GitHub).granted),
		gateway.RepairFunc((*GitHub).repair),
		gateway.PaceFunc((*GitHub).pace),
		s.webhook(),
	}
	for _, e := range eventTypes {
		features = append(features, gateway.NewEvent[*GitHub, eventData](e.name, e.doc))
	}
	features = append(features, actions()...)
	features = append(features, votes()...)
	features = append(features, roles()...)
	if a.Sweep != 0 {
		features = append(features, gateway.PollFunc("failed-deliveries", a.Sweep, (*GitHub).sweep))
	}
	if a.ClientID != "" {
		features = append(features, gateway.OAuth[*GitHub, Config]{Authorize: s.authorize, Exchange: s.exchange, Undo: s.undo, Same: sameAccount, Refresh: s.refreshUser, Revoke: s.revokeUser})
	}
	return gateway.Define("github", "GitHub: events, actions and votes in an installation's repositories and organisation.", open, features...), nil
}

// bot is the login of the app's own account.
func (a *app) bot() string { return a.Slug + "[bot]" }
