package fakegithub

import "net/http"

// routes is made once and never changed. The names in braces are those of GitHub's OpenAPI description. Permissions are those of
// https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps (2026-11).
var routes = tableOfRoutes()

func tableOfRoutes() []*route {
	var all []*route
	for _, part := range [][]*route{appRoutes(), issueRoutes(), pullRoutes(), repoRoutes(), orgRoutes()} {
		all = append(all, part...)
	}
	for _, r := range all {
		r.parts = splitPattern(r.path)
	}
	return all
}

func appRoutes() []*route {
	const (
		one  = "/app/installations/{installation_id}"
		hook = "/app/hook/deliveries"
	)
	return []*route{
		{method: "GET", path: "/app", auth: authApp, run: (*request).getApp},
		{method: "GET", path: "/app/installations", auth: authApp, run: (*request).listInstallations},
		{method: "GET", path: one, auth: authApp, run: (*request).getInstallation},
		{method: "DELETE", path: one, auth: authApp, run: (*request).deleteInstallation},
		{method: "POST", path: one + "/access_tokens", status: http.StatusCreated, auth: authApp, run: (*request).postAccessToken},
		{method: "PUT", path: one + "/suspended", auth: authApp, run: (*request).suspendInstallation},
		{method: "DELETE", path: one + "/suspended", auth: authApp, run: (*request).unsuspendInstallation},
		{method: "GET", path: "/orgs/{org}/installation", auth: authApp, run: (*request).accountInstallation},
		{method: "GET", path: "/users/{username}/installation", auth: authApp, run: (*request).accountInstallation},
		{method: "GET", path: "/repos/{owner}/{repo}/installation", auth: authApp, run: (*request).accountInstallation},
		{method: "GET", path: "/app/hook/config", auth: authApp, run: (*request).getHookConfig},
		{method: "PATCH", path: "/app/hook/config", auth: authApp, run: (*request).patchHookConfig},
		{method: "GET", path: hook, auth: authApp, run: (*request).listDeliveries},
		{method: "GET", path: hook + "/{delivery_id}", auth: authApp, run: (*request).getDelivery},
		{method: "POST", path: hook + "/{delivery_id}/attempts", status: http.StatusAccepted, auth: authApp, run: (*request).redeliver},
		{method: "GET", path: "/installation/repositories", auth: authInstall, run: (*request).listInstalledRepos},
		{method: "DELETE", path: "/installation/token", auth: authInstall, run: (*request).endToken},

		{method: "GET", path: "/user", auth: authUser, run: (*request).getMe},
		{method: "GET", path: "/user/emails", auth: authUser, run: (*request).getMyEmails},
		{method: "GET", path: "/user/installations", auth: authUser, run: (*request).myInstallations},
		{method: "GET", path: "/user/installations/{installation_id}/repositories", auth: authUser, run: (*request).myInstalledRepos},
		{method: "PATCH", path: "/user/repository_invitations/{invitation_id}", auth: authUser, run: (*request).acceptRepoInvitation},
		{method: "DELETE", path: "/user/repository_invitations/{invitation_id}", auth: authUser, run: (*request).declineRepoInvitation},
		{method: "POST", path: "/applications/{client_id}/token", auth: authClient, run: (*request).checkUserToken},
		{method: "DELETE", path: "/applications/{client_id}/token", auth: authClient, run: (*request).endUserToken},
		{method: "DELETE", path: "/applications/{client_id}/grant", auth: authClient, run: (*request).endUserGrant},

		{method: "GET", path: "/rate_limit", auth: authToken, run: (*request).getRateLimit},
		{method: "GET", path: "/users/{username}", run: (*request).getUserByName},
	}
}

