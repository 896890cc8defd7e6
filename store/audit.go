package store

import "time"

// Audit is one entry of a community's audit record. Entries are numbered in their community from 1 without gaps, and each
// holds the hash of the one before: what the hashes cover is the gateway's affair.
type Audit struct {
	Community   string
	Seq         int64
	At          time.Time
	Kind        string
	Instance    string
	Process     string // that it is about
	Call        string
	Correlation string // the delivery, call or task with which it began
	By          string // who asked
	Rule        string // by which rule
	Decision    string // the process on whose votes it was done
	Event       int64  // the Seq of the event on which it was done, 0 where there was none
	Text        string
	Data        []byte // JSON
	Prev        []byte // the hash of the entry before, nil for the first
	Hash        []byte
}

// AuditQuery selects entries of one community; empty fields select all.
type AuditQuery struct {
	Community   string // must be set
	After       int64  // only those with a higher Seq
	To          int64  // only those with at most this Seq; 0: all. It bounds how many are looked at
	Kinds       []string
	Instance    string
	Process     string // that it is about, or on whose votes it was done
	Call        string
	Correlation string
	By          string
}

// AuditHead is where a community's record ends and where it begins. It is kept apart from the entries, so that one that is missing
// at either end is missed.
type AuditHead struct {
	Seq        int64  // of the newest entry that was ever appended, 0 before the first
	Hash       []byte // its hash
	Pruned     int64  // Seq of the newest entry that was pruned, 0 where none was
	PrunedHash []byte // its hash, which the oldest entry that is left holds as Prev
}

// audits are append-only: there is no verb that changes an entry.
type audits interface {
	// AppendAudit keeps an entry and moves the community's head. ErrConflict: its Seq is not the one after the head's.
	AppendAudit(a Audit) error
	// AuditHead reads the head; of a community without entries it is zero, without an error.
	AuditHead(community string) (AuditHead, error)
	// Audits lists a community's entries by Seq.
	Audits(q AuditQuery, limit int) ([]Audit, error)
	// PruneAudits deletes at most limit of a community's oldest entries, up to the first that did not happen before the given time, and
	// moves the head's Pruned. What is left has no gap.
	PruneAudits(community string, before time.Time, limit int) (int, error)
}
