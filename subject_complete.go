package gateway

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

// complete fills in the platform of an account that was named without one, as an [AccountRef] may be. Invalid: the community has several of that plugin.
func (s subject) complete(tx store.Tx, community string) (subject, error) {
	if s.kind != kindAccount || s.platform != "" {
		return s, nil
	}
	r, err := resolve(tx, community, AccountRef{Plugin: s.plugin, UserID: s.id})
	s.platform = r.PlatformID
	return s, err
}

// partial says that an entry of a list is an account without its platform.
func partial(entry string) bool {
	s, ok := parseSubject(entry)
	return ok && s.kind == kindAccount && s.platform == ""
}

// completeLists fills in the platforms of the accounts in the lists of an Ask: otherwise an entry would be of nobody, and whoever it was to exclude could
// vote. Its error names the paths.
func (g *Gateway) completeLists(ctx context.Context, community string, ask *vote.Ask) error {
	lists := map[string]*[]string{"/eligible_voters": &ask.EligibleVoters, "/ineligible_voters": &ask.IneligibleVoters, "/may_close": &ask.MayClose}
	some := slices.ContainsFunc(ask.Weights, func(w vote.VoterWeight) bool { return partial(w.Voter) })
	for _, list := range lists {
		some = some || slices.ContainsFunc(*list, partial)
	}
	if !some {
		return nil
	}
	bad := &Error{Code: Invalid}
	err := g.view(ctx, func(tx store.Tx) error {
		bad.Fields = nil
		complete := func(path, entry string) (string, error) {
			if !partial(entry) {
				return entry, nil
			}
			s, _ := parseSubject(entry)
			s, err := s.complete(tx, community)
			if CodeOf(err) == Invalid {
				bad.Fields = append(bad.Fields, FieldError{path, text(err)})
				return entry, nil
			}
			return s.String(), err
		}
		for path, list := range lists {
			out := slices.Clone(*list) // nil stays nil: everybody
			for i, entry := range out {
				var err error
				if out[i], err = complete(fmt.Sprintf("%s/%d", path, i), entry); err != nil {
					return err
				}
			}
			*list = out
		}
		ask.Weights = slices.Clone(ask.Weights)
		for i := range ask.Weights {
			w, err := complete(fmt.Sprintf("/weights/%d/voter", i), ask.Weights[i].Voter)
			if err != nil {
				return err
			}
			ask.Weights[i].Voter = w
		}
		return nil
	})
	if err == nil && len(bad.Fields) > 0 {
		slices.SortFunc(bad.Fields, func(a, b FieldError) int { return strings.Compare(a.Path, b.Path) })
		return bad
	}
	return storeError(err, "reading the instances of community %s", community)
}