func issueRoutes() []*route {
	const (
		issues   = "/repos/{owner}/{repo}/issues"
		one      = issues + "/{issue_number}"
		comment  = issues + "/comments/{comment_id}"
		read     = "issues:read pull_requests:read"
		write    = "issues:write pull_requests:write"
		labels   = "/repos/{owner}/{repo}/labels"
		reaction = "/reactions/{reaction_id}"
	)
	const created = http.StatusCreated
	return []*route{
		{method: "GET", path: issues, need: "issues:read", run: (*request).listIssues},
		{method: "POST", path: issues, status: created, need: "issues:write", run: (*request).createIssue},
		{method: "GET", path: issues + "/comments", need: read, run: (*request).listRepoComments},
		{method: "GET", path: comment, need: read, run: (*request).getComment},
		{method: "PATCH", path: comment, need: write, run: (*request).patchComment},
		{method: "DELETE", path: comment, need: write, run: (*request).deleteComment},
		{method: "GET", path: comment + "/reactions", need: read, run: (*request).listReactions},
		{method: "POST", path: comment + "/reactions", need: write, run: (*request).postReaction},
		{method: "DELETE", path: comment + reaction, need: write, run: (*request).deleteReaction},
		{method: "GET", path: one, need: read, run: (*request).getIssue},
		{method: "PATCH", path: one, need: write, run: (*request).patchIssue},
		{method: "GET", path: one + "/comments", need: read, run: (*request).listComments},
		{method: "POST", path: one + "/comments", status: created, need: write, run: (*request).postComment},
		{method: "GET", path: one + "/events", need: read, run: (*request).listIssueEvents},
		{method: "GET", path: one + "/labels", need: read, run: (*request).threadLabels},
		{method: "POST", path: one + "/labels", need: write, right: "triage", run: (*request).postThreadLabels},
		{method: "PUT", path: one + "/labels", need: write, right: "triage", run: (*request).putThreadLabels},
		{method: "DELETE", path: one + "/labels", need: write, right: "triage", run: (*request).clearThreadLabels},
		{method: "DELETE", path: one + "/labels/{name}", need: write, right: "triage", run: (*request).deleteThreadLabel},
		{method: "PUT", path: one + "/lock", need: write, right: "write", run: (*request).putLock},
		{method: "DELETE", path: one + "/lock", need: write, right: "write", run: (*request).deleteLock},
		{method: "GET", path: one + "/reactions", need: read, run: (*request).listReactions},
		{method: "POST", path: one + "/reactions", need: write, run: (*request).postReaction},
		{method: "DELETE", path: one + reaction, need: write, run: (*request).deleteReaction},
		{method: "GET", path: labels, need: read, run: (*request).listLabels},
		{method: "POST", path: labels, status: created, need: write, right: "write", run: (*request).postLabel},
		{method: "GET", path: labels + "/{name}", need: read, run: (*request).getLabel},
		{method: "PATCH", path: labels + "/{name}", need: write, right: "write", run: (*request).patchLabel},
		{method: "DELETE", path: labels + "/{name}", need: write, right: "write", run: (*request).deleteLabel},
	}
}

func pullRoutes() []*route {
	const (
		pulls = "/repos/{owner}/{repo}/pulls"
		one   = pulls + "/{pull_number}"
		read  = "pull_requests:read"
		write = "pull_requests:write"
	)
	return []*route{
		{method: "GET", path: pulls, need: read, run: (*request).listPulls},
		{method: "GET", path: one, need: read, run: (*request).getPull},
		{method: "PATCH", path: one, need: write, run: (*request).patchPull},
		{method: "GET", path: one + "/merge", need: "contents:read " + read, run: (*request).getMerged},
		{method: "PUT", path: one + "/merge", need: "contents:write", right: "write", run: (*request).putMerge},
		{method: "GET", path: one + "/reviews", need: read, run: (*request).listReviews},
		{method: "POST", path: one + "/reviews", need: write, run: (*request).postReview},
		{method: "GET", path: one + "/reviews/{review_id}", need: read, run: (*request).getReview},
	}
}

