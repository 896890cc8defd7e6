package fakediscord

import (
	"net/http"
	"slices"
)

// getMe is the bot, or whose OAuth token it is; the address only with the scope email.
func (r *request) getMe() (any, error) {
	u := r.s.users[r.me()]
	o := u.show()
	o["mfa_enabled"], o["locale"] = false, "en-US"
	if r.tok == nil {
		o["verified"], o["email"] = true, nil
		return o, nil
	}
	if !r.tok.has("identify") {
		return nil, plain(http.StatusUnauthorized)
	}
	if r.tok.has("email") {
		o["email"], o["verified"] = nullable(u.email), u.verified
	}
	return o, nil
}

func (r *request) getUser() (any, error) {
	u := r.s.users[r.vars["user_id"]]
	if u == nil {
		return nil, refuse(10013)
	}
	return u.show(), nil
}

// myGuilds lists where somebody is a member, by ID. It needs the scope guilds.
func (r *request) myGuilds() (any, error) {
	if r.tok != nil && !r.tok.has("guilds") {
		return nil, plain(http.StatusUnauthorized)
	}
	limit, err := count(r.call.Query, 1, 200, 200)
	if err != nil {
		return nil, err
	}
	after, err := cursor(r.call.Query, "after")
	if err != nil {
		return nil, err
	}
	before, err := cursor(r.call.Query, "before")
	if err != nil {
		return nil, err
	}
	all := slices.Clone(r.s.guilds)
	slices.SortFunc(all, func(a, b *Guild) int { return compareIDs(a.id, b.id) })
	out := []object{}
	for _, g := range all {
		if g.members[r.me()] == nil || num(g.id) <= after || before != 0 && num(g.id) >= before || len(out) == limit {
			continue
		}
		out = append(out, object{"id": g.id, "name": g.name, "icon": nil, "banner": nil, "owner": g.owner == r.me(),
			"permissions": bits(g.guildPerms(r.me())), "features": []string{}})
	}
	return out, nil
}

// myMember is the person's own membership. It needs the scope guilds.members.read.
func (r *request) myMember() (any, error) {
	if !r.tok.has("guilds.members.read") {
		return nil, plain(http.StatusUnauthorized)
	}
	g := r.s.guild(r.vars["guild_id"])
	if g == nil || g.members[r.me()] == nil {
		return nil, refuse(10004)
	}
	return g.members[r.me()].show(), nil
}

// leaveGuild takes the bot out of a guild.
func (r *request) leaveGuild() (any, error) {
	g := r.s.guild(r.vars["guild_id"])
	if g == nil || !g.bot {
		return nil, refuse(10004)
	}
	g.removeBot()
	return nil, nil
}

// openDM opens the bot's direct messages with somebody. Whether they take any is seen when one is sent.
func (r *request) openDM() (any, error) {
	var in struct {
		Recipient string `json:"recipient_id"`
	}
	if err := r.into(&in); err != nil {
		return nil, err
	}
	u := r.s.users[in.Recipient]
	if u == nil || in.Recipient == r.me() {
		return nil, refuse(50033)
	}
	return r.s.dm(in.Recipient).show(), nil
}

// dm is the channel of direct messages between the bot and somebody. The caller holds s.mu.
func (s *Server) dm(with string) *channel {
	if c := s.dms[with]; c != nil {
		return c
	}
	c := &channel{srv: s, id: s.snowflake(), typ: directMessages, recipient: with}
	s.dms[with], s.dmByID[c.id] = c, c
	return c
}

func (s *Server) showApplication() object {
	return object{
		"id": s.app.AppID, "name": s.users[s.app.BotUser].name, "icon": nil, "description": "", "type": nil,
		"bot": s.users[s.app.BotUser].show(), "bot_public": true, "bot_require_code_grant": s.opt.RequireCodeGrant,
		"verify_key": s.app.PublicKey, "flags": 0, "flags_new": "0",
	}
}

func (r *request) getApplication() (any, error) {
	o := r.s.showApplication()
	q := r.s.queue
	q.mu.Lock()
	url, events := q.url, q.events
	q.mu.Unlock()
	n := 0
	for _, g := range r.s.guilds {
		if g.bot {
			n++
		}
	}
	for k, v := range (object{
		"redirect_uris": list(r.s.opt.RedirectURLs), "interactions_endpoint_url": nullable(url), "event_webhooks_url": nullable(events),
		"role_connections_verification_url": nil, "owner": (&user{id: "900000000000000002", name: "developer"}).show(),
		"approximate_guild_count": n, "approximate_user_install_count": 0, "approximate_user_authorization_count": len(r.s.tokens),
		"explicit_content_filter": 0, "team": nil, "eligible_oauth2_scopes": []string{"identify", "guilds", "bot"},
	}) {
		o[k] = v
	}
	return o, nil
}
