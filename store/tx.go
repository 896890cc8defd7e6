package store

import "time"

// Tx is one transaction. It is valid only inside the function it was given to, on that function's goroutine.
type Tx interface {
	communities
	processes
	ballots
	inbox
	events
	tasks
	calls
	people
	endpoints
	audits
}

// communities, their instances, and the instances' state.
type communities interface {
	// PutCommunity inserts c when c.Rev is 0 and otherwise replaces the row with that Rev; the row's Rev is then c.Rev+1.
	// ErrConflict: the slug is taken, or the row has another Rev or is gone.
	PutCommunity(c Community) error
	Community(slug string) (Community, error)
	// Communities lists by slug, those after the given one.
	Communities(after string, limit int) ([]Community, error)

	// PutInstance inserts or replaces like PutCommunity. (Community, Name) is unique; (Community, Plugin, PlatformID) is
	// unique where PlatformID is not empty.
	PutInstance(i Instance) error
	Instance(id string) (Instance, error)
	InstanceByName(community, name string) (Instance, error)
	// Instances lists a community's by name.
	Instances(community string, limit int) ([]Instance, error)
	// InstancesByPlatform lists those of a plugin that stand for one platform object (a Slack workspace), in all
	// communities, by ID; none for an empty platformID. It is on the way of every delivery: an index, never a scan.
	InstancesByPlatform(plugin, platformID string, limit int) ([]Instance, error)
	// InstancesByPlugin lists a plugin's by ID, those after the given one.
	InstancesByPlugin(plugin, after string, limit int) ([]Instance, error)
	// DeleteInstance removes the instance, its state, its tasks, its refs and its echoes. Processes, calls and events stay.
	// An empty id removes nothing.
	DeleteInstance(id string) error

	// State reads a value that a plugin keeps for an instance; rev is 0 and value nil where there is none.
	State(instance, key string) (value []byte, rev int64, err error)
	// PutState writes the value that was read with rev. A nil value deletes; an empty one that is not nil is kept.
	// ErrConflict: it has another rev by now. A value that is deleted and put again never gets a rev that it had before.
	PutState(instance, key string, value []byte, rev int64) error

	// PutTicket keeps something that can be taken once, until a time: an OAuth state, a code to trade. ErrConflict: the
	// (Kind, ID) is there already, even if its time is over.
	PutTicket(t Ticket) error
	// TakeTicket returns the ticket and deletes it. ErrNotFound: there is none, or its Until is not after now.
	TakeTicket(kind, id string, now time.Time) (Ticket, error)
	// PruneTickets deletes at most limit tickets whose Until is not after now and says how many.
	PruneTickets(now time.Time, limit int) (int, error)
}

// processes and the platform objects that stand for them.
type processes interface {
	// PutProcess inserts or replaces like PutCommunity.
	PutProcess(p Process) error
	Process(id string) (Process, error)
	// Processes lists by ID, those after the given one.
	Processes(q ProcessQuery, after string, limit int) ([]Process, error)
	// PutRef says that deliveries about ref, in this instance, are for the process too. Saying it again changes nothing.
	PutRef(instance, ref, process string) error
	// ProcessesByRef lists the processes of a ref by ID, the last of them first.
	ProcessesByRef(instance, ref string, limit int) ([]string, error)
	// PruneProcesses deletes at most limit processes that ended before the given time (Ended set and before it), with their refs, ballots, counts and voters.
	PruneProcesses(before time.Time, limit int) (int, error)
}

