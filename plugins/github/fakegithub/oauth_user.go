package fakegithub

import "slices"

// What follows is what people's tokens are for, and how they end.

func (r *request) getMe() (any, error) {
	o := r.s.publicUserJSON(r.actor)
	for _, e := range r.actor.emails {
		if e.Primary {
			o["email"] = nil // a profile shows an address only where its person wants that
		}
	}
	return o, nil
}

// getMyEmails needs the account permission "Email addresses", which [Server.AllowEmails] gives.
func (r *request) getMyEmails() (any, error) {
	if !r.s.emails {
		return nil, forbidden()
	}
	return page(r, r.actor.emails, func(e Email) object {
		var visibility any
		if e.Primary {
			visibility = "private"
		}
		return object{"email": e.Address, "primary": e.Primary, "verified": e.Verified, "visibility": visibility}
	}), nil
}

// reachable says whether a person has access to what an installation has: it is their own, or they see one of its repositories, which members of an organisation do.
func (s *Server) reachable(i *installation, a *account) bool {
	if i.account == a {
		return true
	}
	if o := s.orgOf(i.account); o != nil && of(o.members, a) != nil {
		return true
	}
	return slices.ContainsFunc(s.repos, func(x *Repo) bool { return i.covers(x) && of(x.people, a) != nil })
}

func (r *request) myInstallations() (any, error) {
	list := slices.DeleteFunc(r.s.live(), func(i *installation) bool { return !r.s.reachable(i, r.actor) })
	return object{"total_count": len(list), "installations": page(r, list, func(i *installation) object { return r.s.installJSON(i, false) })}, nil
}

func (r *request) myInstalledRepos() (any, error) {
	i, err := r.installation()
	if err != nil || !r.s.reachable(i, r.actor) {
		return nil, notFound()
	}
	list := slices.DeleteFunc(slices.Clone(r.s.repos), func(x *Repo) bool { return !i.covers(x) || !x.can(r.actor, "read") })
	return object{"total_count": len(list), "repositories": page(r, list, func(x *Repo) object { return r.s.repoJSON(x, false) })}, nil
}

// userToken finds the token that the body names.
func (r *request) userToken() (*token, error) {
	var in struct {
		Token string `json:"access_token"`
	}
	if r.vars["client_id"] != r.s.app.ClientID {
		return nil, notFound()
	}
	if err := r.into(&in); err != nil {
		return nil, err
	}
	if in.Token == "" {
		return nil, unprocessable("Invalid request.\n\n\"access_token\" wasn't supplied.")
	}
	t := r.s.tokens[in.Token]
	if !r.s.works(t) || t.user == nil {
		return nil, notFound()
	}
	return t, nil
}

func (r *request) checkUserToken() (any, error) {
	t, err := r.userToken()
	if err != nil {
		return nil, err
	}
	return object{"token": t.text, "user": r.s.userJSON(t.user), "scopes": []string{}, "expires_at": stamp(t.expires),
		"app": object{"name": r.s.app.Slug, "url": "https://gateway.example", "client_id": r.s.app.ClientID}}, nil
}

func (r *request) endUserToken() (any, error) {
	t, err := r.userToken()
	if err != nil {
		return nil, err
	}
	r.s.endToken(t)
	return nil, nil
}

func (s *Server) endToken(t *token) {
	t.ended = true
	delete(s.refresh, t.refresh)
}

func (r *request) endUserGrant() (any, error) {
	t, err := r.userToken()
	if err != nil {
		return nil, err
	}
	r.s.endGrant(t.user)
	return nil, nil
}

// endGrant ends all tokens of a person.
func (s *Server) endGrant(a *account) {
	for _, t := range s.tokens {
		if t.user == a {
			s.endToken(t)
		}
	}
}
