package fakediscourse

import (
	"cmp"
	"net/http"
	"slices"
)

// reviewStates are the states of what is to be reviewed.
var reviewStates = []string{"pending", "approved", "rejected", "ignored", "deleted"}

// listReviewables lists what is to be reviewed, or was, for staff: newest first, ten to a page.
func (r *request) listReviewables() (any, error) {
	status := orElse(r.str("status"), "pending")
	want := slices.Index(reviewStates, status)
	if want < 0 && status != "all" && status != "reviewed" {
		return nil, badParam("status")
	}
	var all []*reviewable
	for _, v := range r.f.reviewed {
		if status == "all" || status == "reviewed" && v.status != 0 || v.status == want {
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(a, b *reviewable) int { return cmp.Compare(b.id, a.id) })
	out := []object{}
	for _, v := range page(all, int(r.int("offset")), 10) {
		out = append(out, r.f.showReviewable(v))
	}
	return object{"reviewables": out, "meta": object{"total_rows_reviewables": len(all), "types": object{}, "status": status, "reviewable_count": len(all)}}, nil
}

// reviewActions are what can be done about a flagged or waiting post, and the state that it is in then.
var reviewActions = map[string]int{"agree_and_keep": 1, "agree_and_hide": 1, "disagree": 2, "ignore_and_do_nothing": 3, "ignore": 3,
	"approve_post": 1, "reject_post": 2}

func (r *request) performReview() (any, error) {
	v := r.f.reviewed[r.id()]
	action := r.vars["action"]
	status, ok := reviewActions[action]
	switch {
	case v == nil:
		return nil, refuse("not_found")
	case !r.has("version"):
		return nil, missing("version")
	case !ok || (v.queued != nil) != (action == "approve_post" || action == "reject_post"):
		return nil, refuse("invalid_access")
	case v.status != 0:
		return nil, &apiError{status: http.StatusConflict, errors: []string{"There was a conflict, somebody else has already reviewed this."}}
	}
	if err := r.f.review(v, status, action == "agree_and_hide"); err != nil {
		return nil, err
	}
	return object{"reviewable_perform_result": object{"success": true, "transition_to": reviewStates[status], "transition_to_id": v.id,
		"remove_reviewable_ids": []int64{v.id}, "version": 1, "reviewable_count": 0}}, nil
}

// review decides about a flagged or waiting post.
func (f *Forum) review(v *reviewable, status int, hide bool) error {
	if v.queued != nil && status == 1 {
		d := *v.queued
		d.approved = true
		if _, err := f.post(d); err != nil {
			return err
		}
	}
	v.status, v.acted = status, f.now()
	if hide && v.p != nil {
		v.p.hidden = true
	}
	f.tell("reviewable_transitioned_to", f.showReviewable(v), nil)
	return nil
}

// waiting says that a post was taken, and waits for approval.
type waiting struct{ id int64 }

func (w *waiting) Error() string { return "the post waits for approval" }

func (w *waiting) Is(target error) bool { return target == ErrRefused }

// waiting is how many posts of somebody wait for approval.
func (f *Forum) waiting(u *user) int {
	n := 0
	for _, v := range f.reviewed {
		if v.queued != nil && v.status == 0 && v.by == u.id {
			n++
		}
	}
	return n
}

// enqueue lets a post wait for approval.
func (f *Forum) enqueue(d draft) error {
	v := &reviewable{id: f.nextID("reviewable"), queued: &d, by: d.by.id, created: f.now()}
	f.reviewed[v.id] = v
	f.tell("reviewable_created", f.showReviewable(v), nil)
	return &waiting{v.id}
}
