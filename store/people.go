package store

import "time"

// Person is somebody, or something that acts as one, in one community. A row is never deleted, so that no ID is used twice.
type Person struct {
	ID        string // unique in the community
	Community string
	Kind      string // "person", "organization", "resource"
	Into      string // the one it was merged into, who may have been merged into another; "" while it stands for itself
	Name      string
	Data      []byte // JSON, the driver's own
	Created   time.Time
	Updated   time.Time
	Erased    time.Time // when all that was known was deleted, zero for all others
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
	Mail       string // a keyed hash of an e-mail address that the platform has verified, "" where there is none; never the address
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

// Evidence is what joins two subjects: accounts, people. What was revoked or has expired stays and is listed: what counts is the gateway's affair.
type Evidence struct {
	ID        string // unique in the community
	Community string
	A         string // a subject; A is before B by bytes, so that the same two are written in one way
	B         string
	Kind      string
	Issuer    string
	Score     int64  // of a suggestion, in millionths
	Data      []byte // JSON
	At        time.Time
	Expires   time.Time // zero: never
	Revoked   time.Time // zero: it was not
	Reason    string    // why it was revoked
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
	Expires   time.Time // zero: never
	Revoked   time.Time // zero: it was not
}

// ClaimQuery selects claims of one community, kind and name, which are all looked at as they are, also when empty; an empty Issuer selects all.
type ClaimQuery struct {
	Community string
	Kind      string
	Name      string
	Issuer    string
}

// Change is one line of a person's history. (Community, Person, Seq) names it.
type Change struct {
	Community string
	Person    string
	Seq       int64 // its number in the person's history, from 1 without gaps
	At        time.Time
	Kind      string
	Subject   string // the other: an account, a person
	By        string // who did it
	Text      string
	Data      []byte // JSON
}

// PlatformUser is a person as a platform knows them.
type PlatformUser struct{ Person, UserID string }

// Token is a person's own credentials on a platform. (Community, Plugin, PlatformID, UserID) names it, as it does the account.
type Token struct {
	Community  string
	Plugin     string
	PlatformID string
	UserID     string
	Sealed     []byte    // the credentials, sealed
	Scopes     []byte    // JSON
	Status     string    // "active" or "refused"
	Expires    time.Time // zero: never
	Created    time.Time
	Updated    time.Time
	Rev        int64 // 0 before it is kept
}

// people, their accounts on platforms, and what is known of both. Every verb is about one community: what another knows, of the same account
// too, is not seen. What inserts or replaces replaces the whole row.
type people interface {
	// PutPerson inserts or replaces the person with the same (Community, ID).
	PutPerson(p Person) error
	Person(community, id string) (Person, error)
	// People lists by ID, those after the given one. It passes by those that the query does not select, which cost as much as those it does.
	People(q PersonQuery, after string, limit int) ([]Person, error)
	// NotStanding lists those of some IDs, by ID and each once, under which nobody stands: who was merged into somebody or erased, and, as a Person
	// with nothing but the ID, of whom there is nothing. It is asked of a hundred thousand at once, of whom nearly all stand.
	NotStanding(community string, ids []string) ([]Person, error)
	// MergedInto lists those whose Into is id, not those that were merged into one of these, by ID, without limit; none for an empty id.
	MergedInto(community, id string) ([]Person, error)

	// PutAccount inserts or replaces the account with the same (Community, Plugin, PlatformID, UserID).
	PutAccount(a Account) error
	Account(community, plugin, platformID, userID string) (Account, error)
	// Accounts lists a person's by plugin, platform and user, without limit.
	Accounts(community, person string) ([]Account, error)
	// AccountsBy lists by plugin, platform and user, those after the given account, of which only these fields count. Its cost follows the accounts
	// of q's community, plugin and platform that stand after the given one, until the limit is reached.
	AccountsBy(q AccountQuery, after Account, limit int) ([]Account, error)
	// AccountsByMail lists those with this Mail by plugin, platform and user; none for an empty one.
	AccountsByMail(community, mail string, limit int) ([]Account, error)
	DeleteAccount(community, plugin, platformID, userID string) error
	// HasAccounts says whether any account is linked in the community. It is asked for each ballot and costs next to nothing.
	HasAccounts(community string) (bool, error)
	// PersonsOf finds whose the accounts of one platform are: as many as users, in their order, "" where one is not linked.
	PersonsOf(community, plugin, platformID string, users []string) ([]string, error)

	// UsersOf lists as whom some people are known on one platform, by person and user.
	UsersOf(community, plugin, platformID string, people []string) ([]PlatformUser, error)

	// PutEvidence inserts or replaces the evidence with the same (Community, ID).
	PutEvidence(e Evidence) error
	Evidence(community, id string) (Evidence, error)
	// EvidenceOf lists that with the subject as A or B, what was revoked or has expired too, by ID, without limit.
	EvidenceOf(community, subject string) ([]Evidence, error)
	DeleteEvidence(community, id string) error

	// PutClaim inserts or replaces the claim with the same (Community, Subject, Kind, Name, Issuer).
	PutClaim(c Claim) error
	// ClaimOf reads one.
	ClaimOf(community, subject, kind, name, issuer string) (Claim, error)
	// Claims lists those about a subject by kind, name and issuer, revoked and expired ones too, without limit.
	Claims(community, subject string) ([]Claim, error)
	// ClaimsBy lists those of one kind and name by subject and issuer, after the given pair, revoked and expired ones too. It is for who holds one, a
	// hundred thousand at times: Data and Sealed are left out.
	ClaimsBy(q ClaimQuery, afterSubject, afterIssuer string, limit int) ([]Claim, error)
	DeleteClaim(community, subject, kind, name, issuer string) error

	// PutChange adds a line to a person's history, under the next number. c.Seq is not looked at.
	PutChange(c Change) error
	// Changes lists a person's history by Seq, after the given one.
	Changes(community, person string, after int64, limit int) ([]Change, error)
	// DeleteChanges deletes a person's whole history. What is added then begins with 1 again.
	DeleteChanges(community, person string) error

	// PutToken inserts or replaces like PutCommunity.
	PutToken(t Token) error
	Token(community, plugin, platformID, userID string) (Token, error)
	DeleteToken(community, plugin, platformID, userID string) error
}
