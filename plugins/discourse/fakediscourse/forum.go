package fakediscourse

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// version is the Discourse that the fake says it is.
const version = "2026.10.0"

// Settings are a forum's site settings that matter here, under names like Discourse's own. [Forum.Set] changes them.
type Settings struct {
	Title, Description                               string
	MinPostLength, MinFirstPostLength, MaxPostLength int
	MinPersonalMessagePostLength                     int
	MinTopicTitleLength, MaxTopicTitleLength         int
	MinPersonalMessageTitleLength                    int
	UniquePostsMins                                  int // nobody but staff may write the same again within so many minutes
	AllowDuplicateTopicTitles                        bool
	AllowUncategorizedTopics                         bool
	TitlePrettify                                    bool          // titles are made to look like titles
	EditingGracePeriod                               time.Duration // edits of the same person within it make no new version
	MaxTagsPerTopic                                  int
	PollsOff                                         bool // poll_enabled is off: no polls are shown, and none can be closed
	PollMaximumOptions                               int
	PollEditWindowMins                               int
	PollMinimumTrustLevelToCreate                    int
	RetryWebHookEvents                               bool
	// OldHooks lists the kinds of events that webhooks can choose as Discourse did before it grouped them.
	OldHooks bool
	// OldVoters makes the forum tell of voters as Discourse did before that was rewritten: of one option of a poll of numbers it names the voters of all,
	// and of one option of a ranking it does not say the ranks. Nor do authors see results before they vote that others see when they have.
	OldVoters bool
	// ApprovePosts makes posts of whoever is not staff wait until staff approve them.
	ApprovePosts bool
	// Notifications makes webhooks hear of notifications. Discourse always makes them; here they are off, so that a test hears of what it
	// did alone.
	Notifications bool
	LoginRequired bool
	// EnableDiscourseConnectProvider lets other sites use the forum's logins, with the secret of DiscourseConnectProviderSecrets
	// for their host ("*" stands for any part of it).
	EnableDiscourseConnectProvider  bool
	DiscourseConnectProviderSecrets map[string]string
	// AllowedUserAPIAuthRedirects are where user API keys may be sent; "*" at the end stands for anything.
	AllowedUserAPIAuthRedirects []string
}

// Forum is one forum of a [Server].
type Forum struct {
	s                *Server
	base             string // without a trailing slash, as X-Discourse-Instance has it
	host, formerHost string
	prefix           string // the path of the base URL
	settings         Settings
	maintenance      bool

	ids        map[string]int64
	users      map[int64]*user
	names      map[string]*user
	fields     []userField
	groups     map[int64]*group
	categories map[int64]*category
	tags       map[string]*tag
	topics     map[int64]*topic
	posts      map[int64]*post
	reviewed   map[int64]*reviewable
	keys       map[int64]*apiKey
	userKeys   map[string]*userKey
	hooks      map[int64]*hook
	limits     map[string][]time.Time
	log        []LogEntry
}

// LogEntry is a line of the staff action log.
type LogEntry struct {
	Action, By, Target, Details string
}

