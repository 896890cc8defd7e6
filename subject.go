package gateway

import (
	"net/url"
	"strings"
)

// What a list of voters, a claim or evidence is about is a subject, in one text form:
//
//	account:PLUGIN/PLATFORM/USER  an account on a platform
//	person:ID                     a person of the community, with all of their accounts
//	person:*                      whoever has a linked account; only in lists of voters
//	organization:ID               an organization; in lists, its members
//	resource:ID                   a thing that claims are about
//	role:INSTANCE/NAME            whoever has a role: on a platform (as its plugin says) or, with the instance "local", in the community
//	claim:KIND/NAME               whoever holds a claim
//
// Each part is escaped as in a URL's path. In a list of voters text without such a beginning is a user ID of the process's own platform.
const (
	kindAccount      = "account"
	kindPerson       = "person"
	kindOrganization = "organization"
	kindResource     = "resource"
	kindRole         = "role"
	kindClaim        = "claim"
)

// anyone is the ID of "person:*".
const anyone = "*"

// AccountKey is the subject of an account on a platform. In lists of voters, and of who votes, platformID may be "" where the community has one
// instance of the plugin; elsewhere it is part of the name.
func AccountKey(plugin, platformID, userID string) string {
	return kindAccount + ":" + url.PathEscape(plugin) + "/" + url.PathEscape(platformID) + "/" + url.PathEscape(userID)
}

// PersonKey is the subject of a person, with all of their accounts.
func PersonKey(id string) string { return kindPerson + ":" + url.PathEscape(id) }

// OrganizationKey is the subject of an organization; in a list of voters, its members.
func OrganizationKey(id string) string { return kindOrganization + ":" + url.PathEscape(id) }

// ResourceKey is the subject of a thing that claims are about.
func ResourceKey(id string) string { return kindResource + ":" + url.PathEscape(id) }

// RoleKey is the subject of whoever has a role: one of a platform, by the name of the community's instance of its plugin, or, with the
// instance "local", one that the community gives itself.
func RoleKey(instance, role string) string {
	return kindRole + ":" + url.PathEscape(instance) + "/" + url.PathEscape(role)
}

// ClaimKey is the subject of whoever holds a claim.
func ClaimKey(kind, name string) string {
	return kindClaim + ":" + url.PathEscape(kind) + "/" + url.PathEscape(name)
}

// subject is a subject that was read. Of an account it has all three parts, of a role instance and name, of a claim kind and name, of others the ID.
type subject struct {
	kind             string
	plugin, platform string // of an account; plugin is a role's instance, or a claim's kind
	id               string
}

// bare says that text names no subject but, in a list of voters, a user of the process's own platform.
func bare(text string) bool {
	kind, _, found := strings.Cut(text, ":")
	switch kind {
	case kindAccount, kindPerson, kindOrganization, kindResource, kindRole, kindClaim:
		return !found
	}
	return true
}

// parseSubject reads a subject. Only what String writes is one, so that two texts never mean the same.
func parseSubject(text string) (subject, bool) {
	kind, rest, _ := strings.Cut(text, ":")
	s := subject{kind: kind}
	var parts []string
	for part := range strings.SplitSeq(rest, "/") {
		p, err := url.PathUnescape(part)
		if err != nil {
			return subject{}, false
		}
		parts = append(parts, p)
	}
	switch {
	case kind == kindAccount && len(parts) == 3:
		s.plugin, s.platform, s.id = parts[0], parts[1], parts[2]
	case (kind == kindRole || kind == kindClaim) && len(parts) == 2:
		s.plugin, s.id = parts[0], parts[1]
	case (kind == kindPerson || kind == kindOrganization || kind == kindResource) && len(parts) == 1:
		s.id = parts[0]
	default:
		return subject{}, false
	}
	if s.id == "" || s.plugin == "" && s.group() && kind != kindOrganization || s.plugin == "" && kind == kindAccount || s.String() != text {
		return subject{}, false
	}
	return s, true
}

// String is the subject's text form.
func (s subject) String() string {
	switch s.kind {
	case kindAccount:
		return AccountKey(s.plugin, s.platform, s.id)
	case kindRole:
		return RoleKey(s.plugin, s.id)
	case kindClaim:
		return ClaimKey(s.plugin, s.id)
	case kindPerson:
		return kindPerson + ":" + escapeID(s.id)
	}
	return s.kind + ":" + url.PathEscape(s.id)
}

// escapeID leaves "person:*" as it is: no person has that ID.
func escapeID(id string) string {
	if id == anyone {
		return id
	}
	return url.PathEscape(id)
}

// group says that a subject is not somebody but those who belong to it.
func (s subject) group() bool {
	return s.kind == kindRole || s.kind == kindClaim || s.kind == kindOrganization
}
