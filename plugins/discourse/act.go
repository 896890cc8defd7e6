package discourse

import (
	"context"
	"net/http"
	"slices"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// The permissions that actions need: the scopes of a granular key (app/models/api_key_scope.rb of Discourse, checked 2026-11), or global where no scope lets
// it. A key without scopes may do whatever its account may.
const (
	scopeWrite     = "topics:write"
	scopeTopic     = "topics:update"
	scopeRead      = "topics:read"
	scopeEdit      = "posts:edit"
	scopeSuspend   = "users:suspend"
	scopeUnsuspend = "users:unsuspend|global" // newer versions have a scope for it
	scopeSilence   = "users:silence|global"
	scopeUnsilence = "users:unsilence|global"
	scopeDelPost   = "posts:delete|global"
	scopeRecPost   = "posts:recover|global"
	scopeDelTopic  = "topics:delete|global"
	scopeRecTopic  = "topics:recover|global"
	scopeGroups    = "groups:manage_groups|global"
)

var allScopes = []string{
	scopeWrite, scopeTopic, scopeRead, scopeEdit, scopeSuspend, scopeUnsuspend, scopeSilence, scopeUnsilence, scopeDelPost, scopeRecPost, scopeDelTopic, scopeRecTopic, scopeGroups, global,
}

// granted says which of the permissions that actions need the key has; nil where the forum does not tell.
func (d *Discourse) granted() []string {
	if d.config.Scopes == nil {
		return nil
	}
	out := []string{}
	for _, needed := range allScopes {
		has := slices.Contains(d.config.Scopes, global)
		for _, either := range strings.Split(needed, "|") {
			has = has || slices.Contains(d.config.Scopes, either)
		}
		if has {
			out = append(out, needed)
		}
	}
	return out
}

// act is one call that changes something which repeating does not change further.
type act struct {
	method string
	path   string
	body   any
	scope  string
	echoes []string // as what the delivery of it will be known
	// already asks whether it is so, where the forum refuses: it refuses what is done already as it refuses what nobody may.
	already func() (bool, error)
	// first says that it is asked before: the forum would not refuse, and would not tell of it either.
	first bool
}

// attempted is what is durable before the forum hears of an act.
type attempted struct {
	Sent bool `json:"sent"`
}

// refusals are the statuses by which a forum refuses what is done already.
var refusals = []int{http.StatusForbidden, http.StatusConflict, http.StatusUnprocessableEntity, http.StatusNotFound, http.StatusGone, http.StatusBadRequest}

// perform acts. same says that it was so before, and nothing was done. What an earlier attempt of ours has done is ours, also if its answer was lost:
// otherwise the delivery of it would count as somebody else's.
func (d *Discourse) perform(ctx context.Context, a act, out any) (same bool, err error) {
	call := gateway.CallOf(ctx)
	var before attempted
	again := call.Saved(&before) && before.Sent
	if a.first && !again {
		if done, err := a.already(); err == nil && done {
			return true, nil
		}
	}
	if err := call.Save(ctx, attempted{true}); err != nil {
		return false, err
	}
	if err := call.Expect(ctx, a.echoes...); err != nil {
		return false, err
	}
	err = d.client().needs(a.scope).do(ctx, a.method, a.path, nil, a.body, out)
	if a.already != nil && refusedWith(err, refusals...) {
		done, failed := a.already()
		same = failed == nil && done // where it cannot be asked, the refusal is what there is to say
	}
	switch {
	case same && !again:
		return true, nil
	case same:
		err = nil // the first attempt did it
	}
	if err == nil {
		call.Caused(a.echoes...)
	}
	return false, err
}

// done is [Discourse.perform] for an action that has nothing else to say.
func (d *Discourse) done(ctx context.Context, a act) (Done, error) {
	same, err := d.perform(ctx, a, nil)
	return Done{Already: same}, err
}

// Done is the answer of an action that makes something so.
type Done struct {
	Already bool `json:"already,omitempty" jsonschema_description:"Whether it was so before, and nothing was done."`
}
