// Package fakeslack is a Slack in your process, for tests and demonstrations.
//
// It speaks Slack's wire format over HTTP and WebSocket, keeps state, refuses what Slack would refuse with Slack's words, and
// can fail on purpose. It knows one app, and as many workspaces as you add. It is made to be used with any Slack client:
//
//	s := fakeslack.New(fakeslack.Options{})
//	defer s.Close()
//	w := s.AddWorkspace("T1", "Commons")
//	w.AddUser("UALICE", "alice", fakeslack.Admin())
//	token := w.Install()                                  // or play OAuth with s.Authorize
//	w.AddChannel("C1", "town-hall", "UALICE").WithApp()
//	s.SetRequestURL(myWebhook.URL, nil)                   // events, clicks and commands arrive there, signed
//	api := slack.New(token, slack.OptionHTTPClient(s.Client()))
//
// # People
//
// Methods of [Workspace] such as Post, Click, Command, React and Rename are what people do. They change the state, and return
// when the app was told of it, so that a test needs no waiting; they fail with [ErrRefused] if Slack would not let that person
// do it. What the app does by the Web API is told to it in the background and in order: [Server.Flush] waits for that.
//
// # Time
//
// [Options].Now is the clock of timestamps, signatures, expiry, rate limits and retries. Nothing happens by itself because time
// passes: [Server.RetryDue] sends the retries that are due, [Server.PostScheduled] posts scheduled messages. The exception is the time
// that a delivery waits for its answer, [Options].AckTimeout, which is real.
//
// # Failures
//
// [Server.Fail] sets a [Fault]: errors, error pages, rate limits, lost requests, answers lost after the effect, held requests,
// and deliveries that come twice, late, out of order or not at all. Faults are used up one by one.
//
// # What was seen
//
// [Server.Calls] lists the requests to the Web API with their answers, [Server.Deliveries] what was sent to the app, each attempt
// of it, and what was not sent and why. [Workspace.Message] and its neighbours show the state. [Server.Refused] lists
// requests that clients of [Server.Client] made to hosts that are not Slack's.
//
// # What it does not do
//
// Files, search, bookmarks, calls, Slack Connect, workflows and the admin API are not there: such methods answer unknown_method. Events come
// only if the app has the scope for them, and, as in Slack, message events only from channels that the app's bot is in. Every event that
// the scopes allow counts as subscribed. Text is kept as it was given; Slack would escape stray &, < and >. Limits are those of Slack's documentation at the time of writing,
// and errors are tested in Slack's order where that is known.
package fakeslack
