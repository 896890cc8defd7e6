package fakeslack

import "slices"

// MethodArguments lists what each method takes.
func MethodArguments() map[string][]string {
	out := map[string][]string{}
	for name, m := range methods {
		var args []string
		for _, a := range m.args {
			args = append(args, a.name)
		}
		slices.Sort(args)
		out[name] = slices.Compact(args)
	}
	return out
}
