package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/metagov/gateway-go/store"
)

// AuditCheck says whether a community's audit record is as it was written.
//
// The hashes show every change, removal, insertion and change of order that was made without writing all later hashes, and the head, anew. Who
// can write to the database can do that too; whoever keeps an earlier Last and Head elsewhere (in the minutes, in a public place) still sees it:
// give them to VerifyAudit or CheckAudit again later.
type AuditCheck struct {
	Entries int64  // how many were checked
	First   int64  // number of the oldest entry that is left; those before it were pruned
	Last    int64  // number of the newest entry
	Head    string // its Hash
	Broken  int64  // number of the first entry that is not as it was written, or is missing; 0: the record holds
	Why     string // what is wrong there
}

// Holds says whether the record is as it was written.
func (c AuditCheck) Holds() bool { return c.Broken == 0 }

// AuditMark is an entry's number and hash as they were once seen.
type AuditMark struct {
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"`
}

// VerifyAudit checks the whole audit record of the community, and that the entries which were seen before have the hashes that they had then.
// An error says that it could not be read, not that it does not hold.
func (c *Community) VerifyAudit(ctx context.Context, seen ...AuditMark) (AuditCheck, error) {
	v := newChain(seen)
	for {
		var rows []store.Audit
		var head store.AuditHead
		err := c.g.view(ctx, func(tx store.Tx) (err error) {
			if head, err = tx.AuditHead(c.row.Slug); err != nil {
				return err
			}
			rows, err = tx.Audits(store.AuditQuery{Community: c.row.Slug, After: max(v.Last, head.Pruned)}, auditPage)
			return err
		})
		if err != nil {
			return v.AuditCheck, storeError(err, "reading the audit record of %s", c.row.Slug)
		}
		if head.Pruned > v.Last { // before we came to it
			v.begin(head.Pruned, hex.EncodeToString(head.PrunedHash))
		} else if !v.begun {
			v.begin(0, "")
		}
		for _, row := range rows {
			if !v.next(auditEntry(row), c.row.Slug) {
				return v.AuditCheck, nil
			}
		}
		if len(rows) < auditPage {
			v.end(head.Seq, hex.EncodeToString(head.Hash))
			return v.AuditCheck, nil
		}
	}
}

// CheckAudit is [Community.VerifyAudit] for what [Community.ExportAudit] wrote. It needs no gateway. An export that was cut at its end is found
// only by a mark that was seen.
func CheckAudit(r io.Reader, seen ...AuditMark) (AuditCheck, error) {
	v := newChain(seen)
	in := bufio.NewReader(r)
	community := ""
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return v.AuditCheck, fmt.Errorf("reading line %d of an audit record: %w", n, err)
		}
		if len(bytes.TrimSpace(line)) > 0 {
			var e AuditEntry
			if err := json.Unmarshal(line, &e); err != nil {
				return v.AuditCheck, Errorf(Invalid, "line %d of an audit record: %w", n, err)
			}
			if !v.begun {
				community = e.Community
				v.begin(e.Seq-1, e.Prev)
			}
			if !v.next(e, community) {
				return v.AuditCheck, nil
			}
			// No hash covers what is not a field, or what is there twice: the line must be the one that we would write.
			if same, err := json.Marshal(e); err != nil || !bytes.Equal(same, bytes.TrimSpace(line)) {
				v.breaks(e.Seq, "it was changed")
				return v.AuditCheck, nil
			}
		}
		if err != nil {
			v.end(v.Last, v.Head)
			return v.AuditCheck, nil
		}
	}
}

// chain checks entries one after the other.
type chain struct {
	AuditCheck
	begun bool
	seen  map[int64]string
}

func newChain(seen []AuditMark) *chain {
	c := &chain{seen: map[int64]string{}}
	for _, m := range seen {
		if m.Seq > 0 {
			c.seen[m.Seq] = m.Hash
		}
	}
	return c
}

// begin says what lies before the first entry. What was seen of that cannot be checked any more.
func (c *chain) begin(last int64, hash string) {
	c.begun = true
	c.First, c.Last, c.Head = last+1, last, hash
	if want, ok := c.seen[last]; ok && want != hash {
		c.breaks(last, "its hash is not the one that was seen")
	}
}

// next checks one more entry.
func (c *chain) next(e AuditEntry, community string) bool {
	if !c.Holds() {
		return false
	}
	want, marked := c.seen[e.Seq]
	switch {
	case e.Seq != c.Last+1:
		return c.breaks(c.Last+1, "it is missing")
	case e.Community != community:
		return c.breaks(e.Seq, "it is another community's")
	case e.Prev != c.Head:
		return c.breaks(e.Seq, "it does not follow the entry before it")
	case hex.EncodeToString(e.sum()) != e.Hash:
		return c.breaks(e.Seq, "it was changed")
	case marked && want != e.Hash:
		return c.breaks(e.Seq, "its hash is not the one that was seen")
	}
	c.Entries++
	c.Last, c.Head = e.Seq, e.Hash
	return true
}

// end says where the record should end.
func (c *chain) end(last int64, hash string) {
	if !c.Holds() {
		return
	}
	for seq := range c.seen {
		last = max(last, seq)
	}
	switch {
	case c.Last < last:
		c.breaks(c.Last+1, "it is missing")
	case c.Last > last || c.begun && c.Head != hash:
		c.breaks(c.Last, "it is not where the record ends")
	}
}

func (c *chain) breaks(at int64, why string) bool {
	c.Broken, c.Why = max(at, 1), why
	return false
}
