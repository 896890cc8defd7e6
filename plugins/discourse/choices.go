package discourse

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

const (
	maxChoices = 100 // listed at a time
	maxPages   = 10  // asked for to find them
)

// category is a category as the API has it.
type category struct {
	ID   int64      `json:"id"`
	Name string     `json:"name"`
	Sub  []category `json:"subcategory_list"`
}

// listCategories lists categories, those inside others with both names.
func (d *Discourse) listCategories(ctx context.Context, query string) ([]gateway.Choice, error) {
	var said struct {
		List struct {
			Categories []category `json:"categories"`
		} `json:"category_list"`
	}
	q := url.Values{"include_subcategories": {"true"}}
	if err := d.client().needs("categories:list").do(ctx, http.MethodGet, "/categories.json", q, nil, &said); err != nil {
		return nil, err
	}
	out := []gateway.Choice{}
	add := func(c category, name string) {
		if len(out) < maxChoices && fits(query, name) {
			out = append(out, gateway.Choice{Value: strconv.FormatInt(c.ID, 10), Label: name})
		}
	}
	for _, c := range said.List.Categories {
		add(c, c.Name)
		for _, sub := range c.Sub {
			add(sub, c.Name+" / "+sub.Name)
		}
	}
	return out, nil
}

// listGroups lists groups.
func (d *Discourse) listGroups(ctx context.Context, query string) ([]gateway.Choice, error) {
	out, seen := []gateway.Choice{}, 0
	for n := range maxPages {
		var page struct {
			Groups []group `json:"groups"`
			Total  int     `json:"total_rows_groups"`
		}
		if err := d.client().needs("groups:administer_groups").do(ctx, http.MethodGet, "/groups.json", url.Values{"page": {strconv.Itoa(n)}}, nil, &page); err != nil {
			return nil, err
		}
		for _, g := range page.Groups {
			if len(out) < maxChoices && fits(query, g.Name, g.FullName) {
				out = append(out, gateway.Choice{Value: g.Name, Label: first(g.FullName, g.Name)})
			}
		}
		if seen += len(page.Groups); len(page.Groups) == 0 || seen >= page.Total || len(out) >= maxChoices {
			break
		}
	}
	return out, nil
}

func fits(query string, names ...string) bool {
	query = strings.ToLower(strings.TrimSpace(query))
	for _, n := range names {
		if strings.Contains(strings.ToLower(n), query) {
			return true
		}
	}
	return false
}