// ballots: one row a voter and question, with counts that always equal them. Each row, and each entry of the lists of voters, has a
// holder: the person whose it is, or the key itself. Of a holder's rows for a question one counts, so that who votes with two accounts is one voter.
type ballots interface {
	// PutVoters adds to the lists of who may and who may not vote. Listing somebody twice is harmless; the holder that comes replaces the one there.
	PutVoters(process string, allowed bool, voters []Voter) error
	// ClearVoters deletes at most limit entries of both lists and says how many.
	ClearVoters(process string, limit int) (int, error)
	// Voters lists both lists by key, those after the given one.
	Voters(process, after string, limit int) ([]Listed, error)
	// Voter says whether any entry of a holder is on the list of those who may, and on the list of those who may not.
	Voter(process, holder string) (allowed, denied bool, err error)
	// VotersAllowed counts the holders who may vote: with an entry on the one list and none on the other.
	VotersAllowed(process string) (int64, error)

	// Cast records what a voter chose, moves the counts and says what changed. Its cost does not grow with the number of
	// voters.
	//
	// The process must be there (ErrNotFound), be pending and b.At not after its CloseAt, if it has one (ErrNotOpen), held
	// against a concurrent change of the process. ErrConflict: its counts come from SetCounts. A plain error: b.At is zero,
	// a question is named twice, a weight is negative, or the weights of a choice would add up to more than an int64. An
	// error changes nothing; otherwise each of b.Choices is looked at by itself:
	//
	//   - A question whose recorded ballot of the voter, taken back or not, has a later At keeps it: Stale.
	//   - When b.Final, a question for which the holder holds a choice, by whichever row, keeps it as it is: Kept, if the choice that comes is another. Only a
	//     choice that another account made earlier, and that arrives later, is recorded and counts: the order in which they arrive must not matter.
	//   - Otherwise what comes replaces what is recorded of the voter, with its At and Now, also at an equal At; but what is the same in
	//     choice, weight, At and holder changes nothing, so that a delivery that comes twice does not look new (but Stale, where it does not count).
	//   - An empty Choice takes the ballot back. Its row stays (or is made), without weight, so that an older ballot cannot
	//     return.
	//
	// Of the rows that a holder has for a question the one with the latest At counts, of equal ones that with the higher voter; when b.Final, the
	// one with the earliest At that holds a choice, of equal ones that with the lower voter. Stale also says that another row of the holder is later and counts.
	Cast(b Ballot) (Receipt, error)
	// Rehold gives the ballots and list entries of some keys to other holders and makes everything right again: which rows count, counts, turnout and
	// VotersAllowed. final is the b.Final of the process's ballots. Keys without ballots or entries are passed over; of a key that is named twice the last holder holds, and the last weight that is not negative. It says whether a count moved. Giving
	// everything back restores it. ErrNotOpen: the process is neither created nor pending, for what was closed stays; ErrNotFound; ErrConflict as with Cast
	// is none: of a process that is counted elsewhere only the lists move.
	Rehold(process string, holds []Hold, final bool) (changed bool, err error)
	// RenameVoter has what is kept under one key of a process stand under another, in any status: ballots, list entries, and what it holds. Counts stay.
	// ErrConflict: something stands under the other key already.
	RenameVoter(process, from, to string) error
	// Counts lists by question and choice, without limit; those with neither ballots nor weight are left out.
	Counts(process string) ([]Count, error)
	// Turnout is the number of holders who hold at least one choice.
	Turnout(process string) (int64, error)
	// SetCounts replaces counts and turnout of a process that its platform counts by itself. ErrConflict: it has ballots of
	// its own, taken back or not. A plain error: something is negative, a choice is empty, or a (Question, Choice) is there twice.
	SetCounts(process string, counts []Count, turnout int64) error
	// BallotsOf lists all rows of one holder, those taken back and those that do not count too, by voter and question, without limit.
	BallotsOf(process, holder string) ([]Held, error)
	// Ballots lists all rows, by voter and question, after the given pair.
	Ballots(process, afterVoter, afterQuestion string, limit int) ([]Held, error)
}

// inbox: what came in, kept before it is acknowledged.
type inbox interface {
	// Accept keeps a delivery. It is not fresh, and nothing is kept, when a delivery of this plugin with the same
	// non-empty Fact is known; one that was pruned is not. ErrConflict: it is fresh, but its ID is taken.
	Accept(d Delivery) (fresh bool, err error)
	Delivery(id string) (Delivery, error)
	// BlankDelivery deletes what a delivery says, its Header and Body; what it was, its Fact too, stays. One that is not there is no error.
	BlankDelivery(id string) error
	// PruneDeliveries deletes at most limit deliveries from before the given time that no task refers to by its Ref, in the
	// order in which they were accepted. What lies behind more than 1,000 that stay may be left for another time, so that the cost
	// is bounded without an index by time, for which every delivery would pay.
	PruneDeliveries(before time.Time, limit int) (int, error)
}

// events, and who has heard them.
type events interface {
	// Append gives the event the next number and keeps it. Numbers follow the order of commits and have no gaps, also
	// after a rollback and after pruning. It is not fresh, and nothing is kept, when an event with the same (Instance,
	// Type, ID) is known and ID is not empty; seq is then the number of that one. e.Seq is not looked at.
	Append(e Event) (seq int64, fresh bool, err error)
	// Events lists by Seq.
	Events(q EventQuery, limit int) ([]Event, error)
	// RedactEvent replaces who did an event, and what it says; its number, its ID and all else stay. One that is not there is no error.
	RedactEvent(seq int64, actor string, data []byte) error
	// LastSeq is the number of the newest event that was ever kept, 0 before the first.
	LastSeq() (int64, error)
	// PruneEvents deletes at most limit events that happened before the given time and whose Seq is not above upTo, by Seq. As
	// with PruneDeliveries, what lies behind more than 1,000 that stay may be left for another time.
	PruneEvents(before time.Time, upTo int64, limit int) (int, error)

	// PutSub keeps a subscription's place, inserting it where there is none and replacing all of it where there is.
	PutSub(s Sub) error
	Sub(name string) (Sub, error)
	// Subs lists by name.
	Subs() ([]Sub, error)
	// DeleteSub forgets the name and its lanes.
	DeleteSub(name string) error
	// PutLane keeps the place of one community that has fallen behind a subscription.
	PutLane(l Lane) error
	// Lanes lists a subscription's by community.
	Lanes(sub string) ([]Lane, error)
	DeleteLane(sub, community string) error
}

