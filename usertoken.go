package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/metagov/gateway-go/store"
)

// UserToken is a person's own credentials on a platform, as a login or install gave them. The gateway keeps them sealed, see [Options.Seal], gives
// them to nobody but the plugin, for an action on behalf of that person ([OnBehalfOf]), and revokes them when the account is unlinked.
type UserToken struct {
	Access  Secret
	Refresh Secret    // what it is traded for a fresh one with; "": it is not
	Scopes  []string  // the permissions that it has, as the platform names them; nil: it is not known
	Expires time.Time // zero: it does not
}

// TokenCall is what refreshing or revoking a person's token needs, see [OAuth].
type TokenCall struct {
	UserToken
	PlatformID string
	UserID     string
	HTTP       *http.Client
	Log        *slog.Logger
	Now        time.Time
}

// TokenInfo is what may be known of a person's own credentials on a platform.
type TokenInfo struct {
	Scopes  []string  `json:"scopes,omitempty"`
	Expires time.Time `json:"expires,omitzero"`  // it is refreshed before, where the platform lets it be
	Refused bool      `json:"refused,omitempty"` // it does not work any more: the person has to log in again
	Since   time.Time `json:"since"`
}

const (
	tokenActive  = "active"
	tokenRefused = "refused"
)

// freshFor is how long before its end a token is refreshed.
const freshFor = 10 * time.Minute

// sealedToken is what of a token must not be read in the database.
type sealedToken struct {
	Access  string `json:"access"`
	Refresh string `json:"refresh,omitempty"`
}

// tokenSeal binds a sealed token to its row, so that it cannot be moved to another's.
func tokenSeal(community string, a AccountRef) []byte {
	return []byte("gateway token " + community + " " + AccountKey(a.Plugin, a.PlatformID, a.UserID))
}

// sealToken seals a token for its row. It is called outside of transactions: Options.Seal may ask somebody far away.
func (g *Gateway) sealToken(community string, a AccountRef, t UserToken) ([]byte, error) {
	if g.o.Seal == nil {
		return nil, Errorf(Invalid, "the token of account %s cannot be kept without Options.Seal", a)
	}
	raw, err := json.Marshal(sealedToken{t.Access.Reveal(), t.Refresh.Reveal()})
	if err != nil {
		return nil, Errorf(Internal, "encoding the token of account %s: %w", a, err)
	}
	sealed, err := g.o.Seal.Encrypt(raw, tokenSeal(community, a))
	if err != nil {
		return nil, Errorf(Unavailable, "sealing the token of account %s: %w", a, err)
	}
	return sealed, nil
}

// openToken opens a sealed token.
func (g *Gateway) openToken(community string, a AccountRef, sealed []byte) (t UserToken, err error) {
	if g.o.Seal == nil {
		return t, Errorf(Invalid, "the token of account %s is sealed, and there is no Options.Seal to open it", a)
	}
	raw, err := g.o.Seal.Decrypt(sealed, tokenSeal(community, a))
	if err != nil {
		return t, Errorf(Invalid, "opening the token of account %s: none of the keys in Options.Seal fits", a)
	}
	var kept sealedToken
	if err := json.Unmarshal(raw, &kept); err != nil {
		return t, Errorf(Internal, "decoding the token of account %s", a)
	}
	return UserToken{Access: Secret(kept.Access), Refresh: Secret(kept.Refresh)}, nil
}

// keptToken is a token on its way from a platform to its row. Should nothing come of it, a task revokes it.
type keptToken struct {
	Sealed  []byte    `json:"sealed"`
	Scopes  []string  `json:"scopes,omitempty"`
	Expires time.Time `json:"expires,omitzero"`
	Task    string    `json:"task"`
}

// tokenTask is the payload of the task that revokes a token.
type tokenTask struct {
	Community string `json:"community"`
	AccountRef
	Sealed []byte `json:"sealed"`
}

// holdToken has a token revoked after a while, unless it is put in its place before.
func (g *Gateway) holdToken(ctx context.Context, community string, a AccountRef, t UserToken, wait time.Duration) (*keptToken, error) {
	sealed, err := g.sealToken(community, a, t)
	if err != nil {
		return nil, err
	}
	k := &keptToken{Sealed: sealed, Scopes: t.Scopes, Expires: t.Expires, Task: newID("t")}
	err = g.update(ctx, func(tx store.Tx) error { return g.revokeLater(tx, k.Task, community, a, sealed, wait) })
	return k, storeError(err, "keeping the token of account %s", a)
}