func repoRoutes() []*route {
	const (
		repo  = "/repos/{owner}/{repo}"
		who   = repo + "/collaborators/{username}"
		limit = repo + "/interaction-limits"
		files = repo + "/contents/{path}"
		admin = "administration:write"
		read  = "metadata:read"
	)
	return []*route{
		{method: "GET", path: repo, need: read, run: (*request).getRepo},
		{method: "PATCH", path: repo, need: admin, right: "admin", run: (*request).patchRepo},
		{method: "GET", path: repo + "/invitations", need: "administration:read", right: "admin", run: (*request).listRepoInvitations},
		{method: "GET", path: repo + "/collaborators", need: read, right: "write", run: (*request).listCollaborators},
		{method: "GET", path: who, need: read, run: (*request).getCollaborator},
		{method: "PUT", path: who, need: admin, right: "admin", run: (*request).putCollaborator},
		{method: "DELETE", path: who, need: admin, right: "admin", run: (*request).deleteCollaborator},
		{method: "GET", path: who + "/permission", need: read, run: (*request).getCollaboratorPermission},
		{method: "GET", path: repo + "/assignees", need: read, run: (*request).listAssignees},
		{method: "GET", path: limit, need: "administration:read", right: "admin", run: (*request).getLimit},
		{method: "PUT", path: limit, need: admin, right: "admin", run: (*request).putLimit},
		{method: "DELETE", path: limit, need: admin, right: "admin", run: (*request).deleteLimit},
		{method: "GET", path: repo + "/contents", need: "contents:read", run: (*request).getContent},
		{method: "GET", path: files, need: "contents:read", run: (*request).getContent},
		{method: "PUT", path: files, need: "contents:write", right: "write", run: (*request).putContent},
		{method: "DELETE", path: files, need: "contents:write", right: "write", run: (*request).deleteContent},
		{method: "POST", path: repo + "/check-runs", status: http.StatusCreated, need: "checks:write", right: "write", run: (*request).postCheckRun},
		{method: "GET", path: repo + "/check-runs/{check_run_id}", need: "checks:read", run: (*request).getCheckRun},
		{method: "PATCH", path: repo + "/check-runs/{check_run_id}", need: "checks:write", right: "write", run: (*request).patchCheckRun},
	}
}

func orgRoutes() []*route {
	const (
		org    = "/orgs/{org}"
		member = org + "/members/{username}"
		ship   = org + "/memberships/{username}"
		block  = org + "/blocks/{username}"
		teams  = org + "/teams"
		team   = teams + "/{team_slug}"
		in     = team + "/memberships/{username}"
		limit  = org + "/interaction-limits"
		read   = "members:read"
		write  = "members:write"
		blocks = "organization_user_blocking"
		admin  = "organization_administration"
	)
	return []*route{
		{method: "GET", path: org, run: (*request).getOrg},
		{method: "GET", path: org + "/members", run: (*request).listMembers},
		{method: "GET", path: member, run: (*request).getMember},
		{method: "DELETE", path: member, need: write, right: "owner", run: (*request).deleteMember},
		{method: "GET", path: org + "/public_members/{username}", run: (*request).getPublicMember},
		{method: "GET", path: ship, need: read, right: "member", run: (*request).getMembership},
		{method: "PUT", path: ship, need: write, right: "owner", run: (*request).putMembership},
		{method: "DELETE", path: ship, need: write, right: "owner", run: (*request).deleteMembership},
		{method: "GET", path: org + "/invitations", need: read, right: "owner", run: (*request).listInvitations},
		{method: "GET", path: org + "/blocks", need: blocks + ":read", right: "owner", run: (*request).listBlocks},
		{method: "GET", path: block, need: blocks + ":read", right: "owner", run: (*request).getBlock},
		{method: "PUT", path: block, need: blocks + ":write", right: "owner", run: (*request).putBlock},
		{method: "DELETE", path: block, need: blocks + ":write", right: "owner", run: (*request).deleteBlock},
		{method: "GET", path: teams, need: read, right: "member", run: (*request).listTeams},
		{method: "POST", path: teams, status: http.StatusCreated, need: write, right: "member", run: (*request).postTeam},
		{method: "GET", path: team, need: read, right: "member", run: (*request).getTeam},
		{method: "GET", path: team + "/members", need: read, right: "member", run: (*request).listTeamMembers},
		{method: "GET", path: in, need: read, right: "member", run: (*request).getTeamMembership},
		{method: "PUT", path: in, need: write, right: "owner", run: (*request).putTeamMembership},
		{method: "DELETE", path: in, need: write, right: "owner", run: (*request).deleteTeamMembership},
		{method: "GET", path: limit, need: admin + ":read", right: "owner", run: (*request).getLimit},
		{method: "PUT", path: limit, need: admin + ":write", right: "owner", run: (*request).putLimit},
		{method: "DELETE", path: limit, need: admin + ":write", right: "owner", run: (*request).deleteLimit},
	}
}
