package sourcecred

import (
	"net/url"
	"strings"
)

// Alias is an account on a platform, as SourceCred knows it. Two are the same account only if all fields are the same.
type Alias struct {
	Plugin string // "discord", "discourse", "github", "ethereum"
	Server string // Discourse: the server's URL, without a slash at its end; "" elsewhere, where names are unique by themselves
	User   string // Discord: the user ID; Discourse: the username; GitHub: the login; Ethereum: the address
}

// String names the alias in one text: its parts, escaped as in a URL's path.
func (a Alias) String() string {
	return url.PathEscape(a.Plugin) + "/" + url.PathEscape(a.Server) + "/" + url.PathEscape(a.User)
}

// forms are the addresses of people's accounts that SourceCred's own plugins make, by plugin: what stands between it and the server, and whether there
// is a server. Addresses of other things (posts, pull requests, bots) are nobody's account.
var forms = map[string]struct {
	between []string
	server  bool
}{
	"discord":   {between: []string{"MEMBER", "user"}},
	"discourse": {between: []string{"user"}, server: true},
	"github":    {between: []string{"USERLIKE", "USER"}},
	"ethereum":  {between: []string{"ADDRESS"}},
}

// Parse reads the address of an account's node in SourceCred's graph: "N", "sourcecred", the plugin and the rest, each ended by a zero byte. What is not
// written like that is no account: an ID that only stands at the same place, or the same ID on another platform, is somebody else.
func Parse(address string) (Alias, bool) {
	rest, ended := strings.CutSuffix(address, "\x00")
	parts := strings.Split(rest, "\x00")
	if !ended || len(parts) < 4 || parts[0] != "N" || parts[1] != "sourcecred" {
		return Alias{}, false
	}
	a := Alias{Plugin: parts[2]}
	form, known := forms[a.Plugin]
	parts = parts[3:]
	if !known || len(parts) <= len(form.between) {
		return Alias{}, false
	}
	for i, want := range form.between {
		if parts[i] != want {
			return Alias{}, false
		}
	}
	parts = parts[len(form.between):]
	if form.server {
		a.Server, parts = parts[0], parts[1:]
		if a.Server == "" {
			return Alias{}, false
		}
	}
	if len(parts) != 1 || parts[0] == "" {
		return Alias{}, false
	}
	a.User = parts[0]
	return a, true
}

// Address is what Parse reads; "" where the plugin is unknown.
func (a Alias) Address() string {
	form, known := forms[a.Plugin]
	if !known {
		return ""
	}
	parts := append([]string{"N", "sourcecred", a.Plugin}, form.between...)
	if form.server {
		parts = append(parts, a.Server)
	}
	return strings.Join(append(parts, a.User), "\x00") + "\x00"
}
