package fakeslack

import "slices"

// readable finds a channel whose messages the caller may read: one that it is in.
func (r *request) readable() (*channel, error) {
	c, err := r.channelArg()
	if err != nil {
		return nil, err
	}
	if err := r.needScope(c.scope("history")); err != nil {
		return nil, err
	}
	if !c.has(r.me()) && r.tok.kind == kindBot {
		return nil, refuse("not_in_channel")
	}
	return c, nil
}

// within makes the filter of oldest, latest and inclusive.
func (r *request) within() (func(*message) bool, error) {
	oldest, latest := int64(-1), int64(1<<62)
	var ok bool
	if v := r.arg("oldest"); v != "" {
		if oldest, ok = micros(v); !ok {
			return nil, refuse("invalid_ts_oldest")
		}
		if v == "0" {
			oldest = -1
		}
	}
	if v := r.arg("latest"); v != "" {
		if latest, ok = micros(v); !ok {
			return nil, refuse("invalid_ts_latest")
		}
	}
	inclusive := r.flag("inclusive")
	return func(m *message) bool {
		t, _ := micros(m.ts)
		if inclusive && (t == oldest || t == latest) {
			return true
		}
		return t > oldest && t < latest
	}, nil
}

func (r *request) convHistory() (object, error) {
	c, err := r.readable()
	if err != nil {
		return nil, err
	}
	within, err := r.within()
	if err != nil {
		return nil, err
	}
	var list []*message
	for _, m := range slices.Backward(c.messages) {
		inThread := m.threadTS != "" && m.threadTS != m.ts && !m.broadcast
		if !m.deleted && !inThread && within(m) {
			list = append(list, m)
		}
	}
	list, next, err := page(r, list, 100, 999, func(m *message) string { return m.ts }, descending)
	if err != nil {
		return nil, err
	}
	o := object{
		"messages": r.full(c, list), "has_more": next != "", "pin_count": len(c.pins),
		"channel_actions_ts": nil, "channel_actions_count": 0,
	}
	if next != "" {
		o["response_metadata"] = metadata(next)
	}
	return o, nil
}

func (r *request) full(c *channel, list []*message) []object {
	out := make([]object, 0, len(list))
	for _, m := range list {
		out = append(out, r.w.fullMessageJSON(c, m, r.flag("include_all_metadata")))
	}
	return out
}

func (r *request) convReplies() (object, error) {
	c, err := r.readable()
	if err != nil {
		return nil, err
	}
	within, err := r.within()
	if err != nil {
		return nil, err
	}
	root := c.find(r.arg("ts"))
	if root == nil {
		return nil, refuse("thread_not_found")
	}
	var list []*message
	for _, m := range c.messages {
		// The first message always comes with its thread.
		if m == root || !m.deleted && m.threadTS == root.ts && within(m) {
			list = append(list, m)
		}
	}
	list, next, err := page(r, list, 1000, 1000, func(m *message) string { return m.ts }, ascending)
	if err != nil {
		return nil, err
	}
	o := object{"messages": r.full(c, list), "has_more": next != ""}
	if next != "" {
		o["response_metadata"] = metadata(next)
	}
	return o, nil
}
