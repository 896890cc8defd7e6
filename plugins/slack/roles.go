package slack

import (
	"context"
	"slices"

	gateway "github.com/metagov/gateway-go"
)

// roles are what a vote may be open to beside accounts and people.
func roles() []gateway.Feature[*Slack] {
	return []gateway.Feature[*Slack]{
		gateway.RoleFunc("usergroup", "Who is in a user group: usergroup/S….", (*Slack).groupRole, gateway.Needs("usergroups:read")),
		gateway.RoleFunc("channel", "Who is in a channel: channel/C…. This bot does not count; other programs that are in it do, because Slack does not say which they are.", (*Slack).channelRole, gateway.Needs("channels:read|groups:read")),
	}
}

// groupRole lists a user group, which Slack gives whole (https://docs.slack.dev/reference/methods/usergroups.users.list).
func (s *Slack) groupRole(ctx context.Context, group, _ string) ([]string, string, error) {
	out, err := s.listGroupMembers(ctx, Group{UserGroup: group})
	return out.Users, "", err
}

// channelRole lists a page of a channel's members. The bot itself is one of them, and is left out: it has no vote to cast.
func (s *Slack) channelRole(ctx context.Context, channel, cursor string) ([]string, string, error) {
	var out struct {
		Members  []string `json:"members"`
		Metadata struct {
			NextCursor string `json:"next_cursor"`
		} `json:"response_metadata"`
	}
	err := s.call(ctx, "conversations.members", args{"channel": channel, "limit": 200, "cursor": cursor}, &out)
	return slices.DeleteFunc(out.Members, func(user string) bool { return user == s.config.BotUserID }), out.Metadata.NextCursor, err
}
