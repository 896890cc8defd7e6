package fakegithub

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// page gives the part of a list that was asked for, by page and per_page, and the Link header (https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api).
// Only what is on the page is written as JSON.
func page[T any](r *request, list []T, show func(T) object) []object {
	q := r.call.Query
	per, n := perPage(q.Get("per_page")), 1
	if v, err := strconv.Atoi(q.Get("page")); err == nil && v > 1 {
		n = v
	}
	last := max(1, (len(list)+per-1)/per)
	from, to := min((n-1)*per, len(list)), min(n*per, len(list))
	out := []object{}
	for _, v := range list[from:to] {
		out = append(out, show(v))
	}
	var links []string
	link := func(rel string, to int) {
		links = append(links, fmt.Sprintf(`<%s%s?%s>; rel="%s"`, apiURL, r.numbered(), turned(r.http.URL.RawQuery, to), rel))
	}
	if n > 1 {
		link("prev", min(n-1, last))
	}
	if n < last {
		link("next", n+1)
		link("last", last)
	}
	if n > 1 {
		link("first", 1)
	}
	if len(links) > 0 {
		r.header.Set("Link", strings.Join(links, ", "))
	}
	return out
}

// turned is the query for another page, otherwise as it was asked.
func turned(query string, page int) string {
	parts := slices.DeleteFunc(strings.Split(query, "&"), func(p string) bool { return p == "" || strings.HasPrefix(p, "page=") })
	return strings.Join(append(parts, "page="+strconv.Itoa(page)), "&")
}

// perPage is 30 unless said, and at most 100.
func perPage(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 30
	}
	return min(n, 100)
}
