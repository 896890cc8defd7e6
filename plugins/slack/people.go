package slack

import (
	"context"
	"slices"
	"strings"
)

// User is somebody of a workspace.
type User struct {
	ID       string  `json:"id" jsonschema_description:"By which they are known for ever."`
	TeamID   string  `json:"team_id,omitempty" jsonschema_description:"Their workspace."`
	Name     string  `json:"name,omitempty" jsonschema_description:"The name by which they log in."`
	RealName string  `json:"real_name,omitempty" jsonschema_description:"The name by which people know them."`
	TZ       string  `json:"tz,omitempty" jsonschema_description:"Their time zone."`
	Profile  Profile `json:"profile,omitzero" jsonschema_description:"What they say of themselves."`
	IsAdmin  bool    `json:"is_admin,omitempty" jsonschema_description:"Whether they administer the workspace."`
	IsOwner  bool    `json:"is_owner,omitempty" jsonschema_description:"Whether they own it."`
	IsGuest  bool    `json:"is_restricted,omitempty" jsonschema_description:"Whether they are a guest."`
	IsSingle bool    `json:"is_ultra_restricted,omitempty" jsonschema_description:"Whether they are a guest of one channel."`
	IsBot    bool    `json:"is_bot,omitempty" jsonschema_description:"Whether it is a program."`
	Deleted  bool    `json:"deleted,omitempty" jsonschema_description:"Whether they have left."`
}

// Profile is the part of a profile that governance has a use for.
type Profile struct {
	DisplayName string `json:"display_name,omitempty" jsonschema_description:"What they want to be called."`
	Email       string `json:"email,omitempty" jsonschema_description:"Their address, with the scope users:read.email."`
}

// real reports whether somebody is a person who is there.
func (u User) real() bool { return !u.Deleted && !u.IsBot && u.ID != "USLACKBOT" }

// GetUser is the input of get-user.
type GetUser struct {
	User string `json:"user" choices:"users" jsonschema:"minLength=1" jsonschema_description:"Who."`
}

func (s *Slack) getUser(ctx context.Context, in GetUser) (User, error) {
	var out struct {
		User User `json:"user"`
	}
	err := s.call(ctx, "users.info", args{"user": in.User}, &out)
	if err == nil && out.User.ID == "" {
		err = unnamed("users.info", "user")
	}
	return out.User, err
}

// InTeam says in which workspace.
type InTeam struct {
	TeamID string `json:"team_id,omitempty" jsonschema_description:"The workspace, where the app is installed for a whole organisation."`
}

// ListUsers is the input of list-users.
type ListUsers struct {
	Window
	InTeam
}

// Users is its answer.
type Users struct {
	Users      []User `json:"users" jsonschema_description:"The people."`
	NextCursor string `json:"next_cursor,omitempty" jsonschema_description:"Where to go on. Absent: these are all."`
}

func (s *Slack) listPeople(ctx context.Context, in ListUsers) (Users, error) {
	list, next, err := all(ctx, s, "users.list", args{"team_id": in.TeamID}, in.Window, User.real)
	return Users{list, next}, err
}

// Team is a workspace.
type Team struct {
	ID             string `json:"id" jsonschema_description:"By which it is known for ever."`
	Name           string `json:"name,omitempty" jsonschema_description:"Its name."`
	Domain         string `json:"domain,omitempty" jsonschema_description:"Its address, before .slack.com."`
	EmailDomain    string `json:"email_domain,omitempty" jsonschema_description:"Who has an address there may join by themselves."`
	EnterpriseID   string `json:"enterprise_id,omitempty" jsonschema_description:"The organisation that it is in."`
	EnterpriseName string `json:"enterprise_name,omitempty" jsonschema_description:"The organisation's name."`
}

// GetTeam is the input of get-team.
type GetTeam struct {
	Team string `json:"team,omitempty" jsonschema_description:"The workspace, where the app is installed for a whole organisation."`
}

