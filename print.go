package gateway

import (
	"fmt"
	"io"
)

// Format prints the instance's names and nothing else, with every verb. A plugin's type that embeds *Instance has it from there:
// fmt looks into unexported fields without asking their methods, so a plugin with its configuration in one would print its [Secret]s.
func (i *Instance) Format(f fmt.State, _ rune) {
	if i == nil {
		_, _ = io.WriteString(f, "instance <nil>")
		return
	}
	_, _ = io.WriteString(f, "instance "+i.row.Community+"/"+i.row.Name+" ("+i.row.ID+")")
}
