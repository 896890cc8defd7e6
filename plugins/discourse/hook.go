package discourse

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// webhookEvery is how often it is made sure that the forum's webhook is there and works.
const webhookEvery = 6 * time.Hour

// hookID is the ID of the webhook that the plugin made or found; 0: none.
const hookID gateway.Key[int64] = "webhook"

// hook is a webhook as administrators see it (admin/web_hooks of Discourse, checked 2026-11).
type hook struct {
	ID          int64  `json:"id,omitempty"`
	URL         string `json:"payload_url"`
	ContentType int    `json:"content_type"`
	Secret      string `json:"secret"`
	Wildcard    bool   `json:"wildcard_web_hook"`
	Verify      bool   `json:"verify_certificate"`
	Active      bool   `json:"active"`
	LastStatus  int    `json:"last_delivery_status"`
	Types       []kind `json:"web_hook_event_types"`
}

// kind is a kind of event that a webhook can choose.
type kind struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

const (
	contentJSON = 1 // application/json; a form would be 2
	lastFailed  = 2 // the last delivery did
	hooksAtOnce = 50
	maxHookPage = 20
)

// unwanted are kinds that nobody needs to govern by: what somebody is told, and when they come and go. A community that wants them adds them to the
// webhook in the forum; what is there stays.
var unwanted = []string{"notification_created", "user_logged_in", "user_logged_out"}

// keepWebhook makes sure that the forum's webhook is there, calls this instance's URL, and is signed with its secret. It runs soon after the instance
// is enabled or changed, and then every now and then: an administrator of the forum may have removed it. What is wrong stands in the instance's health,
// as this poll's error. Without a key there is nothing that could be asked.
func (d *Discourse) keepWebhook(ctx context.Context) error {
	if d.config.APIKey == "" {
		return nil
	}
	target, err := d.WebhookURL(ctx)
	if err != nil {
		return err
	}
	c := d.client().needs(global)
	have, kinds, err := c.hooks(ctx)
	if refusedWith(err, http.StatusForbidden, http.StatusNotFound) {
		return gateway.Errorf(gateway.Denied, "the API key may not look after webhooks, which takes a key without scopes of an administrator's account: an administrator of the forum has to make the webhook by hand: %w", err)
	}
	if err != nil {
		return err
	}
	known, err := hookID.Get(ctx, d)
	if err != nil {
		return err
	}
	mine := slices.DeleteFunc(have, func(h hook) bool { return !d.ours(h, target, known) })
	if len(mine) == 0 {
		return d.makeWebhook(ctx, c, target, kinds)
	}
	for _, h := range mine[1:] { // made twice: an answer was lost
		if err := c.dropHook(ctx, h.ID); err != nil {
			return err
		}
	}
	return errors.Join(d.mendWebhook(ctx, c, mine[0], target, kinds), d.missed(ctx))
}

// missed fetches what failed to arrive while nothing was known to be wrong: a forum that is not told to try again tries once.
func (d *Discourse) missed(ctx context.Context) error {
	return d.repair(ctx, gateway.Gap{Since: d.Now().Add(-2 * webhookEvery), Until: d.Now()}) // what is known counts once
}

// ours says whether a webhook is this instance's. The ID alone does not: an administrator may have made something else of it, and a forum that was
// restored gives its IDs again.
func (d *Discourse) ours(h hook, target string, known int64) bool {
	return h.URL == target || h.ID == known && d.signedWith(h)
}

// signedWith says whether a webhook has the instance's secret.
func (d *Discourse) signedWith(h hook) bool {
	return subtle.ConstantTimeCompare([]byte(h.Secret), []byte(d.config.WebhookSecret.Reveal())) == 1
}

// removeWebhook deletes the webhook that the plugin made or found. It is called when the instance is removed. One that somebody made by hand stays if the
// key may not look after webhooks.
func (d *Discourse) removeWebhook(ctx context.Context) error {
	id, err := hookID.Get(ctx, d)
	if err != nil || id == 0 || d.config.APIKey == "" {
		return err
	}
	target, err := d.WebhookURL(ctx)
	if err != nil {
		return err
	}
	c := clientOf(d.Instance, d.config).needs(global)
	h, err := c.hook(ctx, id)
	switch {
	case refusedWith(err, http.StatusNotFound):
		return nil
	case err != nil:
		return err
	case !d.ours(h, target, id):
		return nil
	}
	return c.dropHook(ctx, id)
}

// makeWebhook makes it, and has the forum try it.
func (d *Discourse) makeWebhook(ctx context.Context, c client, target string, kinds []kind) error {
	var made struct {
		Hook hook `json:"web_hook"`
	}
	err := c.do(ctx, http.MethodPost, "/admin/api/web_hooks.json", nil, d.wantedHook(target, nil, kinds), &made)
	if err != nil {
		return err
	}
	if err := hookID.Put(ctx, d, made.Hook.ID); err != nil {
		return err
	}
	return c.ping(ctx, made.Hook.ID)
}

