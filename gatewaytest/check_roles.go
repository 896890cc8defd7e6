package gatewaytest

import (
	"fmt"
	"slices"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// roles reads each kind of role under names that nobody has thought of: votes are opened to what people type. Who is in one need not be known, but it
// has to end, name everybody by an ID, and never be an internal error or a panic.
func (c *checked) roles(t TB) {
	t.Helper()
	r, spy := c.rig(t)
	inst := c.enable(t, r)
	town := r.Community("town")
	for _, d := range c.m.Roles {
		for _, name := range oddRoles() {
			_, err := town.ReadRole(t.Context(), gateway.RoleKey(inst.Name(), d.Name+"/"+name), 0)
			if gateway.CodeOf(err) == gateway.Internal {
				t.Errorf("role %s of %q: want its members, or an error with a code that says whose fault it is: %v", d.Name, name, err)
			}
		}
	}
	for _, self := range spy.opened() {
		for _, d := range c.m.Roles {
			for _, name := range oddRoles() {
				if err := c.pages(t, d, self, name); err != nil {
					t.Errorf("role %s of %q: %v", d.Name, name, err)
				}
			}
		}
	}
}

// mostPages is after how many pages of a role that nobody has named the check looks no further.
const mostPages = 20

// pages looks at each page that a role has.
func (c *checked) pages(t TB, d gateway.RoleDef, self any, name string) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the plugin panicked: %v", v)
		}
	}()
	cursor := ""
	for range mostPages {
		users, next, err := d.Members(t.Context(), self, name, cursor)
		switch {
		case err != nil:
			return nil // it says so
		case slices.Contains(users, ""):
			return fmt.Errorf("somebody in it has no user ID")
		case next == "":
			return nil
		case next == cursor:
			return fmt.Errorf("after cursor %q it goes on where it was", cursor)
		}
		cursor = next
	}
	return nil
}

func oddRoles() []string {
	return []string{"x", " ", "all", "0", "-1", "../../x", "a/b", "?x=1", "#", "%00", "\x00", "日本", strings.Repeat("x", 10_000)}
}
