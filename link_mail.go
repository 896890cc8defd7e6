package gateway

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/metagov/gateway-go/store"
)

const (
	// mailKey is where the key stands, sealed, with which addresses are hashed.
	mailKey = "mail-key"
	// mailIssuer says so in suggestions.
	mailIssuer = "email"
	// mailScore is how likely it is that the same verified address is the same person's: addresses are shared, and given away again.
	mailScore = 0.9
	// maxSame is how many accounts with the same address are looked at.
	maxSame = 20
)

// normalMail is an address as it is compared: the domain in lower case, the rest byte for byte. Whether capitals, dots or a plus make another person
// of it is the domain's affair, which nobody else knows. "": it is none.
func normalMail(address string) string {
	address = strings.TrimSpace(address)
	at := strings.LastIndexByte(address, '@')
	if at < 1 || at == len(address)-1 || len(address) > 320 {
		return ""
	}
	if strings.ContainsFunc(address, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == unicode.ReplacementChar }) {
		return ""
	}
	domain := []byte(address[at:])
	for i, b := range domain { // only these letters: what looks like one in another alphabet is another
		if 'A' <= b && b <= 'Z' {
			domain[i] = b + 'a' - 'A'
		}
	}
	return address[:at] + string(domain)
}

func (s Settings) comparesMail() bool { return s.links(ByEmail) || s.links(ByEmailConsent) }

// wantsMail says whether a login is to say the person's address.
func (g *Gateway) wantsMail(ctx context.Context, f flow) bool {
	return f.Type == Login && g.comparesMail(ctx, f.Community)
}

// comparesMail says whether a community compares verified addresses, and can.
func (g *Gateway) comparesMail(ctx context.Context, community string) bool {
	if g.o.Seal == nil || community == "" {
		return false
	}
	var set Settings
	err := g.view(ctx, func(tx store.Tx) (err error) { set, err = settingsOf(tx, community); return err })
	return err == nil && set.comparesMail()
}

// mailHash is how an address is kept: who reads the database can neither read it nor try addresses out, nor see that it is known in two communities.
// It is "" where the community compares none. A login does not fail for it.
func (g *Gateway) mailHash(ctx context.Context, community, address string) string {
	address = normalMail(address)
	if address == "" || !g.comparesMail(ctx, community) {
		return ""
	}
	key, err := g.mailSecret(ctx)
	if err != nil {
		g.log.WarnContext(ctx, "an e-mail address cannot be compared", "error", err)
		return ""
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(community + "\x00" + address))
	return hex.EncodeToString(mac.Sum(nil))
}

// mailSecret is the key for addresses, which is made when it is first wanted.
func (g *Gateway) mailSecret(ctx context.Context) ([]byte, error) {
	sealedAs := []byte("gateway mail key")
	for {
		var sealed []byte
		var rev int64
		err := g.view(ctx, func(tx store.Tx) (err error) { sealed, rev, err = tx.State(ownState, mailKey); return err })
		if err != nil {
			return nil, storeError(err, "reading the key for e-mail addresses")
		}
		if len(sealed) > 0 {
			key, err := g.o.Seal.Decrypt(sealed, sealedAs)
			if err != nil {
				return nil, Errorf(Invalid, "opening the key for e-mail addresses: none of the keys in Options.Seal fits")
			}
			return key, nil
		}
		key := make([]byte, sha256.Size)
		_, _ = rand.Read(key) // never fails, see crypto/rand
		if sealed, err = g.o.Seal.Encrypt(key, sealedAs); err != nil {
			return nil, Errorf(Unavailable, "sealing the key for e-mail addresses: %w", err)
		}
		err = g.update(ctx, func(tx store.Tx) error { return tx.PutState(ownState, mailKey, sealed, rev) })
		if err == nil {
			return key, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return nil, storeError(err, "keeping the key for e-mail addresses")
		}
	}
}

// mail is what is kept of a leg's address: the settings may have changed since it was hashed.
func (j *joint) mail(l leg) string {
	if j.set.comparesMail() {
		return l.Mail
	}
	return ""
}

// others lists the accounts of people that have the same verified address as one that logs in. all says that there are no more.
func (j *joint) others(tx store.Tx, l leg) (out []store.Account, all bool, err error) {
	rows, err := tx.AccountsByMail(j.community, j.mail(l), maxSame)
	if err != nil {
		return nil, false, err
	}
	for _, row := range rows {
		p, err := tx.Person(j.community, row.Person)
		if err != nil {
			return nil, false, err
		}
		if accountOf(row).key() != l.key() && p.Kind == APerson {
			out = append(out, row)
		}
	}
	return out, len(rows) < maxSame, nil
}

// sameMail finds the account by which a new one becomes somebody's, where the community wants that: exactly one person has the address, and nobody has
// said before that it is not theirs.
func (j *joint) sameMail(tx store.Tx) (*store.Account, error) {
	if !j.set.links(ByEmail) {
		return nil, nil
	}
	rows, all, err := j.others(tx, j.legs[0])
	if err != nil || len(rows) == 0 || !all || slices.ContainsFunc(rows, func(a store.Account) bool { return a.Person != rows[0].Person }) {
		return nil, err
	}
	if parted, err := j.parted(tx, j.legs[0].key(), rows); err != nil || parted {
		return nil, err
	}
	return &rows[0], nil
}

// parted says whether the same address has joined an account to one of others before, or was suggested, and that was ended: by a dismissal, or because
// one of them was unlinked. What somebody has parted is not joined again by itself.
func (j *joint) parted(tx store.Tx, account string, others []store.Account) (bool, error) {
	known, err := tx.EvidenceOf(j.community, account)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(known, func(e store.Evidence) bool {
		byMail := e.Kind == EmailVerified || e.Kind == Inferred && e.Issuer == mailIssuer
		return byMail && !e.Revoked.IsZero() && slices.ContainsFunc(others, func(a store.Account) bool {
			other := accountOf(a).key()
			return e.A == other || e.B == other
		})
	}), nil
}

// suggest keeps that other people have the same verified address, where that is all that is known.
func (j *joint) suggest(ctx context.Context, tx store.Tx, accounts []Account) error {
	if !j.set.links(ByEmailConsent) {
		return nil
	}
	for i, l := range j.legs {
		rows, _, err := j.others(tx, l)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if row.Person == j.into {
				continue
			}
			_, err := j.g.suggestTx(ctx, tx, accounts[i], accountOf(row), Ground{Kind: Inferred, Issuer: mailIssuer, At: j.now}, mailScore)
			if err != nil && CodeOf(err) != Conflict {
				return err
			}
		}
	}
	return nil
}