func (s *Slack) getTeam(ctx context.Context, in GetTeam) (Team, error) {
	var out struct {
		Team Team `json:"team"`
	}
	err := s.call(ctx, "team.info", args{"team": in.Team}, &out)
	if err == nil && out.Team.ID == "" {
		err = unnamed("team.info", "workspace")
	}
	return out.Team, err
}

// UserGroup is a group of people.
type UserGroup struct {
	ID          string   `json:"id" jsonschema_description:"By which it is known for ever."`
	Name        string   `json:"name,omitempty" jsonschema_description:"Its name."`
	Handle      string   `json:"handle,omitempty" jsonschema_description:"By which it is mentioned, without @."`
	Description string   `json:"description,omitempty" jsonschema_description:"What it is for."`
	DateDelete  int64    `json:"date_delete,omitempty" jsonschema_description:"Since when it is switched off, in seconds since 1970. Absent: it is not."`
	Users       []string `json:"users,omitempty" jsonschema_description:"Who is in it, if that was asked for."`
}

// ListGroups is the input of list-user-groups.
type ListGroups struct {
	InTeam
	IncludeUsers    bool `json:"include_users,omitempty" jsonschema_description:"Whether to say who is in each."`
	IncludeDisabled bool `json:"include_disabled,omitempty" jsonschema_description:"Whether to list those that are switched off."`
}

// UserGroups is its answer.
type UserGroups struct {
	UserGroups []UserGroup `json:"usergroups" jsonschema_description:"The groups."`
}

func (s *Slack) listGroups(ctx context.Context, in ListGroups) (UserGroups, error) {
	a := args{"team_id": in.TeamID}
	if in.IncludeUsers {
		a["include_users"] = true
	}
	if in.IncludeDisabled {
		a["include_disabled"] = true
	}
	out := UserGroups{}
	if err := s.call(ctx, "usergroups.list", a, &out); err != nil {
		return out, err
	}
	if out.UserGroups == nil {
		out.UserGroups = []UserGroup{}
	}
	return out, nil
}

// Group names a user group.
type Group struct {
	InTeam
	UserGroup string `json:"usergroup" choices:"user-groups" jsonschema:"minLength=1" jsonschema_description:"The user group's ID (S…)."`
}

// GroupMembers are the people in a user group.
type GroupMembers struct {
	Users []string `json:"users" jsonschema_description:"Their user IDs."`
}

func (s *Slack) listGroupMembers(ctx context.Context, in Group) (GroupMembers, error) {
	out := GroupMembers{}
	if err := s.call(ctx, "usergroups.users.list", args{"usergroup": in.UserGroup, "team_id": in.TeamID}, &out); err != nil {
		return out, err
	}
	if out.Users == nil {
		out.Users = []string{}
	}
	return out, nil
}

// UpdateGroup is the input of update-user-group-members.
type UpdateGroup struct {
	Group
	Users []string `json:"users" choices:"users" jsonschema:"minItems=1,uniqueItems=true" jsonschema_description:"Who is to be in it. Slack takes no empty group."`
}

// GroupChanged is its answer.
type GroupChanged struct {
	Done
	Added   []string `json:"added" jsonschema_description:"Who came in."`
	Removed []string `json:"removed" jsonschema_description:"Who went out."`
}

// updateGroupMembers looks first who is in it: Slack's event tells only who came and went.
func (s *Slack) updateGroupMembers(ctx context.Context, in UpdateGroup) (GroupChanged, error) {
	now, err := s.listGroupMembers(ctx, in.Group)
	if err != nil {
		return GroupChanged{}, err
	}
	out := GroupChanged{Added: minus(in.Users, now.Users), Removed: minus(now.Users, in.Users)}
	if len(out.Added)+len(out.Removed) == 0 {
		out.Already = true
		return out, nil
	}
	_, err = s.perform(ctx, act{
		method: "usergroups.users.update", args: args{"usergroup": in.UserGroup, "team_id": in.TeamID, "users": strings.Join(in.Users, ",")},
		echoes: []string{membersRef(in.UserGroup, out.Added, out.Removed)},
	}, nil)
	return out, err
}

// minus is what is in a and not in b.
func minus(a, b []string) []string {
	out := []string{}
	for _, x := range a {
		if !slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}