// mendWebhook changes one that is not as it has to be. The kinds of events that somebody has added stay.
func (d *Discourse) mendWebhook(ctx context.Context, c client, h hook, target string, kinds []kind) error {
	if err := hookID.Put(ctx, d, h.ID); err != nil {
		return err
	}
	if d.fits(h, target, kinds) {
		if h.LastStatus != lastFailed {
			return nil
		}
		if err := c.ping(ctx, h.ID); err != nil {
			return err
		}
		return gateway.Errorf(gateway.Unavailable, "the forum's last delivery failed: it does not reach %s, or was refused there", hostOf(target))
	}
	err := c.do(ctx, http.MethodPut, hookPath(h.ID)+".json", nil, d.wantedHook(target, h.Types, kinds), nil)
	if err != nil {
		return err
	}
	return c.ping(ctx, h.ID)
}

// fits says whether a webhook is as it has to be.
func (d *Discourse) fits(h hook, target string, kinds []kind) bool {
	if h.URL != target || h.ContentType != contentJSON || !d.signedWith(h) || !h.Active {
		return false
	}
	if h.Wildcard {
		return true
	}
	for _, k := range wanted(kinds) {
		if !slices.ContainsFunc(h.Types, func(t kind) bool { return t.ID == k }) {
			return false
		}
	}
	return true
}

// wanted are the IDs of the kinds that are chosen: all that the forum has but the unwanted ones, also those of its plugins.
func wanted(kinds []kind) []int64 {
	var out []int64
	for _, k := range kinds {
		if !slices.Contains(unwanted, k.Name) {
			out = append(out, k.ID)
		}
	}
	return out
}

// wantedHook is the webhook as it has to be. A forum that does not list its kinds of events sends them all.
func (d *Discourse) wantedHook(target string, have, kinds []kind) map[string]any {
	ids := wanted(kinds)
	for _, k := range have {
		if !slices.Contains(ids, k.ID) {
			ids = append(ids, k.ID)
		}
	}
	h := map[string]any{
		"payload_url": target, "content_type": contentJSON, "secret": d.config.WebhookSecret.Reveal(), "active": true,
		"verify_certificate": !strings.HasPrefix(target, "http:"), "wildcard_web_hook": len(ids) == 0,
	}
	if len(ids) > 0 {
		h["web_hook_event_type_ids"] = ids
	}
	return map[string]any{"web_hook": h}
}

// hookExtras are the kinds of events that there are: by group, or in a list as older versions had them (admin/web_hooks of Discourse, checked 2026-11).
type hookExtras struct {
	List   maybe[[]kind]            `json:"event_types"`
	Groups maybe[map[string][]kind] `json:"grouped_event_types"`
}

// kinds are all of them, by their IDs.
func (x hookExtras) kinds() []kind {
	out := slices.Clone(x.List.v)
	for _, group := range x.Groups.v {
		out = append(out, group...)
	}
	slices.SortFunc(out, func(a, b kind) int { return cmp.Compare(a.ID, b.ID) })
	return slices.CompactFunc(out, func(a, b kind) bool { return a.ID == b.ID })
}

// hooks lists the forum's webhooks, and the kinds of events that there are.
func (c client) hooks(ctx context.Context) (all []hook, kinds []kind, err error) {
	for n := range maxHookPage {
		var page struct {
			Hooks  []hook     `json:"web_hooks"`
			Total  int        `json:"total_rows_web_hooks"`
			Extras hookExtras `json:"extras"`
		}
		q := url.Values{"limit": {strconv.Itoa(hooksAtOnce)}, "offset": {strconv.Itoa(n * hooksAtOnce)}}
		if err := c.do(ctx, http.MethodGet, "/admin/api/web_hooks.json", q, nil, &page); err != nil {
			return nil, nil, err
		}
		all = append(all, page.Hooks...)
		if some := page.Extras.kinds(); len(some) > 0 {
			kinds = some
		}
		if len(page.Hooks) == 0 || len(all) >= page.Total {
			break
		}
	}
	return all, kinds, nil
}

// hook asks for one webhook.
func (c client) hook(ctx context.Context, id int64) (hook, error) {
	var said struct {
		Hook hook `json:"web_hook"`
	}
	err := c.do(ctx, http.MethodGet, hookPath(id)+".json", nil, nil, &said)
	return said.Hook, err
}

// ping has the forum send a delivery that says nothing, so that its administrators see whether it arrives.
func (c client) ping(ctx context.Context, id int64) error {
	return c.do(ctx, http.MethodPost, hookPath(id)+"/ping.json", nil, nil, nil)
}

// dropHook deletes a webhook, if it is there.
func (c client) dropHook(ctx context.Context, id int64) error {
	err := c.do(ctx, http.MethodDelete, hookPath(id)+".json", nil, nil, nil)
	if refusedWith(err, http.StatusNotFound) {
		return nil
	}
	return err
}

func hookPath(id int64) string { return "/admin/api/web_hooks/" + strconv.FormatInt(id, 10) }

// hostOf is an address's host: its path holds the instance's token.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "us"
	}
	return u.Host
}
