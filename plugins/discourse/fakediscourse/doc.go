// Package fakediscourse is a number of Discourse forums in your process, for tests and demonstrations.
//
// Each speaks Discourse's wire format over HTTP, keeps state, refuses what Discourse would refuse with its statuses
// and error types, sends webhooks and can fail on purpose. It is made to be used with any client:
//
//	s := fakediscourse.New(fakediscourse.Options{})
//	defer s.Close()
//	forum, err := s.AddForum("https://forum.example")
//	forum.AddUser(42, "ann", fakediscourse.Moderator())
//	key := forum.NewKey()                                  // of all users: Api-Key with Api-Username
//	err = s.SetRequestURL(myServer.URL, nil)               // webhooks' paths are asked for there
//	client := s.Client()                                   // https://forum.example reaches the fake
//
// # People
//
// Methods of [Forum] such as Post, Reply, Suspend, Like and VoteInPoll are what people do. They change the state, and return when
// the webhooks were told of it, so that a test needs no waiting; they fail with [ErrRefused] if Discourse would not let that
// person do it. What is done by the API is told in the background and in order: [Server.Flush] waits for that.
//
// # Time
//
// [Options].Now is the clock. Nothing happens by itself because time passes: [Server.SendLate] sends the retries that are due. A poll
// whose close time is reached is over at once, and webhooks are never told of that. The exception is the time that a delivery waits for
// its answer, [Options].AckTimeout, which is real.
//
// # Failures
//
// [Server.Fail] sets a [Fault]: refusals, pages in HTML, rate limits, lost requests, answers lost after the effect, held requests, and
// deliveries that come twice, late, out of order or not at all. Faults are used up one by one. [Forum.Move] and [Forum.Maintain] are
// what happens to forums.
//
// # What was seen
//
// [Server.Calls] lists the requests with their answers, [Server.Deliveries] what was sent to webhooks, each attempt of it, and what
// was not sent and why. [Forum.PostByID] and its neighbours show the state. [Server.Refused] lists requests that clients
// of [Server.Client] made to hosts that are no forum of the fake.
//
// # What it does not do
//
// Uploads, badges, invitations, themes, chat, bookmarks, drafts and the queue of posts for approval are not there. Markdown is
// what the polls and their surroundings need of it. Limits are Discourse's defaults at the time of writing. The sentences of
// errors are close to Discourse's, which differ between its versions and languages: a program should not read them.
package fakediscourse
