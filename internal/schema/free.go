package schema

import (
	"strings"
	"unicode"
)

// badFree says what is wrong with the name of a free field, or "". The names of known fields are compared as
// encoding/json does, without case: it would put "TEXT" into the field text, past the check of text. Names of
// credentials are refused because a caller could replace the community's own token with them.
func badFree(name string, known func(yield func(string) bool)) string {
	for k := range known {
		if strings.EqualFold(k, name) {
			return "differs from a known field only in case"
		}
	}
	if credentialLike(name) {
		return "looks like a credential, which cannot be given here"
	}
	return ""
}

// credentialLike looks at letters and digits only, without case, so that access_token, accessToken and ACCESS-TOKEN
// are one name.
func credentialLike(name string) bool {
	var b strings.Builder
	for _, r := range name {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			b.WriteRune(unicode.ToLower(unicode.ToUpper(r)))
		}
	}
	n := b.String()
	switch n {
	case "pagetoken", "nextpagetoken", "nexttoken", "synctoken", "continuationtoken":
		return false // cursors through pages
	case "auth", "bearer", "jwt", "cookie", "cookies":
		return true
	}
	for _, end := range []string{
		"token", "tokens", "secret", "secrets", "password", "passwords", "passwd", "passphrase", "apikey", "apikeys",
		"privatekey", "accesskey", "accesskeyid", "secretkey", "signingkey", "credential", "credentials", "authorization",
	} {
		if strings.HasSuffix(n, end) {
			return true
		}
	}
	return false
}
