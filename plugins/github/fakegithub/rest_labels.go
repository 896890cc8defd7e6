package fakegithub

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

func (r *request) listLabels() (any, error) {
	return page(r, r.repo.labels, func(l *label) object { return r.s.labelJSON(r.repo, l) }), nil
}

func (r *request) findLabel() (*label, error) {
	for _, l := range r.repo.labels {
		if strings.EqualFold(l.name, r.vars["name"]) {
			return l, nil
		}
	}
	return nil, notFound()
}

func (r *request) getLabel() (any, error) {
	l, err := r.findLabel()
	if err != nil {
		return nil, err
	}
	return r.s.labelJSON(r.repo, l), nil
}

func (r *request) postLabel() (any, error) {
	var in struct{ Name, Color, Description string }
	if err := r.into(&in); err != nil {
		return nil, err
	}
	if in.Name == "" {
		return nil, invalid("Label", "name", "missing_field", "")
	}
	for _, l := range r.repo.labels {
		if strings.EqualFold(l.name, in.Name) {
			return nil, invalid("Label", "name", "already_exists", "")
		}
	}
	if in.Color != "" && !colorRE.MatchString(in.Color) {
		return nil, invalid("Label", "color", "invalid", "")
	}
	l := r.repo.label(in.Name, r.actor)
	l.color, l.about = orElse(in.Color, l.color), in.Description
	return r.s.labelJSON(r.repo, l), nil
}

var colorRE = regexp.MustCompile(`^[0-9A-Fa-f]{6}$`)

func (r *request) patchLabel() (any, error) {
	l, err := r.findLabel()
	if err != nil {
		return nil, err
	}
	var in struct {
		NewName     *string `json:"new_name"`
		Color       *string
		Description *string
	}
	if err := r.into(&in); err != nil {
		return nil, err
	}
	if in.Color != nil && !colorRE.MatchString(*in.Color) {
		return nil, invalid("Label", "color", "invalid", "")
	}
	changes := object{}
	if in.NewName != nil && *in.NewName != l.name {
		changes["name"] = object{"from": l.name}
	}
	if in.Color != nil && *in.Color != l.color {
		changes["color"] = object{"from": l.color}
	}
	set(&l.name, in.NewName)
	set(&l.color, in.Color)
	set(&l.about, in.Description)
	r.s.emit(event{name: "label", action: "edited", repo: r.repo, sender: r.actor, fields: object{"label": r.s.labelJSON(r.repo, l), "changes": changes}, permission: "issues"})
	return r.s.labelJSON(r.repo, l), nil
}

// firstLabels gives a repository the labels that GitHub gives to each.
func (r *Repo) firstLabels() {
	for _, l := range [][3]string{
		{"bug", "d73a4a", "Something isn't working"}, {"documentation", "0075ca", "Improvements or additions to documentation"}, {"duplicate", "cfd3d7", "This issue or pull request already exists"},
		{"enhancement", "a2eeef", "New feature or request"}, {"good first issue", "7057ff", "Good for newcomers"}, {"help wanted", "008672", "Extra attention is needed"},
		{"invalid", "e4e669", "This doesn't seem right"}, {"question", "d876e3", "Further information is requested"}, {"wontfix", "ffffff", "This will not be worked on"},
	} {
		r.labels = append(r.labels, &label{id: r.s.id(), name: l[0], color: l[1], about: l[2], byGitHub: true})
	}
}

func (r *request) deleteLabel() (any, error) {
	l, err := r.findLabel()
	if err != nil {
		return nil, err
	}
	for _, t := range r.repo.threads {
		t.labels = slices.DeleteFunc(t.labels, func(x *label) bool { return x == l })
	}
	r.repo.labels = slices.DeleteFunc(r.repo.labels, func(x *label) bool { return x == l })
	r.s.emit(event{name: "label", action: "deleted", repo: r.repo, sender: r.actor, fields: object{"label": r.s.labelJSON(r.repo, l)}, permission: "issues"})
	return nil, nil
}

func (r *request) threadLabels() (any, error) {
	t, err := r.thread()
	if err != nil {
		return nil, err
	}
	return page(r, t.labels, func(l *label) object { return r.s.labelJSON(r.repo, l) }), nil
}

