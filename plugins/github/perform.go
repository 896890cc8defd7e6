package github

import (
	"context"
	"net/http"

	gateway "github.com/metagov/gateway-go"
)

// act is one call that changes something which repeating does not change further.
type act struct {
	request
	echoes  []string             // as what the delivery of it will be known
	same    []int                // GitHub's statuses for: it is so already
	gone    []int                // its statuses for it the second time, after an attempt of ours whose answer was lost
	already func() (bool, error) // asks whether it is so already, where a 422 does not tell

	// is asks before whether what one of the echoes tells of is so already, where GitHub says nothing of that afterwards. nil: it cannot be, or is not asked.
	is func(echo string) (bool, error)
}

// attempted is what is durable before GitHub hears of an act.
type attempted struct {
	Sent   bool     `json:"sent"`
	Asked  bool     `json:"asked,omitempty"`  // what it would change was asked before
	Echoes []string `json:"echoes,omitempty"` // and this is what will be told of it
}

// perform acts. same says that it was so before, and nothing was done. What an earlier attempt of ours has done is ours, also if its answer was
// lost: otherwise the delivery of it would count as somebody else's.
func (g *GitHub) perform(ctx context.Context, a act, out any) (same bool, err error) {
	call := gateway.CallOf(ctx)
	var before attempted
	again := call.Saved(&before) && before.Sent
	if !again {
		if before, err = g.attempt(ctx, a); err != nil {
			return false, err
		}
	}
	if err := call.Save(ctx, before); err != nil {
		return false, err
	}
	if before.Asked {
		a.echoes = before.Echoes
	}
	idle := before.Asked && len(a.echoes) == 0
	echoes := g.echoesAs(ctx, a.echoes)
	if !idle {
		if err := call.Expect(ctx, echoes...); err != nil {
			return false, err
		}
	}
	err = g.client(ctx).json(ctx, a.request, out)
	same = refusedWith(err, a.same...)
	if a.already != nil && refusedWith(err, http.StatusUnprocessableEntity) {
		var e error
		if same, e = a.already(); e != nil {
			return false, e
		}
	}
	switch {
	case same && !again:
		return true, nil
	case same, again && refusedWith(err, a.gone...):
		err = nil // the first attempt did it
	}
	if err == nil && !idle {
		call.Caused(echoes...)
	}
	return err == nil && idle, err
}

// attempt says what GitHub will tell of an act. On behalf of a person it is asked what is so already: GitHub tells nothing of that, and what we claimed
// would be taken for ours when that person does it by themselves some time. What the app does is nobody else's.
func (g *GitHub) attempt(ctx context.Context, a act) (attempted, error) {
	out := attempted{Sent: true}
	if a.is == nil || !behalf(ctx) {
		return out, nil
	}
	out.Asked = true
	for _, echo := range a.echoes {
		so, err := a.is(echo)
		if err != nil {
			return attempted{}, err
		}
		if !so {
			out.Echoes = append(out.Echoes, echo)
		}
	}
	return out, nil
}

// done is [GitHub.perform] for an action that has nothing else to say.
func (g *GitHub) done(ctx context.Context, a act) (Done, error) {
	same, err := g.perform(ctx, a, nil)
	return Done{Already: same}, err
}

// echoesAs are the names of acts as they will be told of: with the name of the person on whose behalf they are done.
func (g *GitHub) echoesAs(ctx context.Context, names []string) []string {
	if acting, ok := gateway.ActingAs(ctx); ok {
		return echoesOf(acting.UserID, names)
	}
	return names
}

// author is the login under which the call writes.
func (g *GitHub) author(ctx context.Context) string {
	if acting, ok := gateway.ActingAs(ctx); ok {
		return acting.UserID
	}
	return g.app.bot()
}
