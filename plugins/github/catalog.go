package github

import "strings"

// eventKind is an event of GitHub's: what it is about, and the actions that its deliveries name, if they name one.
type eventKind struct{ name, doc, actions string }

type eventType struct{ name, doc string }

// eventTypes are what GitHub documents (https://docs.github.com/en/webhooks/webhook-events-and-payloads, 2026-11): target and action, such as
// "issues opened", or only the target where there is no action, such as "push". Others are passed on too.
var eventTypes = allEvents()

// knownEvents are the targets.
var knownEvents = func() map[string]bool {
	out := map[string]bool{}
	for _, k := range eventKinds {
		out[k.name] = true
	}
	return out
}()

func eventKnown(name string) bool { return knownEvents[name] }

func allEvents() []eventType {
	var out []eventType
	for _, k := range eventKinds {
		actions := strings.Fields(k.actions)
		if len(actions) == 0 {
			out = append(out, eventType{k.name, k.doc + "."})
		}
		for _, a := range actions {
			out = append(out, eventType{k.name + " " + a, k.doc + ": " + strings.ReplaceAll(a, "_", " ") + "."})
		}
	}
	return out
}

var eventKinds = []eventKind{
	{"branch_protection_configuration", "All protections of a repository's branches", "disabled enabled"},
	{"branch_protection_rule", "A rule that protects branches", "created deleted edited"},
	{"check_run", "A check's run", "completed created requested_action rerequested"},
	{"check_suite", "A suite of checks", "completed requested rerequested"},
	{"code_scanning_alert", "An alert of code scanning", "appeared_in_branch closed_by_user created fixed reopened reopened_by_user updated_assignment"},
	{"commit_comment", "A comment on a commit", "created"},
	{"create", "A branch or tag was created", ""},
	{"custom_property", "A property of an organisation's repositories", "created deleted promoted_to_enterprise updated"},
	{"custom_property_values", "The properties of a repository", "updated"},
	{"delete", "A branch or tag was deleted", ""},
	{"dependabot_alert", "An alert of Dependabot", "assignees_changed auto_dismissed auto_reopened created dismissed fixed reintroduced reopened"},
	{"deploy_key", "A deploy key", "created deleted"},
	{"deployment", "A deployment", "created"},
	{"deployment_protection_rule", "A rule that protects deployments", "requested"},
	{"deployment_review", "The review of a deployment", "approved rejected requested"},
	{"deployment_status", "The status of a deployment", "created"},
	{"discussion", "A discussion", "answered category_changed closed created deleted edited labeled locked pinned reopened transferred unanswered unlabeled unlocked unpinned"},
	{"discussion_comment", "A comment on a discussion", "created deleted edited"},
	{"fork", "A repository was forked", ""},
	{"github_app_authorization", "A person's authorization of the app", "revoked"},
	{"gollum", "Pages of a wiki were created or changed", ""},
	{"installation", "The app's installation", "created deleted new_permissions_accepted suspend unsuspend"},
	{"installation_repositories", "The repositories that the installation reaches", "added removed"},
	{"installation_target", "The account that the app is installed for", "renamed"},
	{"issue_comment", "A comment on an issue or pull request", "created deleted edited pinned unpinned"},
	{"issue_dependencies", "What an issue waits for", "blocked_by_added blocked_by_removed blocking_added blocking_removed"},
	{"issue_relates_to", "What an issue is related to", "relates_to_added relates_to_removed"},
	{"issues", "An issue", "assigned closed deleted demilestoned edited field_added field_removed labeled locked milestoned opened pinned reopened transferred typed unassigned unlabeled unlocked unpinned untyped"},
	{"label", "A repository's label", "created deleted edited"},
	{"marketplace_purchase", "A purchase in the marketplace", "cancelled changed pending_change pending_change_cancelled purchased"},
	{"member", "A collaborator of a repository", "added edited removed"},
	{"membership", "A membership in a team", "added removed"},
	{"merge_group", "A group in the merge queue", "checks_requested destroyed"},
	{"meta", "A webhook", "deleted"},
	{"milestone", "A milestone", "closed created deleted edited opened"},
	{"org_block", "Somebody is, or is no longer, blocked by the organisation", "blocked unblocked"},
	{"organization", "An organisation or its members", "deleted member_added member_invited member_removed renamed"},
	{"package", "A package", "published updated"},
	{"page_build", "A site of GitHub Pages was built", ""},
	{"personal_access_token_request", "A request for access by a personal token", "approved cancelled created denied"},
	{"project", "A project of the older kind", "closed created deleted edited reopened"},
	{"project_card", "A card of such a project", "converted created deleted edited moved"},
	{"project_column", "A column of such a project", "created deleted edited moved"},
	{"projects_v2", "A project", "closed created deleted edited reopened"},
	{"projects_v2_item", "An item of a project", "archived converted created deleted edited reordered restored"},
	{"projects_v2_status_update", "A report on a project", "created deleted edited"},
	{"public", "A repository was made public", ""},
	{"pull_request", "A pull request", "assigned auto_merge_disabled auto_merge_enabled closed converted_to_draft demilestoned dequeued edited enqueued labeled locked milestoned opened ready_for_review reopened review_request_removed review_requested synchronize unassigned unlabeled unlocked"},
	{"pull_request_review", "A review of a pull request", "dismissed edited submitted"},
	{"pull_request_review_comment", "A comment on a pull request's changes", "created deleted edited"},
	{"pull_request_review_thread", "A thread of such comments", "resolved unresolved"},
	{"push", "Commits were pushed", ""},
	{"registry_package", "A package in the registry", "published updated"},
	{"release", "A release", "created deleted edited prereleased published released unpublished"},
	{"repository", "A repository", "archived created deleted edited privatized publicized renamed transferred unarchived"},
	{"repository_advisory", "A security advisory of a repository", "published reported"},
	{"repository_dispatch", "Somebody triggered a workflow from outside; its name is theirs", ""},
	{"repository_import", "The import of a repository has ended", ""},
	{"repository_ruleset", "A ruleset of a repository", "created deleted edited"},
	{"repository_vulnerability_alert", "An alert about a vulnerability", "create dismiss reopen resolve"},
	{"secret_scanning_alert", "An alert of secret scanning", "assigned created publicly_leaked reopened resolved revoked unassigned validated"},
	{"secret_scanning_alert_location", "The place of such an alert", "created"},
	{"secret_scanning_scan", "A scan for secrets", "completed"},
	{"security_advisory", "A security advisory", "performed published updated withdrawn"},
	{"security_and_analysis", "The security features of a repository were switched", ""},
	{"sponsorship", "A sponsorship", "cancelled created edited pending_cancellation pending_tier_change tier_changed"},
	{"star", "A star of a repository", "created deleted"},
	{"status", "The status of a commit changed", ""},
	{"sub_issues", "The parts of an issue", "parent_issue_added parent_issue_removed sub_issue_added sub_issue_removed"},
	{"team", "A team", "added_to_repository created deleted edited removed_from_repository"},
	{"team_add", "A repository was given to a team", ""},
	{"watch", "Somebody's watching of a repository", "started"},
	{"workflow_dispatch", "Somebody started a workflow by hand", ""},
	{"workflow_job", "A job of a workflow", "completed in_progress queued waiting"},
	{"workflow_run", "A run of a workflow", "completed in_progress requested"},
}
