package gateway

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSubjects(t *testing.T) {
	for text, want := range map[string]subject{
		AccountKey("slack", "T1", "U1"):       {kind: kindAccount, plugin: "slack", platform: "T1", id: "U1"},
		AccountKey("near", "", "a/b:c"):       {kind: kindAccount, plugin: "near", id: "a/b:c"},
		PersonKey("u1"):                       {kind: kindPerson, id: "u1"},
		"person:*":                            {kind: kindPerson, id: anyone},
		OrganizationKey("o1"):                 {kind: kindOrganization, id: "o1"},
		ResourceKey("r 1"):                    {kind: kindResource, id: "r 1"},
		RoleKey("slack", "usergroup/S1"):      {kind: kindRole, plugin: "slack", id: "usergroup/S1"},
		ClaimKey("capability", "spend:money"): {kind: kindClaim, plugin: "capability", id: "spend:money"},
	} {
		got, ok := parseSubject(text)
		require.True(t, ok, text)
		require.Equal(t, want, got)
		require.Equal(t, text, got.String())
		require.False(t, bare(text))
	}
	for _, text := range []string{
		"", "U1", "person", "person:", "person:a/b", "account:slack/T1", "account:slack/T1/", "account:/T1/U1", "account:slack/T1/U1/x", "role:slack", "role:/x", "claim:k/", "role:a/b/c",
		"person:%zz", "person:%61", "Person:a", "somebody:a", "organization:", " person:a", "person:a b",
	} {
		_, ok := parseSubject(text)
		require.False(t, ok, "%q", text)
	}
	for text, want := range map[string]bool{"U1": true, "a:b": true, "person": true, "person:": false, "role:x": false, "Person:a": true} {
		require.Equal(t, want, bare(text), text)
	}
}

// FuzzSubject: what is read is written as it was, so that one subject has one text.
func FuzzSubject(f *testing.F) {
	for _, s := range []string{"person:*", "account:slack/T1/U1", "role:slack/usergroup%2FS1", "claim:k/n", "organization:o", "resource:%20", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if s, ok := parseSubject(text); ok {
			require.Equal(t, text, s.String())
			require.False(t, bare(text))
		}
	})
}
