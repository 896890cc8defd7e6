package fakediscourse

import (
	"strings"

	"github.com/metagov/gateway-go/internal/fake"
)

// who a route is for.
type audience int

const (
	anybody audience = iota // though the answer may depend on who asks
	members                 // whoever is signed in
	staff                   // moderators and administrators
	admins
)

// route is one line of the table of what the fake can do.
type route struct {
	method, path string
	parts        []string
	action       string // Discourse's name for it, which scopes of API keys are about
	who          audience
	page         bool // without ".json" it is a page in HTML
	free         bool // answered even where a login is required
	run          func(*request) (any, error)
}

func (r *route) name() string { return r.method + " " + r.path }

// routes is made once and never changed.
var routes = tableOfRoutes()

func tableOfRoutes() []*route {
	list := []*route{
		{method: "GET", path: "/site", action: "site#site", page: true, run: (*request).getSite},
		{method: "GET", path: "/site/basic-info", action: "site#basic_info", free: true, run: (*request).basicInfo},
		{method: "GET", path: "/about", action: "about#index", page: true, run: (*request).about},
		{method: "GET", path: "/srv/status", action: "forums#status", free: true, run: (*request).status},
		{method: "GET", path: "/session/current", action: "session#current", run: (*request).currentSession},

		{method: "GET", path: "/session/scopes", action: "session#scopes", run: (*request).sessionScopes},

		{method: "GET", path: "/session/sso_provider", action: "session#sso_provider", free: true, run: (*request).ssoProvider},
		{method: "GET", path: "/user-api-key/new", action: "user_api_keys#new", free: true, run: (*request).newUserKey},
		{method: "POST", path: "/user-api-key/revoke", action: "user_api_keys#revoke", who: members, run: (*request).revokeUserKey},

		{method: "POST", path: "/posts", action: "posts#create", who: members, run: (*request).createPost},
		{method: "GET", path: "/posts", action: "posts#latest", run: (*request).latestPosts},
		{method: "GET", path: "/posts/{id}", action: "posts#show", run: (*request).getPost},
		{method: "PUT", path: "/posts/{id}", action: "posts#update", who: members, run: (*request).updatePost},
		{method: "DELETE", path: "/posts/{id}", action: "posts#destroy", who: members, run: (*request).deletePost},
		{method: "PUT", path: "/posts/{id}/recover", action: "posts#recover", who: members, run: (*request).recoverPost},
		{method: "PUT", path: "/posts/{id}/locked", action: "posts#locked", who: members, run: (*request).lockPost},
		{method: "GET", path: "/posts/{id}/replies", action: "posts#replies", run: (*request).replies},
		{method: "POST", path: "/post_actions", action: "post_actions#create", who: members, run: (*request).createPostAction},
		{method: "DELETE", path: "/post_actions/{id}", action: "post_actions#destroy", who: members, run: (*request).deletePostAction},
		{method: "GET", path: "/post_action_users", action: "post_action_users#index", run: (*request).postActionUsers},

		{method: "GET", path: "/posts/by_number/{id}/{number}", action: "posts#by_number", run: (*request).postByNumber},
		{method: "GET", path: "/review", action: "reviewables#index", who: staff, page: true, run: (*request).listReviewables},
		{method: "PUT", path: "/review/{id}/perform/{action}", action: "reviewables#perform", who: staff, run: (*request).performReview},

		{method: "GET", path: "/latest", action: "list#latest", page: true, run: (*request).latest},
		{method: "GET", path: "/top", action: "list#top", page: true, run: (*request).latest},
		{method: "GET", path: "/t/{id}", action: "topics#show", page: true, run: (*request).getTopic},
		{method: "GET", path: "/t/{slug}/{id}", action: "topics#show", page: true, run: (*request).getTopic},
		{method: "GET", path: "/t/external_id/{external_id}", action: "topics#show_by_external_id", run: (*request).topicByExternalID},
		{method: "GET", path: "/t/{id}/posts", action: "topics#posts", run: (*request).topicPosts},
		{method: "PUT", path: "/t/-/{id}", action: "topics#update", who: members, run: (*request).updateTopic},
		{method: "PUT", path: "/t/{slug}/{id}", action: "topics#update", who: members, run: (*request).updateTopic},
		{method: "PUT", path: "/t/{id}", action: "topics#update", who: members, run: (*request).updateTopic},
		{method: "DELETE", path: "/t/{id}", action: "topics#destroy", who: members, run: (*request).deleteTopic},
		{method: "PUT", path: "/t/{id}/recover", action: "topics#recover", who: members, run: (*request).recoverTopic},
		{method: "PUT", path: "/t/{id}/status", action: "topics#status", who: members, run: (*request).topicStatus},
		{method: "POST", path: "/t/{id}/invite", action: "topics#invite", who: members, run: (*request).inviteToTopic},
		{method: "POST", path: "/t/{id}/invite-group", action: "topics#invite_group", who: members, run: (*request).inviteGroup},
		{method: "GET", path: "/topics/created-by/{username}", action: "list#topics_by", run: (*request).topicsBy},
		{method: "GET", path: "/topics/private-messages/{username}", action: "list#private_messages", who: members, run: (*request).privateMessages},
		{method: "GET", path: "/topics/private-messages-sent/{username}", action: "list#private_messages_sent", who: members, run: (*request).privateMessagesSent},
		{method: "GET", path: "/search", action: "search#show", page: true, run: (*request).search},
		{method: "GET", path: "/search/query", action: "search#query", run: (*request).search},

		{method: "GET", path: "/categories", action: "categories#index", page: true, run: (*request).listCategories},
		{method: "POST", path: "/categories", action: "categories#create", who: members, run: (*request).createCategory},
		{method: "PUT", path: "/categories/{id}", action: "categories#update", who: members, run: (*request).updateCategory},
		{method: "DELETE", path: "/categories/{id}", action: "categories#destroy", who: members, run: (*request).deleteCategory},
		{method: "GET", path: "/c/{id}/show", action: "categories#show", run: (*request).showCategory},
		{method: "GET", path: "/c/{slug}/{id}", action: "list#category_default", page: true, run: (*request).categoryTopics},
		{method: "GET", path: "/tags", action: "tags#index", page: true, run: (*request).listTags},
		{method: "GET", path: "/tag/{name}", action: "tags#show", page: true, run: (*request).tagTopics},

		{method: "GET", path: "/groups", action: "groups#index", page: true, run: (*request).listGroups},
		{method: "POST", path: "/admin/groups", action: "admin/groups#create", who: staff, run: (*request).createGroup},
		{method: "DELETE", path: "/admin/groups/{id}", action: "admin/groups#destroy", who: staff, run: (*request).deleteGroup},
		{method: "GET", path: "/groups/{name}", action: "groups#show", page: true, run: (*request).getGroup},
		{method: "GET", path: "/groups/by-id/{id}", action: "groups#show", run: (*request).getGroup},
		{method: "GET", path: "/groups/{name}/members", action: "groups#members", run: (*request).groupMembers},
		{method: "PUT", path: "/groups/{id}/members", action: "groups#add_members", who: members, run: (*request).addMembers},
		{method: "DELETE", path: "/groups/{id}/members", action: "groups#remove_member", who: members, run: (*request).removeMembers},

		{method: "POST", path: "/users", action: "users#create", run: (*request).createUser},
		{method: "GET", path: "/u/{username}", action: "users#show", page: true, run: (*request).getUser},
		{method: "GET", path: "/users/{username}", action: "users#show", page: true, run: (*request).getUser},
		{method: "PUT", path: "/u/{username}", action: "users#update", who: members, run: (*request).updateUser},
		{method: "GET", path: "/u/by-external/{external_id}", action: "users#show", run: (*request).userByExternalID},
		{method: "GET", path: "/u/{username}/emails", action: "users#check_emails", who: members, run: (*request).userEmails},
		{method: "GET", path: "/directory_items", action: "directory_items#index", run: (*request).directory},
		{method: "GET", path: "/admin/users", action: "admin/users#index", who: staff, run: (*request).adminUsers},
		{method: "GET", path: "/admin/users/list/{flag}", action: "admin/users#index", who: staff, run: (*request).adminUsers},
		{method: "GET", path: "/admin/users/{id}", action: "admin/users#show", who: staff, run: (*request).adminUser},
		{method: "PUT", path: "/admin/users/{id}/suspend", action: "admin/users#suspend", who: staff, run: (*request).suspend},
		{method: "PUT", path: "/admin/users/{id}/unsuspend", action: "admin/users#unsuspend", who: staff, run: (*request).unsuspend},
		{method: "PUT", path: "/admin/users/{id}/silence", action: "admin/users#silence", who: staff, run: (*request).silence},
		{method: "PUT", path: "/admin/users/{id}/unsilence", action: "admin/users#unsilence", who: staff, run: (*request).unsilence},
		{method: "POST", path: "/admin/users/{id}/log_out", action: "admin/users#log_out", who: staff, run: (*request).logOut},
		{method: "GET", path: "/admin/config/user-fields", action: "admin/user_fields#index", who: admins, run: (*request).listUserFields},
		{method: "GET", path: "/admin/customize/user_fields", action: "admin/user_fields#index", who: admins, run: (*request).listUserFields},

		{method: "GET", path: "/admin/api/web_hooks", action: "admin/web_hooks#index", who: admins, run: (*request).listHooks},
		{method: "POST", path: "/admin/api/web_hooks", action: "admin/web_hooks#create", who: admins, run: (*request).createHook},
		{method: "GET", path: "/admin/api/web_hooks/{id}", action: "admin/web_hooks#show", who: admins, run: (*request).getHook},
		{method: "PUT", path: "/admin/api/web_hooks/{id}", action: "admin/web_hooks#update", who: admins, run: (*request).updateHook},
		{method: "DELETE", path: "/admin/api/web_hooks/{id}", action: "admin/web_hooks#destroy", who: admins, run: (*request).deleteHook},
		{method: "POST", path: "/admin/api/web_hooks/{id}/ping", action: "admin/web_hooks#ping", who: admins, run: (*request).pingHook},
		{method: "GET", path: "/admin/api/web_hook_events/{id}", action: "admin/web_hooks#list_events", who: admins, run: (*request).hookEvents},
		{method: "POST", path: "/admin/api/web_hooks/{id}/events/{event_id}/redeliver", action: "admin/web_hooks#redeliver_event", who: admins, run: (*request).redeliver},
		{method: "POST", path: "/admin/api/web_hooks/{id}/events/failed_redeliver", action: "admin/web_hooks#redeliver_failed_events", who: admins, run: (*request).redeliverFailed},
		{method: "GET", path: "/admin/api/keys", action: "admin/api#index", who: admins, run: (*request).listKeys},
		{method: "POST", path: "/admin/api/keys", action: "admin/api#create", who: admins, run: (*request).createKey},
		{method: "POST", path: "/admin/api/keys/{id}/revoke", action: "admin/api#revoke_key", who: admins, run: (*request).revokeKey},
		{method: "DELETE", path: "/admin/api/keys/{id}", action: "admin/api#destroy", who: admins, run: (*request).deleteKey},

		{method: "PUT", path: "/polls/vote", action: "poll/polls#vote", who: members, run: (*request).vote},
		{method: "DELETE", path: "/polls/vote", action: "poll/polls#remove_vote", who: members, run: (*request).removeVote},
		{method: "PUT", path: "/polls/toggle_status", action: "poll/polls#toggle_status", who: members, run: (*request).toggleStatus},
		{method: "GET", path: "/polls/voters", action: "poll/polls#voters", run: (*request).voters},
	}
	for _, r := range list {
		r.parts = strings.Split(r.path, "/")
	}
	return list
}

// findRoute finds the route of a request. Of two that fit, the one with more words of its own is meant.
func findRoute(method, path string) (*route, map[string]string) {
	parts := strings.Split(strings.TrimSuffix(path, "/"), "/")
	best, score := (*route)(nil), -1
	var found map[string]string
	for _, r := range routes {
		if vars, n, ok := match(r.parts, parts); ok && r.method == method && n > score {
			best, found, score = r, vars, n
		}
	}
	return best, found
}

// match compares a path with a pattern. An {id} is a number, except of a group, which a name is for too.
func match(pattern, parts []string) (vars map[string]string, literal int, ok bool) {
	vars, literal, ok = fake.MatchPath(pattern, parts)
	if id, named := vars["id"]; named && pattern[1] != "groups" && num(id) == 0 {
		return nil, 0, false
	}
	return vars, literal, ok
}
