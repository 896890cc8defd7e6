// Package fakegithub is a GitHub in your process, for tests and demonstrations.
//
// It speaks GitHub's REST API and webhooks over HTTP, keeps state, refuses what GitHub would refuse with GitHub's words, and
// can fail on purpose. It knows one GitHub App, and as many organisations, people and repositories as you add. It is made to be used with
// any client of GitHub's:
//
//	s := fakegithub.New(fakegithub.Options{})
//	defer s.Close()
//	org := s.AddOrg("acme", "ada")                          // ada owns it
//	repo := s.AddRepo("acme", "town")
//	s.SetRequestURL(myWebhook.URL, nil)                     // deliveries arrive there, signed
//	id, err := s.Install("acme", fakegithub.Installing{})   // or play the web with s.Authorize
//	api := github.NewClient(s.Client())                     // whose transport signs as the app, with s.App()
//
// # People
//
// Methods of [Repo] and [Org] such as OpenIssue, Comment, React, Merge and Block are what people do. They change the state, and return
// when the app was told of it, so that a test needs no waiting; they fail with [ErrRefused] if GitHub would not let that person
// do it. Whoever is named and does not exist is made. What the app does by the API is told to it in the background and in order:
// [Server.Flush] waits for that. GitHub tells nobody of reactions.
//
// # Time
//
// [Options].Now is the clock of times, tokens, rate limits and the log of deliveries. Nothing happens by itself because time passes. The
// exception is the time that a delivery waits for its answer, [Options].AckTimeout, which is real.
//
// # Failures
//
// [Server.Fail] sets a [Fault]: errors, error pages, both rate limits, lost requests, answers lost after the effect, held requests,
// and deliveries that come twice, late, out of order or not at all. GitHub does not try again by itself: what failed stands in the
// app's log, GET /app/hook/deliveries, for three days, and can be redelivered with the same GUID.
//
// # What was seen
//
// [Server.Calls] lists the requests with their answers, [Server.Deliveries] what was sent to the app, each attempt of it, and
// what was not sent and why. [Repo.Issue], [Org.Members] and their neighbours show the state. [Server.Refused] lists requests
// that clients of [Server.Client] made to hosts that are not GitHub's.
//
// # What it does not do
//
// GraphQL, OAuth apps, personal access tokens, forks, milestones, review comments on lines, discussions, projects, actions and conditional requests are not
// there: such routes answer 404, as routes do that GitHub does not know. Files have no history. A person's token may do what the app may do and the
// person too, as GitHub says; rights are those of the repository and the organisation, without teams. An app that has the permission for an event counts as
// subscribed to it. Texts of refusals are GitHub's where they are known.
package fakegithub
