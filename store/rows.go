package store

import "time"

// Community is a group of people whose tools and platforms are governed together. Nothing of it is seen by another.
type Community struct {
	Slug    string // its name in URLs and calls, unique
	Name    string // for people
	Created time.Time
	Rev     int64 // 0 before it is kept

	Settings []byte // JSON: what the community wants of the gateway
}

// Instance is one plugin enabled in one community.
type Instance struct {
	ID         string
	Community  string
	Plugin     string
	Name       string // unique in the community
	PlatformID string // the platform's own name for what it stands for: a workspace, a guild; "" where there is none
	Config     []byte // JSON, without secrets
	Sealed     []byte // the secrets of the configuration, sealed
	Status     string // "active" or "paused"
	Reason     string // why it is paused
	Created    time.Time
	Updated    time.Time
	Rev        int64
}

// Ticket is something that can be taken once.
type Ticket struct {
	Kind  string
	ID    string
	Data  []byte
	Until time.Time
}

// Process states. Only a pending process takes ballots.
const (
	Created   = "created"   // kept, not started on the platform
	Pending   = "pending"   // runs
	Closing   = "closing"   // takes no ballots any more; its outcome is being made
	Completed = "completed" // has an outcome
	Failed    = "failed"    // ended without
)

// Process is one run of a governance process.
type Process struct {
	ID        string
	Community string
	Instance  string
	Plugin    string
	Name      string // which of the plugin's processes
	Version   int    // of its state
	Status    string
	Input     []byte // JSON
	State     []byte // JSON, the plugin's
	Outcome   []byte // JSON, nil before it is completed
	Reason    string // why it failed
	Closing   []byte // JSON: what closed it, nil while it is open
	URL       string // where people see it
	Open      bool   // everybody may vote who is not on the list of those who may not
	Refusal   string // what one who may not vote is told
	CloseAt   time.Time
	Created   time.Time
	Updated   time.Time
	Shown     time.Time // when the tally was last shown
	Ended     time.Time
	Rev       int64
	Origin    string // what began it: a delivery, a call
}

// ProcessQuery selects processes; empty fields select all.
type ProcessQuery struct {
	Community string
	Instance  string
	Name      string
	Status    []string
}

// Choice is what a ballot says about one question.
type Choice struct {
	Question string
	Choice   string // empty: taken back
	Weight   int64  // in millionths of one vote, not negative
}

// Voter is an entry of a list of those who may or may not vote.
type Voter struct {
	Key    string // an account or a person
	Holder string // whose it is; "": the key's own
}

// Listed is an entry as it is kept.
type Listed struct {
	Key     string
	Holder  string
	Allowed bool
	Denied  bool
}

// Hold says whose the ballots and list entries under a key are.
type Hold struct {
	Voter  string // the key
	Holder string // "": the key's own
	Weight int64  // of the ballots that hold a choice; negative: as it was
	Barred bool   // none of the holder's ballots count
}

// Ballot is what one voter says at one time.
type Ballot struct {
	Process string
	Voter   string
	Holder  string // whose it is; "": the voter's own
	Choices []Choice
	At      time.Time // the platform's time: of two ballots the later counts
	Now     time.Time // when we heard
	Final   bool      // a question that has a ballot keeps it
}

// Receipt says what became of a ballot.
type Receipt struct {
	Changed bool // some count moved
	Stale   bool // some question has a later ballot and kept it
	Kept    bool // some question kept another choice because ballots are final
}

// Held is a ballot as it is kept.
type Held struct {
	Voter    string
	Holder   string
	Counts   bool // of those that the holder has for this question it is the one that counts
	Question string
	Choice   string // empty: taken back
	Weight   int64
	At       time.Time
	Cast     time.Time
}

// Count is how many ballots, with what weight, one choice holds.
type Count struct {
	Question string
	Choice   string
	Ballots  int64
	Weight   int64
}

// Delivery is what came in by a webhook, a socket or a sweep.
type Delivery struct {
	ID       string
	Plugin   string
	Fact     string // the platform's name for what happened, "" where it gives none
	Instance string // the instance that the URL named, "" where the delivery says by itself whom it is for
	Door     string // "http", "source" or "sweep"
	Header   []byte // JSON: the headers that the plugin asked to keep
	Body     []byte // as it came
	At       time.Time
}

// Event is something that happened, in the order in which it was kept.
type Event struct {
	Seq       int64
	ID        string // the platform's name for it, "" where there is none
	Community string
	Instance  string
	Plugin    string
	Type      string
	Process   string // set on what the gateway itself tells about a process
	Actor     string // the platform user who did it, "" where nobody did or nobody knows
	Bot       bool   // our own account did it
	Data      []byte // JSON
	Delivery  string // what brought it
	Cause     string // the call of ours that made it happen
	At        time.Time
}

// EventQuery selects events; empty fields select all.
type EventQuery struct {
	After     int64 // only those with a higher Seq
	Community string
	Instance  string
	Types     []string
	Process   string
}

// Sub is a named reader's place in the log: it has passed everything up to Cursor, except where a lane says otherwise.
type Sub struct {
	Name    string
	Cursor  int64
	Created time.Time
}

// Lane is the place of one community that has fallen behind.
type Lane struct {
	Sub       string
	Community string
	Cursor    int64
	Attempts  int // at the event after Cursor
	Due       time.Time
	Error     string
}

// Task is something to be done at a time. (Kind, Key) names it.
type Task struct {
	Kind      string
	Key       string
	Community string
	Instance  string
	Ref       string // the delivery that it needs
	Group     string // why it is parked, "" while it is not
	Due       time.Time
	Attempts  int
	Error     string // why the last attempt failed
	Payload   []byte
	Created   time.Time
	Rev       int64 // which claim or schedule this is
}

// TaskQuery selects tasks; empty fields select all.
type TaskQuery struct {
	Kind      string
	Community string
	Instance  string
	Ref       string
	Group     string
	Parked    bool // only those that are parked
}

// Call is one call of an action or step, remembered so that it is not made twice.
type Call struct {
	ID        string
	Community string
	Instance  string
	Name      string
	Process   string
	Once      string // the driver's name for it
	Status    string // "open", "done", "failed" or "unknown"
	Input     []byte
	Saved     []byte // what the plugin kept before the platform heard
	Output    []byte
	Error     []byte // JSON
	Started   time.Time
	Ended     time.Time
	Rev       int64
	Origin    string // what began it: a delivery, a process
}

// Echo is a key by which a delivery shows itself to be the effect of a call.
type Echo struct {
	Instance string
	Key      string
	Call     string
	Caused   bool // the call has ended and did cause it; false: it is under way and may
	Until    time.Time
}
