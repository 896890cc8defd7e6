package gateway

import (
	"fmt"
	"strings"
	"time"

	"github.com/metagov/gateway-go/store"
)

// Least says how often at most a platform tolerates being asked, at least a second. Whoever else has a say (the operator by
// [Options.PollEvery], a community by [Settings], a driver by [Fresh]) can only ask for less than that.
//
// For a [PollFunc] or [ListFunc] it allows to poll more often than by default. For a [ProcessFunc] it says that Update reads from the
// platform how the process stands, however often it is called. The gateway calls it then without being told: slowly at first and often
// when the closing time is near (after a tenth of the time that is left, at most an hour; without a closing time, after a tenth
// of its age), unless Start or Update calls [Step.UpdateAt]; at [Community.Refresh]; and once more, after its closing time, before the
// outcome is made. If it fails then, it is tried for ten minutes more, after which the process is closed with what is known.
func Least(d time.Duration) Option { return func(o *options) { o.least = d } }

// Fresh has a process that is started read its platform so often that what is known is never older than d, as far as [Least], the
// operator and the community allow. Invalid: the process does not read its platform.
func Fresh(d time.Duration) DoOption { return func(o *doOptions) { o.fresh = d } }

// Duration is a time.Duration that is written in JSON as people write it: "90s", "1h30m".
type Duration time.Duration

// MarshalText writes it as time.Duration does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration does.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("%q is no duration: want 90s or 1h30m", b)
	}
	*d = Duration(v)
	return nil
}

// least is the shortest pause between two runs.
func (d PollDef) least() time.Duration { return positive(d.Least, d.Every) }

// pace is how long to wait between two runs of a poll or two looks at a process. Each who has a say can only slow down what those
// before allow: the plugin (least), the operator, the community. Where neither of the latter says anything it is every.
func (g *Gateway) interval(s Settings, plugin, name string, least, every time.Duration) time.Duration {
	d := max(least, every)
	if v, ok := paceOf(g.o.PollEvery, plugin, name); ok {
		least = max(least, v)
		d = least
	}
	if v, ok := paceOf(s.PollEvery, plugin, name); ok {
		d = max(least, time.Duration(v))
	}
	return d
}

// paceOf finds what was said of one poll or process, or else of its whole plugin.
func paceOf[D time.Duration | Duration](m map[string]D, plugin, name string) (D, bool) {
	if v, ok := m[plugin+"/"+name]; ok {
		return v, true
	}
	v, ok := m[plugin]
	return v, ok
}

// checkPace refuses what cannot be meant. A plugin or poll that is not there is none of its affair: it may come, or come back.
func checkPace[D time.Duration | Duration](m map[string]D) (bad []FieldError) {
	for key, v := range m {
		plugin, name, both := strings.Cut(key, "/")
		path := "/poll_every/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
		if !nameRE.MatchString(plugin) || both && !nameRE.MatchString(name) {
			bad = append(bad, FieldError{Path: path, Message: "want the name of a plugin, or plugin/poll"})
		}
		if time.Duration(v) < time.Second {
			bad = append(bad, FieldError{Path: path, Message: fmt.Sprintf("%v is shorter than a second", time.Duration(v))})
		}
	}
	return bad
}

// repace moves a community's polls to where its settings want them. Only to an earlier time: one that is rarer from now on is
// so after its next run.
func (g *Gateway) repace(tx store.Tx, community string, s Settings) error {
	rows, err := tx.Instances(community, 1000)
	if err != nil {
		return err
	}
	for _, row := range rows {
		p := g.plugins[row.Plugin]
		if p == nil || row.Status != statusActive {
			continue
		}
		for _, d := range p.m.Polls {
			t, err := tx.Task(taskPoll, row.ID+"/"+d.Name)
			if err != nil || t.Due.IsZero() || t.Error != "" {
				continue // one that fails has a pause of its own
			}
			t.Due = g.now().Add(spread(g.interval(s, p.m.Name, d.Name, d.least(), d.Every)))
			if err := tx.Schedule(t); err != nil {
				return err
			}
		}
	}
	return nil
}
