package slack

import (
	"context"
	"encoding/json"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

const (
	maxChoices = 100 // listed at a time
	maxPages   = 10  // asked for to find them
)

// pages calls a listing method until there is no more, or enough.
func (s *Slack) pages(ctx context.Context, method string, a args, take func(json.RawMessage) (enough bool, err error)) error {
	for range maxPages {
		var raw json.RawMessage
		if err := s.call(ctx, method, a, &raw); err != nil {
			return err
		}
		enough, err := take(raw)
		if err != nil {
			return gateway.Errorf(gateway.Unavailable, "slack: %s: decoding the answer: %w", method, err)
		}
		var next struct {
			Metadata struct {
				NextCursor string `json:"next_cursor"`
			} `json:"response_metadata"`
		}
		if err := json.Unmarshal(raw, &next); err != nil {
			return gateway.Errorf(gateway.Unavailable, "slack: %s: decoding the answer: %w", method, err)
		}
		if enough || next.Metadata.NextCursor == "" {
			return nil
		}
		a["cursor"] = next.Metadata.NextCursor
	}
	return nil
}

func fits(query string, names ...string) bool {
	query = strings.ToLower(strings.TrimLeft(strings.TrimSpace(query), "#@"))
	for _, n := range names {
		if strings.Contains(strings.ToLower(n), query) {
			return true
		}
	}
	return false
}

func (s *Slack) listChannels(ctx context.Context, query string) ([]gateway.Choice, error) {
	out := []gateway.Choice{}
	err := s.pages(ctx, "conversations.list", args{"types": "public_channel,private_channel", "exclude_archived": true, "limit": 1000}, func(raw json.RawMessage) (bool, error) {
		var page struct {
			Channels []named `json:"channels"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return false, err
		}
		for _, c := range page.Channels {
			if fits(query, c.Name, c.ID) && len(out) < maxChoices {
				out = append(out, gateway.Choice{Value: c.ID, Label: "#" + c.Name})
			}
		}
		return len(out) == maxChoices, nil
	})
	return out, err
}

func (s *Slack) listUsers(ctx context.Context, query string) ([]gateway.Choice, error) {
	out := []gateway.Choice{}
	err := s.pages(ctx, "users.list", args{"limit": 1000}, func(raw json.RawMessage) (bool, error) {
		var page struct {
			Members []struct {
				ID       string `json:"id"`
				Name     string `json:"name"`
				RealName string `json:"real_name"`
				Deleted  bool   `json:"deleted"`
				IsBot    bool   `json:"is_bot"`
			} `json:"members"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return false, err
		}
		for _, u := range page.Members {
			if !u.Deleted && !u.IsBot && u.ID != "USLACKBOT" && fits(query, u.Name, u.RealName, u.ID) && len(out) < maxChoices {
				out = append(out, gateway.Choice{Value: u.ID, Label: first(u.RealName, u.Name)})
			}
		}
		return len(out) == maxChoices, nil
	})
	return out, err
}

func (s *Slack) listUserGroups(ctx context.Context, query string) ([]gateway.Choice, error) {
	var list struct {
		Groups []struct {
			ID     string `json:"id"`
			Name   string `json:"name"`
			Handle string `json:"handle"`
		} `json:"usergroups"`
	}
	if err := s.call(ctx, "usergroups.list", nil, &list); err != nil {
		return nil, err
	}
	out := []gateway.Choice{}
	for _, g := range list.Groups {
		if fits(query, g.Name, g.Handle, g.ID) && len(out) < maxChoices {
			out = append(out, gateway.Choice{Value: g.ID, Label: g.Name})
		}
	}
	return out, nil
}
