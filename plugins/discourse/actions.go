package discourse

import gateway "github.com/metagov/gateway-go"

type action = gateway.Feature[*Discourse]

// steady are the options of an action that can be done again without harm.
func steady(scope string) []gateway.Option {
	return []gateway.Option{gateway.Needs(scope), gateway.Idempotent()}
}

func actions() []action {
	return []action{
		gateway.ActionFunc("create-topic", "Opens a topic.", (*Discourse).createTopic, gateway.Needs(scopeWrite), gateway.Lookup((*Discourse).findTopic)),
		gateway.ActionFunc("create-post", "Answers in a topic.", (*Discourse).createPost, gateway.Needs(scopeWrite), gateway.Lookup((*Discourse).findPost)),
		gateway.ActionFunc("create-message", "Sends a personal message to people or groups.", (*Discourse).createMessage, gateway.Needs(scopeWrite), gateway.Lookup((*Discourse).findMessage)),
		gateway.ActionFunc("edit-post", "Changes a post's text.", (*Discourse).editPost, steady(scopeEdit)...),
		gateway.ActionFunc("delete-post", "Deletes a post. It can be recovered. The opening post goes with its topic only.", (*Discourse).deletePost, steady(scopeDelPost)...),
		gateway.ActionFunc("recover-post", "Brings a deleted post back.", (*Discourse).recoverPost, steady(scopeRecPost)...),
		gateway.ActionFunc("lock-post", "Locks a post, so that only the staff can edit it, or unlocks it.", (*Discourse).lockPost, steady(global)...),
		gateway.ActionFunc("flag-post", "Flags a post, so that the forum's moderators look at it.", (*Discourse).flagPost, steady(global)...),
		gateway.ActionFunc("like-post", "Likes a post.", (*Discourse).likePost, steady(global)...),
		gateway.ActionFunc("delete-topic", "Deletes a topic. It can be recovered.", (*Discourse).deleteTopic, steady(scopeDelTopic)...),
		gateway.ActionFunc("recover-topic", "Brings a deleted topic back.", (*Discourse).recoverTopic, steady(scopeRecTopic)...),
		gateway.ActionFunc("edit-topic", "Changes a topic's title, category or tags.", (*Discourse).editTopic, steady(scopeTopic)...),
		gateway.ActionFunc("close-topic", "Closes a topic: nobody but the staff can answer.", (*Discourse).closeTopic, steady(scopeTopic)...),
		gateway.ActionFunc("open-topic", "Opens a closed topic again.", (*Discourse).openTopic, steady(scopeTopic)...),
		gateway.ActionFunc("pin-topic", "Pins a topic to the top of its category, or of all lists.", (*Discourse).pinTopic, steady(scopeTopic)...),
		gateway.ActionFunc("unpin-topic", "Takes a topic's pin away.", (*Discourse).unpinTopic, steady(scopeTopic)...),
		gateway.ActionFunc("get-user", "Says what an account is: its names, whether it belongs to the staff, is suspended or silenced, by whom and why.", (*Discourse).getUser, gateway.Needs(global)),
		gateway.ActionFunc("suspend", "Suspends an account: nobody can log in with it.", (*Discourse).suspend, gateway.Needs(scopeSuspend), gateway.Lookup((*Discourse).findSuspended)),
		gateway.ActionFunc("unsuspend", "Takes a suspension back.", (*Discourse).unsuspend, gateway.Needs(scopeUnsuspend), gateway.Lookup((*Discourse).findUnsuspended)),
		gateway.ActionFunc("silence", "Silences an account: it can read, and not write.", (*Discourse).silence, steady(scopeSilence)...),
		gateway.ActionFunc("unsilence", "Takes an account's silence back.", (*Discourse).unsilence, steady(scopeUnsilence)...),
		gateway.ActionFunc("add-to-group", "Puts somebody into a group.", (*Discourse).addToGroup, steady(global)...),
		gateway.ActionFunc("remove-from-group", "Takes somebody out of a group.", (*Discourse).removeFromGroup, steady(global)...),
		gateway.ActionFunc("method", "Calls any route of the forum's API that the key may call, but those that deal with credentials or settings. What stands in braces in the route is taken from the arguments; the others are the query of a GET and otherwise the body.", (*Discourse).method),
	}
}
