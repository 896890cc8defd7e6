package store

import "time"

// Person is somebody, or something that acts as one, in one community.
type Person struct {
	ID        string
	Community string
	Kind      string // "person", "organization", "resource"
	Into      string // the one it was merged into, "" while it stands for itself
	Name      string
	Data      []byte // JSON, the driver's own
	Created   time.Time
	Updated   time.Time
	Erased    time.Time // all that was known is deleted; the ID stays taken for ever
}

// PersonQuery selects people of one community; an empty Kind selects all.
type PersonQuery struct {
	Community string
	Kind      string
	Standing  bool // only those that were neither merged into another nor erased
}

// Account is somebody on a platform, as one community knows them.
type Account struct {
	Community  string
	Plugin     string
	PlatformID string
	UserID     string
	Person     string // whose it is: who stands for Home
	Home       string // to whom it was linked; another than Person after a merge
	Name       string
	LinkType   string // how we know: "oauth", ...
	Quality    string
	Mail       string // a keyed hash of an e-mail address that the platform has verified, "" where there is none
	Data       []byte // JSON
	Created    time.Time
	Updated    time.Time
}

// AccountQuery selects accounts of one community; empty fields select all.
type AccountQuery struct {
	Community  string
	Plugin     string
	PlatformID string
	UserID     string
	LinkType   string
	Quality    string
}

// Evidence is what joins two subjects: accounts, people.
type Evidence struct {
	ID        string
	Community string
	A         string // A < B
	B         string
	Kind      string
	Issuer    string
	Score     int64  // of a suggestion, in millionths
	Data      []byte // JSON
	At        time.Time
	Expires   time.Time
	Revoked   time.Time
	Reason    string // why it was revoked
}

// Claim is what somebody says about a subject. (Community, Subject, Kind, Name, Issuer) names it.
type Claim struct {
	Community string
	Subject   string
	Kind      string
	Name      string
	Issuer    string
	Data      []byte // JSON: its parameters
	Sealed    []byte // what must not be read in the database
	At        time.Time
	Checked   time.Time // when its issuer last said so
	Expires   time.Time
	Revoked   time.Time
}

// ClaimQuery selects claims; an empty Issuer selects all.
type ClaimQuery struct {
	Community string
	Kind      string
	Name      string
	Issuer    string
}

// Change is one line of a person's history.
type Change struct {
	Community string
	Person    string
	Seq       int64 // its number in the person's history, from 1
	At        time.Time
	Kind      string
	Subject   string // the other: an account, a person
	By        string
	Text      string
	Data      []byte // JSON
}

// Token is a person's own credentials on a platform.
type Token struct {
	Community  string
	Plugin     string
	PlatformID string
	UserID     string
	Sealed     []byte
	Scopes     []byte // JSON
	Status     string // "active" or "refused"
	Expires    time.Time
	Created    time.Time
	Updated    time.Time
	Rev        int64
}

// people, their accounts on platforms, and what is known of both.
type people interface {
	// PutPerson inserts or replaces the person with the same (Community, ID).
	PutPerson(p Person) error
	Person(community, id string) (Person, error)
	// People lists by ID, those after the given one.
	People(q PersonQuery, after string, limit int) ([]Person, error)
	// PeopleIn lists those of some IDs that there are, by ID, each once.
	PeopleIn(community string, ids []string) ([]Person, error)
	// MergedInto lists those whose Into is id, by ID, without limit.
	MergedInto(community, id string) ([]Person, error)

	// PutAccount inserts or replaces the account with the same (Community, Plugin, PlatformID, UserID).
	PutAccount(a Account) error
	Account(community, plugin, platformID, userID string) (Account, error)
	// Accounts lists a person's by plugin, platform and user, without limit.
	Accounts(community, person string) ([]Account, error)
	// AccountsBy lists by plugin, platform and user, those after the given account, of which only these fields count. Its cost follows the accounts
	// of q's community, plugin and platform.
	AccountsBy(q AccountQuery, after Account, limit int) ([]Account, error)
	// AccountsByMail lists those with this Mail by plugin, platform and user; none for an empty one.
	AccountsByMail(community, mail string, limit int) ([]Account, error)
	DeleteAccount(community, plugin, platformID, userID string) error
	// HasAccounts says whether any account is linked in the community. It costs next to nothing.
	HasAccounts(community string) (bool, error)
	// PersonsOf finds whose the accounts of one platform are, in the order of users, "" where one is not linked.
	PersonsOf(community, plugin, platformID string, users []string) ([]string, error)

	// AccountsIn lists the accounts that some people have on one platform, by person and user.
	AccountsIn(community, plugin, platformID string, people []string) ([]Account, error)

	// PutEvidence inserts or replaces the evidence with the same (Community, ID).
	PutEvidence(e Evidence) error
	Evidence(community, id string) (Evidence, error)
	// EvidenceOf lists what joins a subject to any other, what was revoked or has expired too, by ID, without limit.
	EvidenceOf(community, subject string) ([]Evidence, error)
	DeleteEvidence(community, id string) error

	// PutClaim inserts or replaces the claim of the same name.
	PutClaim(c Claim) error
	ClaimOf(community, subject, kind, name, issuer string) (Claim, error)
	// Claims lists those about a subject by kind, name and issuer, without limit.
	Claims(community, subject string) ([]Claim, error)
	// ClaimsBy lists those of one kind and name by subject and issuer, after the given pair.
	ClaimsBy(q ClaimQuery, afterSubject, afterIssuer string, limit int) ([]Claim, error)
	DeleteClaim(community, subject, kind, name, issuer string) error

	// PutChange adds a line to a person's history. c.Seq is not looked at.
	PutChange(c Change) error
	// Changes lists a person's history by Seq, after the given one.
	Changes(community, person string, after int64, limit int) ([]Change, error)
	DeleteChanges(community, person string) error

	// PutToken inserts or replaces like PutCommunity.
	PutToken(t Token) error
	Token(community, plugin, platformID, userID string) (Token, error)
	DeleteToken(community, plugin, platformID, userID string) error
}
