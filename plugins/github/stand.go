package github

import "time"

// stand is what one voter says at the moment.
type stand struct {
	choices []string // in the order of the ask
	at      time.Time
	id      int64 // which of two of the same time came later
}

// newer compares what somebody says: an edit makes a comment the latest.
func newer(s, before stand) bool {
	return before.id == 0 || s.at.After(before.at) || s.at.Equal(before.at) && s.id > before.id
}

const (
	pageSize    = 100
	maxReadings = 4
)

// whole reads a list that may change while it is read page by page: what is taken away from a page that was read moves the rest up, so that an entry of
// somebody else's is on no page that is read. total is how many there are, as the issue itself says. Where another number was read, all is read again,
// until two numbers are the same, and what is in one of the readings is there. What fits on one page is read at once.
func whole(total int, read func() (says map[string]stand, n int, err error)) (map[string]stand, error) {
	all := map[string]stand{}
	for range maxReadings {
		says, n, err := read()
		if err != nil {
			return nil, err
		}
		for voter, s := range says {
			if before := all[voter]; newer(s, before) || s.id == before.id && len(s.choices) > len(before.choices) {
				all[voter] = s
			}
		}
		if n == total || n < pageSize {
			break
		}
		total = n
	}
	return all, nil
}
