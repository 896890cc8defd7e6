package fakegithub

import (
	"slices"
	"time"
)

// Issue is an issue or pull request as it is.
type Issue struct {
	Number            int
	Title, Body       string
	User              string
	State             string // open or closed
	StateReason       string
	Locked            bool
	LockReason        string
	Labels            []string
	Comments          []Comment
	Reactions         []Reaction
	Pull              bool
	Head              string // SHA of a pull request's head
	Merged            bool
	MergedBy          string
	MergeMethod       string
	Reviews           []Review
	Created, ClosedAt time.Time
}

// Comment is one of an issue.
type Comment struct {
	ID               int64
	User, Body       string
	Created, Updated time.Time
	Reactions        []Reaction
}

// Reaction is somebody's; of an account that was deleted User is "".
type Reaction struct{ User, Content string }

// Review is one of a pull request.
type Review struct{ User, State, Body string }

// Issue shows one. false: there is none of that number any more.
func (r *Repo) Issue(number int) (Issue, bool) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	t := r.thread(number)
	if t == nil || t.deleted || t.moved != nil {
		return Issue{}, false
	}
	out := Issue{Number: t.number, Title: t.title, Body: t.body, User: t.user.login, State: t.state(), StateReason: t.reason, Locked: t.locked, LockReason: t.lockReason, Created: t.created, ClosedAt: t.closedAt}
	for _, l := range t.labels {
		out.Labels = append(out.Labels, l.name)
	}
	for _, c := range t.comments {
		out.Comments = append(out.Comments, Comment{c.id, c.user.login, c.body, c.created, c.updated, shown(c.reactions)})
	}
	out.Reactions = shown(t.reactions)
	if p := t.pull; p != nil {
		out.Pull, out.Head, out.Merged, out.MergeMethod = true, p.sha, p.merged, p.mergeMethod
		if p.mergedBy != nil {
			out.MergedBy = p.mergedBy.login
		}
		for _, x := range p.reviews {
			out.Reviews = append(out.Reviews, Review{x.user.login, x.state, x.body})
		}
	}
	return out, true
}

func shown(list []*reaction) []Reaction {
	var out []Reaction
	for _, x := range list {
		who := ""
		if x.user != nil {
			who = x.user.login
		}
		out = append(out, Reaction{who, x.content})
	}
	return out
}

// Issues is how many issues and pull requests there have been.
func (r *Repo) Issues() int {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return len(r.threads)
}

// File shows a file's content.
func (r *Repo) File(path string) ([]byte, bool) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	for _, f := range r.files {
		if f.path == path {
			return slices.Clone(f.content), true
		}
	}
	return nil, false
}

// Rights is what somebody may do in the repository: none, read, triage, write, maintain or admin.
func (r *Repo) Rights(login string) string {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return r.rights(r.s.user(login))
}

func roles(list []*member) map[string]string {
	out := map[string]string{}
	for _, m := range list {
		out[m.who.login] = m.role
	}
	return out
}

// Members are the members with their roles, admin and member.
func (o *Org) Members() map[string]string {
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	return roles(o.members)
}

// Invited are those who have not answered yet, with the roles that they are to have.
func (o *Org) Invited() map[string]string {
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	out := map[string]string{}
	for _, i := range o.invited {
		out[i.who.login] = i.role
	}
	return out
}

// Blocked lists who is blocked.
func (o *Org) Blocked() []string {
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	var out []string
	for _, a := range o.blocked {
		out = append(out, a.login)
	}
	return out
}

// Team shows a team's members with their roles, maintainer and member.
func (o *Org) Team(slug string) map[string]string {
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	for _, t := range o.teams {
		if t.slug == slug {
			return roles(t.members)
		}
	}
	return nil
}

// Installed says whether an installation is there, and not suspended.
func (s *Server) Installed(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.install(text(id))
	return i != nil && i.suspended.IsZero()
}
