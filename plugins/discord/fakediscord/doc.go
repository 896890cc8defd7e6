// Package fakediscord is a Discord in your process, for tests and demonstrations.
//
// It speaks Discord's wire format over HTTP and WebSocket, keeps state, refuses what Discord would refuse with Discord's codes, and
// can fail on purpose. It knows one app with its bot, and as many guilds as you add. It is made to be used with any
// Discord client:
//
//	s := fakediscord.New(fakediscord.Options{})
//	defer s.Close()
//	s.AddUser("101", "alice")
//	g := s.AddGuild("1", "Commons", "101")
//	g.AddMember("102").AddChannel("201", "town-hall", fakediscord.TextChannel)
//	g.Install(fakediscord.PermBanMembers)               // or play OAuth with s.Authorize
//	s.SetRequestURL(myWebhook.URL, nil)                 // clicks, commands and webhook events arrive there, signed
//	api := &http.Client{Transport: s.Client().Transport} // https://discord.com/api/v10/… reaches the fake
//
// With discordgo set Session.Client to [Server.Client] and Session.Dialer to [Server.Dialer].
//
// # People
//
// Methods of [Guild] such as Post, Click, Command, React and Ban are what people do. They change the state, and return
// when the app was told of it, so that a test needs no waiting; they fail with [ErrRefused] if Discord would not let that person
// do it. A client of the Gateway counts as told when it answers the fake's request for a heartbeat (op 1), which it does
// after what was sent before: discordgo with SyncEvents has then handled it. What the app does by the API is told to it too: [Server.Flush]
// waits for that.
//
// # Time
//
// [Options].Now is the clock of IDs, signatures, expiry, rate limits and retries. Nothing happens by itself because time
// passes: [Server.SendLate] sends what is due, [Server.FinishPolls] ends polls. The exception is the time
// that a delivery waits for its answer, [Options].AckTimeout, which is real.
//
// # Failures
//
// [Server.Fail] sets a [Fault]: refusals, error pages, rate limits, lost requests, answers lost after the effect, held requests,
// and deliveries that come twice, late, out of order or not at all. Faults are used up one by one. [Server.Disconnect] and its
// neighbours disturb the Gateway.
//
// # What was seen
//
// [Server.Calls] lists the requests to the API with their answers, [Server.Deliveries] what was told to the app, each attempt
// of it, and what was not told and why. [Guild.Message] and its neighbours show the state. [Server.Refused] lists
// requests that clients of [Server.Client] made to hosts that are not Discord's.
//
// # What it does not do
//
// Files, emoji of guilds, invites, webhooks other than those of interactions, auto moderation, stages, events, stickers and monetisation
// are not there: such routes answer 404. Moderators need no two factors. Voice is only who is where. Numbers of rate limits are examples, as Discord publishes
// none. Limits and permissions are those of Discord's documentation in 2026-11, and are tested in Discord's order where that is known.
package fakediscord