// tasks: what is to be done when, and leases: who alone may do something.
type tasks interface {
	// Schedule inserts the task, or moves the one with the same (Kind, Key) to the earlier of both times, replacing its
	// other fields except Attempts and Created. When the one that is there is due no later, nothing changes. A parked task
	// counts as due never, and is parked no more. Moving one that is claimed makes it run again after, or beside, the run
	// under way. Mind that the Due of a claimed task is the end of its claim: what is scheduled for later than that is not
	// kept, so a worker that wants its task again calls Again or Retry.
	//
	// t.Group and t.Rev are not looked at. Each insert, move, claim, retry, park and unpark gives the task a Rev that it
	// never had before, also if it was deleted in between: a worker that wakes up late must not take its claim for another's.
	// Here and below a Due or until that is zero is a plain error.
	Schedule(t Task) error
	// Unschedule deletes the task if there is one.
	Unschedule(kind, key string) error
	// Task reads one.
	Task(kind, key string) (Task, error)
	// Claim takes tasks of the given kinds (of none: nothing) whose Due is not after now: all of them, or limit where there are
	// more. It moves their Due to until and adds one to Attempts, and returns them so, those first that were due earliest, then by
	// Kind and Key. A worker that dies leaves a task that is due again by itself. Nobody else gets the same claim.
	//
	// Where there are more, communities take turns, so that one with a hundred thousand tasks does not hold up another's one.
	// The due tasks of one kind and one community ("" is one too) stand in a queue, earliest first, then by Key. Claim takes one of each
	// queue, then another of each, and so on, at most limit divided by the number of queues, rounded up; what room is left then goes
	// to the earliest of all. Queues go in the order in which they have waited: since their first task was due or since the now of the
	// last Claim of this sort that took from them; one that has not had a turn for long may count from an earlier task. So as long
	// as times do not go backwards, each other queue goes before a waiting one in at most one Claim: where limit is at most the number
	// n of queues, what is first in its queue waits for fewer than n tasks of others, however many they have.
	//
	// Tasks of the communities in except, few, stay where they are. Such a Claim takes by turns alone, and may take fewer than are
	// due: who wants more asks again.
	//
	// Its cost follows limit, not what exists or is due. Queues whose tasks have gone without a Claim of this sort are passed by
	// once, each; at most 1,000 of a kind in one Claim, which is then less fair, but takes as many tasks as there are.
	Claim(kinds []string, now, until time.Time, limit int, except ...string) ([]Task, error)
	// Renew moves the Due of a claimed task, whose Rev stays, so that Done with the older value still works. ErrConflict: the
	// claim was lost, or the task was scheduled again or is gone.
	Renew(t Task, until time.Time) (Task, error)
	// Done deletes a claimed task. One that was scheduled again meanwhile stays, to run again. Here, in Retry, Again and Park, a
	// task whose Rev is not t's any more (scheduled again, claimed by somebody else) is left as it is, and one that is gone
	// stays gone, without an error.
	Done(t Task) error
	// Retry gives a claimed task another Due and keeps the reason. One that was scheduled again meanwhile keeps the Due that
	// it was given.
	Retry(t Task, due time.Time, reason string) error
	// Again gives a claimed task that did its work another Due, at which it begins anew: its Attempts are 0 and its Error is empty. One that was
	// scheduled again meanwhile keeps the Due that it was given.
	Again(t Task, due time.Time) error
	// Park takes a task out of the running: it is due never (its Due is zero), is listed under its group, and waits for
	// Unpark. An empty group is a plain error.
	Park(t Task, group, reason string) error
	// Unpark makes at most limit parked tasks that match due at the given time, their Attempts 0 and their Group empty, and
	// says how many.
	Unpark(q TaskQuery, due time.Time, limit int) (int, error)
	// Tasks lists by Kind and Key, those after the given pair.
	Tasks(q TaskQuery, afterKind, afterKey string, limit int) ([]Task, error)
	// CountTasks counts and adds up the sizes of the payloads, looking at no more than limit of them.
	CountTasks(q TaskQuery, limit int) (n int, bytes int64, err error)
	// NextDue is the earliest Due of these kinds, the zero time where there is none.
	NextDue(kinds []string) (time.Time, error)

	// Acquire takes or renews the lease for its owner until a time. It fails (false) while another owner's has not run out,
	// that is, while its until is after now.
	Acquire(name, owner string, now, until time.Time) (bool, error)
	// Release ends the lease if it is the owner's.
	Release(name, owner string) error
}

// calls to platforms that must be remembered, and the echoes by which their effects come back as deliveries.
type calls interface {
	// PutCall inserts or replaces like PutCommunity. (Community, Once) is unique where Once is not empty.
	PutCall(c Call) error
	Call(id string) (Call, error)
	CallByOnce(community, once string) (Call, error)
	// PutEcho keeps what a call's effect would look like, or did look like. It replaces one with the same (Instance, Key, Call).
	PutEcho(e Echo) error
	// Echoes finds those with one of the keys, by key and call, without limit.
	Echoes(instance string, keys []string) ([]Echo, error)
	// DeleteEchoes deletes a call's: all, or only the given keys.
	DeleteEchoes(call string, keys ...string) error
	// PruneCalls deletes at most limit calls that ended before the given time, with their echoes.
	PruneCalls(before time.Time, limit int) (int, error)
}
