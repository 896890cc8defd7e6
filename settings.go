package gateway

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/metagov/gateway-go/store"
)

// Settings are what a community wants of the gateway itself, whatever its plugins. The zero value is the default.
type Settings struct {
	// Forget is what is not kept of events.
	Forget []Forget `json:"forget,omitempty"`
	// PollEvery is how often polls are run, and processes looked at that read their platform, by plugin ("slack") or by plugin and name
	// ("slack/fresh-token"), which goes before. Never more often than the platform tolerates or the gateway allows, see
	// [Options.PollEvery]. A shorter pause holds at once, a longer one from the next time on.
	PollEvery map[string]Duration `json:"poll_every,omitempty"`
	// Linking says by which ways people are linked, by name ([ByAdmin] and the others): those that are not named are as they are by default, all on
	// but [ByEmail].
	Linking map[string]bool `json:"linking,omitempty"`
	// Trust says what evidence and claims count for, by kind and by who issued them; the first that fits holds. What none fits counts for what its kind
	// counts for by default. It holds at once, also for what is known already.
	Trust []Trust `json:"trust,omitempty"`
}

// Trust says what a kind of evidence, or of claims, from an issuer counts for.
type Trust struct {
	Kind     string   `json:"kind,omitempty"`   // of evidence or claims; "": all
	Issuer   string   `json:"issuer,omitempty"` // "": all
	Strength Strength `json:"strength"`         // [None]: it does not count
}

// worth is what evidence or a claim counts for.
func (s Settings) worth(kind, issuer string, otherwise Strength) Strength {
	for _, t := range s.Trust {
		if (t.Kind == "" || t.Kind == kind) && (t.Issuer == "" || t.Issuer == issuer) {
			return t.Strength
		}
	}
	return otherwise
}

// The ways in which accounts are linked and people merged, each of which a community may switch off or on in [Settings.Linking].
const (
	ByAdmin        = "admin"       // a driver says so for an admin
	ByBothLogins   = "both_logins" // both accounts log in, in one browser session
	ByLogin        = "login"       // an account logs in for a person whom the driver names, or proves its key
	ByPrompt       = "prompt"      // somebody is asked, with a reason, to link another account; see [Community.PromptLink]
	ByEmail        = "email"       // both platforms have verified the same e-mail address; silently, and so off by default
	ByEmailConsent = "email_asked" // the same address is a suggestion, on which somebody may log in with both
	BySuggestion   = "suggestion"  // something looks alike: it is suggested, and joins nobody by itself
	ByUnprovenWord = "unproven"    // somebody says so
)

// ways are all of them, and whether they are on by default.
func ways() map[string]bool {
	return map[string]bool{
		ByAdmin: true, ByBothLogins: true, ByLogin: true, ByPrompt: true, ByEmail: false, ByEmailConsent: true, BySuggestion: true, ByUnprovenWord: true,
	}
}

// wayOf is the way by which evidence of a kind links.
func wayOf(kind string) string {
	switch kind {
	case BothLogins:
		return ByBothLogins
	case OneLogin, KeyChallenge:
		return ByLogin
	case EmailVerified:
		return ByEmail
	case Inferred:
		return BySuggestion
	case Unproven:
		return ByUnprovenWord
	}
	return ByAdmin
}

// links says whether the community links people this way.
func (s Settings) links(way string) bool {
	if on, said := s.Linking[way]; said {
		return on
	}
	return ways()[way]
}

// check refuses what cannot be meant.
func (s Settings) check() error {
	bad := checkPace(s.PollEvery)
	for i, f := range s.Forget {
		bad = append(bad, f.check("/forget/"+strconv.Itoa(i))...)
	}
	for way := range s.Linking {
		if _, known := ways()[way]; !known {
			bad = append(bad, FieldError{"/linking/" + way, "there is no such way"})
		}
	}
	for i, t := range s.Trust {
		if t.Strength < None || t.Strength > Verified {
			bad = append(bad, FieldError{"/trust/" + strconv.Itoa(i) + "/strength", "there is no such strength"})
		}
	}
	if len(bad) > 0 {
		return &Error{Code: Invalid, Fields: bad}
	}
	return nil
}

// Settings reads what the community wants of the gateway.
func (c *Community) Settings(ctx context.Context) (Settings, error) {
	var s Settings
	err := c.g.view(ctx, func(tx store.Tx) (err error) { s, err = settingsOf(tx, c.row.Slug); return err })
	return s, storeError(err, "reading the settings of %s", c.row.Slug)
}

// SetSettings replaces what the community wants of the gateway. It holds for what happens from then on. Invalid: it cannot be meant.
func (c *Community) SetSettings(ctx context.Context, s Settings) error {
	if err := s.check(); err != nil {
		return err
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return Errorf(Internal, "encoding the settings of %s: %w", c.row.Slug, err)
	}
	err = c.g.update(ctx, func(tx store.Tx) error {
		row, err := tx.Community(c.row.Slug)
		if err != nil {
			return err
		}
		if changed := changedFields(row.Settings, raw); len(changed) > 0 {
			a := store.Audit{Community: row.Slug, Kind: AuditSettings}
			if err := c.g.audit(tx, trailOf(ctx, ""), a, auditFields{changed}); err != nil {
				return err
			}
		}
		row.Settings = raw
		if err := tx.PutCommunity(row); err != nil {
			return err
		}
		return c.g.repace(tx, c.row.Slug, s)
	})
	return storeError(err, "keeping the settings of %s", c.row.Slug)
}

// settingsOf reads a community's settings.
func settingsOf(tx store.Tx, community string) (s Settings, err error) {
	row, err := tx.Community(community)
	if err != nil || len(row.Settings) == 0 {
		return s, err
	}
	if err := json.Unmarshal(row.Settings, &s); err != nil {
		return s, Errorf(Internal, "decoding the settings of %s: %w", community, err)
	}
	return s, nil
}