// revokeLater schedules the revocation of a token.
func (g *Gateway) revokeLater(tx store.Tx, key, community string, a AccountRef, sealed []byte, wait time.Duration) error {
	raw, err := json.Marshal(tokenTask{community, a, sealed})
	if err != nil {
		return Errorf(Internal, "encoding a token to be revoked: %w", err)
	}
	now := g.now()
	return tx.Schedule(store.Task{Kind: taskToken, Key: key, Community: community, Due: now.Add(wait), Payload: raw, Created: now})
}

// letGo has tokens revoked now that came to nothing.
func (g *Gateway) letGo(ctx context.Context, legs []leg) {
	if !slices.ContainsFunc(legs, func(l leg) bool { return l.Token != nil }) {
		return
	}
	err := g.update(context.WithoutCancel(ctx), func(tx store.Tx) error {
		for _, l := range legs {
			if l.Token == nil {
				continue
			}
			t, err := tx.Task(taskToken, l.Token.Task)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			t.Due = g.now()
			if err := tx.Schedule(t); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		g.log.WarnContext(ctx, "tokens that came to nothing are revoked later", "error", err)
	}
}

// putToken puts a token in its place.
func (g *Gateway) putToken(tx store.Tx, community string, a AccountRef, k *keptToken) error {
	if k == nil {
		return nil
	}
	scopes, err := json.Marshal(k.Scopes)
	if err != nil {
		return Errorf(Internal, "encoding the scopes of a token: %w", err)
	}
	now := g.now()
	row, err := tx.Token(community, a.Plugin, a.PlatformID, a.UserID)
	if errors.Is(err, store.ErrNotFound) {
		row, err = store.Token{Community: community, Plugin: a.Plugin, PlatformID: a.PlatformID, UserID: a.UserID, Created: now}, nil
	}
	if err != nil {
		return err
	}
	row.Sealed, row.Scopes, row.Expires, row.Status, row.Updated = k.Sealed, scopes, k.Expires, tokenActive, now
	if err := tx.PutToken(row); err != nil {
		return err
	}
	if k.Task == "" {
		return nil
	}
	return tx.Unschedule(taskToken, k.Task)
}

// dropToken deletes an account's token, and has it revoked at the platform. It says whether there was one.
func (g *Gateway) dropToken(tx store.Tx, community string, a AccountRef) (bool, error) {
	row, err := tx.Token(community, a.Plugin, a.PlatformID, a.UserID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := tx.DeleteToken(community, a.Plugin, a.PlatformID, a.UserID); err != nil {
		return false, err
	}
	if row.Status != tokenActive {
		return true, nil // the platform does not take it any more
	}
	return true, g.revokeLater(tx, newID("t"), community, a, row.Sealed, 0)
}

// ForgetToken deletes the credentials that an account's login gave, and has them revoked at the platform. The account stays linked. NotFound: there
// are none.
func (c *Community) ForgetToken(ctx context.Context, a AccountRef) error {
	return storeError(c.identity(ctx, func(tx store.Tx, _ Settings) error {
		r, err := c.resolve(tx, a)
		if err != nil {
			return err
		}
		had, err := c.g.dropToken(tx, c.row.Slug, r)
		if err == nil && !had {
			return store.ErrNotFound
		}
		return err
	}), "the token of account %s in community %s", a, c.row.Slug)
}

// Token says what is known of the credentials that an account's login gave: nobody gets the credentials themselves. NotFound: there are none.
func (c *Community) Token(ctx context.Context, a AccountRef) (TokenInfo, error) {
	var out TokenInfo
	err := c.look(ctx, func(tx store.Tx, _ Settings) error {
		r, err := c.resolve(tx, a)
		if err != nil {
			return err
		}
		row, err := tx.Token(c.row.Slug, r.Plugin, r.PlatformID, r.UserID)
		if err == nil {
			out = TokenInfo{Scopes: scopesOf(row), Expires: row.Expires, Refused: row.Status == tokenRefused, Since: row.Updated}
		}
		return err
	})
	return out, storeError(err, "the token of account %s in community %s", a, c.row.Slug)
}

func scopesOf(row store.Token) (scopes []string) {
	_ = json.Unmarshal(row.Scopes, &scopes) // what cannot be read is not known
	return scopes
}

// lacking are the permissions of needs that scopes do not have: "a|b" is one of both. Where scopes are not known none is lacking.
func lacking(scopes, needs []string) (out []string) {
	if scopes == nil {
		return nil
	}
	for _, n := range needs {
		if !slices.ContainsFunc(strings.Split(n, "|"), func(one string) bool { return slices.Contains(scopes, one) }) {
			out = append(out, n)
		}
	}
	return out
}

// tokenOf gives the token of an account for use now: a fresh one, where the one that is kept ends soon. instead is a token that the platform does not
// take, "" for none: where it is still the one that is kept, it is refreshed, or else marked as refused. Denied: there is none, or it does not work any
// more. All who want one at the same time wait for one refresh, in whatever program.
func (g *Gateway) tokenOf(ctx context.Context, community string, a AccountRef, instead Secret) (UserToken, error) {
	row, t, err := g.readToken(ctx, community, a)
	if err != nil || !g.stale(row, t, instead) {
		return t, err
	}
	err = g.exclusive(ctx, "token:"+community+":"+AccountKey(a.Plugin, a.PlatformID, a.UserID), func(ctx context.Context) error {
		if row, t, err = g.readToken(ctx, community, a); err != nil || !g.stale(row, t, instead) {
			return err // somebody else has done it
		}
		t, err = g.refresh(ctx, row, a, t, instead != "")
		return err
	})
	return t, err
}

// stale says that a token is to be refreshed.
func (g *Gateway) stale(row store.Token, t UserToken, instead Secret) bool {
	if instead != "" {
		return t.Access == instead
	}
	return !row.Expires.IsZero() && row.Expires.Sub(g.now()) < freshFor
}

func (g *Gateway) readToken(ctx context.Context, community string, a AccountRef) (row store.Token, t UserToken, err error) {
	err = g.view(ctx, func(tx store.Tx) (err error) {
		row, err = tx.Token(community, a.Plugin, a.PlatformID, a.UserID)
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return row, t, Errorf(Denied, "there is no token of account %s: it has to log in", a)
	case err != nil:
		return row, t, storeError(err, "reading the token of account %s", a)
	case row.Status != tokenActive:
		return row, t, Errorf(Denied, "the platform does not take the token of account %s any more: it has to log in again", a)
	}
	t, err = g.openToken(community, a, row.Sealed)
	t.Scopes, t.Expires = scopesOf(row), row.Expires
	return row, t, err
}

// refresh trades a token for a fresh one. refused says that the platform does not take it: then it ends here if nothing can be done.
func (g *Gateway) refresh(ctx context.Context, row store.Token, a AccountRef, t UserToken, refused bool) (UserToken, error) {
	p := g.plugins[a.Plugin]
	ended := refused || !row.Expires.After(g.now())
	if p == nil || p.m.OAuth == nil || p.m.OAuth.Refresh == nil || t.Refresh == "" {
		if !ended {
			return t, nil
		}
		return UserToken{}, g.refuseToken(ctx, row, a)
	}
	var fresh UserToken
	err := g.guard("refreshing a token of "+a.Plugin, func() (err error) {
		fresh, err = p.m.OAuth.Refresh(ctx, g.tokenCall(a, t))
		return err
	})
	if err == nil && fresh.Access == "" {
		err = Errorf(Internal, "plugin %s: refreshing gave no token", a.Plugin)
	}
	switch {
	case CodeOf(err) == Denied:
		return UserToken{}, g.refuseToken(ctx, row, a)
	case err != nil && !ended:
		g.log.WarnContext(ctx, "a token could not be refreshed; it works until it expires", "plugin", a.Plugin, "expires", row.Expires, "error", err)
		return t, nil
	case err != nil: // what it was wanted for was not done
		return UserToken{}, &Error{Code: Unavailable, After: RetryAfter(err), Err: errors.Join(errors.New("refreshing a token of "+a.Plugin), err)}
	}
	if fresh.Refresh == "" {
		fresh.Refresh = t.Refresh
	}
	if fresh.Scopes == nil {
		fresh.Scopes = t.Scopes
	}
	// From here on the platform may take neither the old token nor the old refresh token: it is kept whoever gave up waiting.
	ctx = context.WithoutCancel(ctx)
	sealed, err := g.sealToken(row.Community, a, fresh)
	if err != nil {
		return UserToken{}, err
	}
	err = g.update(ctx, func(tx store.Tx) error {
		now, err := tx.Token(row.Community, a.Plugin, a.PlatformID, a.UserID)
		if errors.Is(err, store.ErrNotFound) || err == nil && now.Rev != row.Rev {
			// Meanwhile it was forgotten, or a login gave another: this one is nobody's.
			if err := g.revokeLater(tx, newID("t"), row.Community, a, sealed, 0); err != nil {
				return err
			}
			fresh = UserToken{}
			return nil
		}
		if err != nil {
			return err
		}
		return g.putToken(tx, row.Community, a, &keptToken{Sealed: sealed, Scopes: fresh.Scopes, Expires: fresh.Expires})
	})
	if err == nil && fresh.Access == "" {
		return fresh, Errorf(Unavailable, "the token of account %s was changed meanwhile", a)
	}
	return fresh, storeError(err, "keeping a fresh token of account %s", a)
}

func (g *Gateway) tokenCall(a AccountRef, t UserToken) TokenCall {
	return TokenCall{UserToken: t, PlatformID: a.PlatformID, UserID: a.UserID, HTTP: g.out.http, Log: g.log.With("plugin", a.Plugin), Now: g.now()}
}

// refuseToken marks a token that the platform does not take any more, tells drivers of it, and gives the error for whoever wanted to use it.
func (g *Gateway) refuseToken(ctx context.Context, row store.Token, a AccountRef) error {
	err := g.update(context.WithoutCancel(ctx), func(tx store.Tx) error { return g.refuseTx(ctx, tx, row, a) })
	if err != nil {
		return storeError(err, "marking the token of account %s as refused", a)
	}
	return Errorf(Denied, "the platform does not take the token of account %s any more: it has to log in again", a)
}

func (g *Gateway) refuseTx(ctx context.Context, tx store.Tx, row store.Token, a AccountRef) error {
	now, err := tx.Token(row.Community, a.Plugin, a.PlatformID, a.UserID)
	if errors.Is(err, store.ErrNotFound) || err == nil && (now.Rev != row.Rev || now.Status != tokenActive) {
		return nil
	}
	if err != nil {
		return err
	}
	now.Status, now.Updated = tokenRefused, g.now()
	if err := tx.PutToken(now); err != nil {
		return err
	}
	acc, err := tx.Account(row.Community, a.Plugin, a.PlatformID, a.UserID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return g.identityChanged(ctx, tx, change{kind: TokenRefused, community: row.Community, person: acc.Person, subject: accountOf(acc).key(), account: &acc})
}

// RefuseToken says that the platform has told, in a delivery that was verified, that a person's own token did not work any more at some time. It may be
// called from inside a transaction. Nothing happens where none is kept, or one that came later.
func (i *Instance) RefuseToken(ctx context.Context, userID string, at time.Time) error {
	a := AccountRef{i.row.Plugin, i.row.PlatformID, userID}
	return storeError(i.g.update(ctx, func(tx store.Tx) error {
		row, err := tx.Token(i.row.Community, a.Plugin, a.PlatformID, a.UserID)
		if errors.Is(err, store.ErrNotFound) || err == nil && row.Updated.After(at) {
			return nil
		}
		if err != nil {
			return err
		}
		return i.g.refuseTx(ctx, tx, row, a)
	}), "marking the token of account %s as refused", a)
}

// revokeToken is the task that has the platform forget a token that nobody uses any more. Some platforms give a person one token however often
// they log in: where another community, or a later login, holds the same, it goes on working.
func (g *Gateway) revokeToken(ctx context.Context, task store.Task) error {
	var at tokenTask
	if err := json.Unmarshal(task.Payload, &at); err != nil {
		return Errorf(Internal, "decoding a token to be revoked: %w", err)
	}
	p := g.plugins[at.Plugin]
	switch {
	case p == nil:
		return errMissing{at.Plugin, Errorf(NotFound, "revoking a token needs plugin %s, which this program does not have", at.Plugin)}
	case p.m.OAuth == nil || p.m.OAuth.Revoke == nil:
		return nil // the platform ends it when it expires
	}
	t, err := g.openToken(at.Community, at.AccountRef, at.Sealed)
	if err != nil {
		return err
	}
	if used, err := g.tokenUsed(ctx, at.AccountRef, t.Access); err != nil || used {
		return err
	}
	err = g.guard("revoking a token of "+at.Plugin, func() error { return p.m.OAuth.Revoke(ctx, g.tokenCall(at.AccountRef, t)) })
	if code := CodeOf(err); code == Denied || code == NotFound {
		return nil // it does not work any more
	}
	return err
}

// tokenUsed says whether any community holds this token of an account.
func (g *Gateway) tokenUsed(ctx context.Context, a AccountRef, access Secret) (bool, error) {
	var rows []store.Token
	err := g.view(ctx, func(tx store.Tx) error {
		rows = nil
		insts, err := tx.InstancesByPlatform(a.Plugin, a.PlatformID, 1000)
		if err != nil {
			return err
		}
		for _, inst := range insts {
			row, err := tx.Token(inst.Community, a.Plugin, a.PlatformID, a.UserID)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		return nil
	})
	if err != nil {
		return false, storeError(err, "looking for who uses a token of account %s", a)
	}
	for _, row := range rows {
		t, err := g.openToken(row.Community, a, row.Sealed)
		if err != nil {
			return false, err // it may be the same
		}
		if t.Access == access {
			return true, nil
		}
	}
	return false, nil
}
