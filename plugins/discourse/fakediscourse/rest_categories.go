package fakediscourse

import "strings"

func (r *request) listCategories() (any, error) {
	out := []object{}
	for _, c := range r.f.sortedCategories() {
		if r.f.seesCategory(r.user, c) && (c.parent == 0 || r.bool("include_subcategories")) {
			out = append(out, r.f.listedCategory(c))
		}
	}
	return object{"category_list": object{"can_create_category": r.user != nil && r.user.staff(), "can_create_topic": r.user != nil, "categories": out}}, nil
}

// listedCategory is a category in a list, with what is below it and how much was written lately.
func (f *Forum) listedCategory(c *category) object {
	o, below := f.showCategory(c), []int64{}
	for _, x := range f.sortedCategories() {
		if x.parent == c.id {
			below = append(below, x.id)
		}
	}
	o["subcategory_ids"], o["has_children"] = below, len(below) > 0
	for _, span := range []string{"day", "week", "month", "year", "all_time"} {
		o["topics_"+span] = o["topic_count"]
	}
	return o
}

func (r *request) category() (*category, error) {
	c := r.f.categories[r.id()]
	switch {
	case c == nil:
		return nil, refuse("not_found")
	case !r.f.seesCategory(r.user, c):
		return nil, refuse("invalid_access")
	}
	return c, nil
}

func (r *request) showCategory() (any, error) {
	c, err := r.category()
	if err != nil {
		return nil, err
	}
	return object{"category": r.f.showCategory(c)}, nil
}

func (r *request) categoryTopics() (any, error) {
	c, err := r.category()
	if err != nil {
		return nil, err
	}
	return r.topicList(func(t *topic) bool { return t.category == c.id }), nil
}

// categoryErrors is what is wrong with a category's name.
func (f *Forum) categoryErrors(name string, self int64) error {
	if strings.TrimSpace(name) == "" {
		return missing("name")
	}
	if len([]rune(name)) > 50 {
		return invalid("Name is too long (maximum is 50 characters)")
	}
	for _, c := range f.categories {
		if c.id != self && strings.EqualFold(c.name, name) {
			return invalid("Category Name has already been taken")
		}
	}
	return nil
}

func (r *request) createCategory() (any, error) {
	if !r.user.staff() {
		return nil, refuse("invalid_access")
	}
	if err := r.f.categoryErrors(r.str("name"), 0); err != nil {
		return nil, err
	}
	c := &category{id: r.f.nextID("category"), parent: r.int("parent_category_id")}
	r.f.setCategory(c, r.in)
	r.f.categories[c.id] = c
	r.f.tell("category_created", r.f.showCategory(c), &about{category: c.id})
	return object{"category": r.f.showCategory(c)}, nil
}

func (f *Forum) setCategory(c *category, in object) {
	if v, ok := in["name"]; ok {
		c.name = strings.TrimSpace(text(v))
	}
	c.slug = orElse(text(in["slug"]), orElse(c.slug, slug(c.name)))
	c.color = orElse(text(in["color"]), orElse(c.color, "0088CC"))
	if perms, ok := in["permissions"].(object); ok {
		c.groups = nil
		for name := range perms {
			if name == "everyone" {
				c.groups = nil
				break
			}
			c.groups = append(c.groups, name)
		}
	}
}

func (r *request) updateCategory() (any, error) {
	c, err := r.category()
	if err != nil {
		return nil, err
	}
	if !r.user.staff() {
		return nil, refuse("invalid_access")
	}
	if r.has("name") {
		if err := r.f.categoryErrors(r.str("name"), c.id); err != nil {
			return nil, err
		}
	}
	r.f.setCategory(c, r.in)
	r.f.tell("category_updated", r.f.showCategory(c), &about{category: c.id})
	return object{"success": "OK", "category": r.f.showCategory(c)}, nil
}

func (r *request) deleteCategory() (any, error) {
	c, err := r.category()
	if err != nil {
		return nil, err
	}
	if !r.user.staff() {
		return nil, refuse("invalid_access")
	}
	for _, t := range r.f.topics {
		if t.category == c.id {
			return nil, refuse("invalid_access") // one with topics cannot be deleted
		}
	}
	delete(r.f.categories, c.id)
	r.f.tell("category_destroyed", r.f.showCategory(c), &about{category: c.id})
	return done()
}

func (r *request) listTags() (any, error) {
	out := []object{}
	for _, t := range r.f.tags {
		o := r.f.showTag(t)
		out = append(out, object{"id": t.id, "text": t.name, "name": t.name, "description": nil, "count": o["topic_count"], "pm_only": false, "target_tag": nil})
	}
	return object{"tags": out, "extras": object{"categories": []object{}}}, nil
}

func (r *request) tagTopics() (any, error) {
	t := r.f.tags[strings.ToLower(r.vars["name"])]
	if t == nil {
		return nil, refuse("not_found")
	}
	o := r.topicList(func(x *topic) bool {
		for _, name := range x.tags {
			if name == t.name {
				return true
			}
		}
		return false
	})
	if l, ok := o["topic_list"].(object); ok {
		l["tags"] = []object{r.f.showTag(t)}
	}
	return o, nil
}