// labelsIn reads labels: {"labels": […]}, or a list alone; each by its name or as an object.
func (r *request) labelsIn() ([]any, error) {
	var list []any
	if len(r.body) > 0 && strings.HasPrefix(strings.TrimSpace(string(r.body)), "[") {
		return list, r.into(&list)
	}
	var in struct{ Labels []any }
	err := r.into(&in)
	for _, v := range in.Labels {
		if labelName(v) == "" {
			return nil, unprocessable("Validation Failed")
		}
	}
	return in.Labels, err
}

func (r *request) postThreadLabels() (any, error) {
	t, err := r.thread()
	if err != nil {
		return nil, err
	}
	list, err := r.labelsIn()
	if err != nil {
		return nil, err
	}
	for _, v := range list {
		t.addLabel(r.actor, r.repo.label(labelName(v), r.actor))
	}
	return r.s.labelsJSON(r.repo, t.labels), nil
}

func (r *request) putThreadLabels() (any, error) {
	t, err := r.thread()
	if err != nil {
		return nil, err
	}
	list, err := r.labelsIn()
	if err != nil {
		return nil, err
	}
	r.setLabels(t, list)
	return r.s.labelsJSON(r.repo, t.labels), nil
}

func (r *request) setLabels(t *thread, list []any) {
	var want []*label
	for _, v := range list {
		want = append(want, r.repo.label(labelName(v), r.actor))
	}
	for _, l := range slices.Clone(t.labels) {
		if !slices.Contains(want, l) {
			t.removeLabel(r.actor, l)
		}
	}
	for _, l := range want {
		t.addLabel(r.actor, l)
	}
}

func (r *request) clearThreadLabels() (any, error) {
	t, err := r.thread()
	if err != nil {
		return nil, err
	}
	r.setLabels(t, nil)
	return nil, nil
}

func (r *request) deleteThreadLabel() (any, error) {
	t, err := r.thread()
	if err != nil {
		return nil, err
	}
	for _, l := range t.labels {
		if strings.EqualFold(l.name, r.vars["name"]) {
			t.removeLabel(r.actor, l)
			return r.s.labelsJSON(r.repo, t.labels), nil
		}
	}
	return nil, refuse(http.StatusNotFound, "Label does not exist")
}

// reactions finds the list of what the path names: an issue's, or a comment's.
func (r *request) reactions() (*[]*reaction, error) {
	if r.vars["comment_id"] != "" {
		c, err := r.comment()
		if err != nil {
			return nil, err
		}
		return &c.reactions, nil
	}
	t, err := r.thread()
	if err != nil {
		return nil, err
	}
	return &t.reactions, nil
}

func (r *request) listReactions() (any, error) {
	list, err := r.reactions()
	if err != nil {
		return nil, err
	}
	out := *list
	if content := r.call.Query.Get("content"); content != "" {
		out = slices.DeleteFunc(slices.Clone(out), func(x *reaction) bool { return x.content != content })
	}
	return page(r, out, r.s.reactionJSON), nil
}

func (r *request) postReaction() (any, error) {
	list, err := r.reactions()
	if err != nil {
		return nil, err
	}
	var in struct{ Content string }
	if err := r.into(&in); err != nil {
		return nil, err
	}
	if !slices.Contains(contents, in.Content) {
		return nil, invalid("Reaction", "content", "invalid", "")
	}
	x, fresh := react(r.s, list, r.actor, in.Content)
	r.status = http.StatusOK // it was there
	if fresh {
		r.status = http.StatusCreated
	}
	return r.s.reactionJSON(x), nil
}

func (r *request) deleteReaction() (any, error) {
	list, err := r.reactions()
	if err != nil {
		return nil, err
	}
	for _, x := range *list {
		if text(x.id) != r.vars["reaction_id"] {
			continue
		}
		if x.user != r.actor {
			return nil, refuse(http.StatusForbidden, "Must have admin rights to Repository.")
		}
		*list = slices.DeleteFunc(*list, func(y *reaction) bool { return y == x })
		return nil, nil
	}
	return nil, notFound()
}