// AddForum adds a forum at a base URL such as "https://forum.example" or "https://town.example/forum", with an administrator "admin",
// whose ID is 1, the accounts of the system, the automatic groups, and the category "General", whose ID is 4. The error says
// what is wrong with the URL.
func (s *Server) AddForum(base string) (*Forum, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("fakediscourse: %q is no base URL of a forum", base)
	}
	f := &Forum{
		s: s, base: strings.TrimSuffix(base, "/"), host: u.Hostname(), prefix: strings.TrimSuffix(u.Path, "/"),
		settings: Settings{
			Title: "Forum", Description: "A forum of the fake", MinPostLength: 20, MinFirstPostLength: 20, MaxPostLength: 32000,
			MinPersonalMessagePostLength: 10, MinTopicTitleLength: 15, MaxTopicTitleLength: 255, MinPersonalMessageTitleLength: 2,
			UniquePostsMins: 5, AllowUncategorizedTopics: true, TitlePrettify: true, EditingGracePeriod: 5 * time.Minute,
			MaxTagsPerTopic: 5, PollMaximumOptions: 20, PollEditWindowMins: 5, PollMinimumTrustLevelToCreate: 1,
		},
		ids: map[string]int64{}, users: map[int64]*user{}, names: map[string]*user{}, groups: map[int64]*group{},
		categories: map[int64]*category{}, tags: map[string]*tag{}, topics: map[int64]*topic{}, posts: map[int64]*post{},
		reviewed: map[int64]*reviewable{}, keys: map[int64]*apiKey{}, userKeys: map[string]*userKey{}, hooks: map[int64]*hook{},
		limits: map[string][]time.Time{},
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.forumOf(f.host) != nil {
		return nil, fmt.Errorf("fakediscourse: there is a forum at %q already", base)
	}
	f.furnish()
	s.forums = append(s.forums, f)
	return f, nil
}

// furnish gives a new forum what every forum has.
func (f *Forum) furnish() {
	for id, name := range map[int64]string{0: "everyone", 1: "admins", 2: "moderators", 3: "staff"} {
		f.addGroup(id, name, true)
	}
	for n := range int64(5) {
		f.addGroup(10+n, "trust_level_"+strconv.FormatInt(n, 10), true)
	}
	f.ids["group"], f.ids["user"] = 40, 100
	f.addUser(&user{id: systemID, username: "system", name: "system", email: "system@forum.invalid", admin: true, moderator: true, trust: 4})
	f.addUser(&user{id: botID, username: "discobot", name: "discobot", email: "discobot@forum.invalid", trust: 4})
	f.addUser(&user{id: 1, username: "admin", name: "The Administrator", email: "admin@forum.invalid", admin: true, trust: 1})
	f.categories[1] = &category{id: 1, name: "Uncategorized", slug: "uncategorized", color: "0088CC"}
	f.categories[3] = &category{id: 3, name: "Staff", slug: "staff", color: "E45735", groups: []string{"staff"}}
	f.categories[4] = &category{id: 4, name: "General", slug: "general", color: "25AAE2"}
	f.ids["category"] = 4
}

func (f *Forum) addUser(u *user) {
	u.active = true
	u.created = f.now()
	if u.fields == nil {
		u.fields = map[string]string{}
	}
	f.users[u.id] = u
	f.names[strings.ToLower(u.username)] = u
	f.ids["user"] = max(f.ids["user"], u.id)
}

func (f *Forum) addGroup(id int64, name string, automatic bool) *group {
	g := &group{id: id, name: name, automatic: automatic, owners: map[int64]bool{}, in: map[int64]bool{}}
	f.groups[id] = g
	return g
}

func (f *Forum) now() time.Time { return f.s.opt.Now().UTC().Truncate(time.Millisecond) }

// nextID makes an ID of a kind. The caller holds s.mu.
func (f *Forum) nextID(kind string) int64 {
	f.ids[kind]++
	return f.ids[kind]
}

// URL is the forum's base URL, without a trailing slash.
func (f *Forum) URL() string {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	return f.base
}

// Set changes the forum's settings.
func (f *Forum) Set(change func(*Settings)) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	change(&f.settings)
}

// Move gives the forum another host. Requests to the former one are redirected by HTTP 301, as Discourse's front does;
// webhooks come with the new X-Discourse-Instance.
func (f *Forum) Move(base string) error {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return fmt.Errorf("fakediscourse: %q is no base URL of a forum", base)
	}
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	f.formerHost, f.host, f.base, f.prefix = f.host, u.Hostname(), strings.TrimSuffix(base, "/"), strings.TrimSuffix(u.Path, "/")
	return nil
}

// Maintain starts or ends maintenance: every request is answered with status 503 and a page in HTML.
func (f *Forum) Maintain(on bool) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	f.maintenance = on
}
