package fakeslack

import (
	"encoding/base64"
	"sort"
	"strconv"
	"strings"
)

func sortScheduled(list []*scheduled) {
	sort.Slice(list, func(i, j int) bool {
		return list[i].at < list[j].at || list[i].at == list[j].at && list[i].id < list[j].id
	})
}

// page cuts a list by limit and cursor. The cursor names the next item, so that what is added or removed between two pages
// neither repeats nor skips others; key gives an item's name, and the list is in the order of before.
func page[T any](r *request, list []T, fallback, most int, key func(T) string, before func(a, b string) bool) (out []T, next string, err error) {
	limit := fallback
	if v := r.arg("limit"); v != "" && v != "0" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 {
			return nil, "", refuse("invalid_limit")
		}
		limit = min(n, most)
	}
	if cur := r.arg("cursor"); cur != "" {
		b, err := base64.StdEncoding.DecodeString(cur)
		from, ok := strings.CutPrefix(string(b), "next:")
		if err != nil || !ok {
			return nil, "", refuse("invalid_cursor")
		}
		i := sort.Search(len(list), func(i int) bool { return !before(key(list[i]), from) })
		list = list[i:]
	}
	if limit > 0 && len(list) > limit {
		next = base64.StdEncoding.EncodeToString([]byte("next:" + key(list[limit])))
		list = list[:limit]
	}
	return list, next, nil
}

func ascending(a, b string) bool  { return a < b }
func descending(a, b string) bool { return a > b }

func metadata(next string) object { return object{"next_cursor": next} }
