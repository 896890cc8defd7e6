package sourcecred

import (
	"bytes"
	"encoding/json"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// file is output/accounts.json, as far as it is read. SourceCred calls it experimental.
type file struct {
	Accounts []struct {
		Account struct {
			Active   bool     `json:"active"`
			Identity identity `json:"identity"`
		} `json:"account"`
		TotalCred json.Number `json:"totalCred"`
	} `json:"accounts"`
	Intervals []struct {
		EndTimeMs json.Number `json:"endTimeMs"`
	} `json:"intervals"`
}

type identity struct {
	ID      string `json:"id"`
	Subtype string `json:"subtype"`
	Aliases []struct {
		Address string `json:"address"`
	} `json:"aliases"`
}

// ledger is the file, found by alias.
type ledger struct {
	holders map[Alias]*holder
	newest  time.Time // the end of its last interval
}

// holder is one identity.
type holder struct {
	id      string
	active  bool
	cred    string // decimal text; "" where there is no number that can be relied on
	aliases []Alias
}

// read reads the file. An alias, or an identity, that stands in two places is in none: whose it is cannot be told.
func read(raw []byte) (*ledger, error) {
	if trimmed := bytes.TrimLeft(raw, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '<' {
		return nil, gateway.Errorf(gateway.Unavailable, "sourcecred: the answer is a web page, not accounts.json")
	}
	var f file
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, gateway.Errorf(gateway.Unavailable, "sourcecred: decoding accounts.json: %w", err)
	}
	if f.Accounts == nil {
		return nil, gateway.Errorf(gateway.Unavailable, "sourcecred: accounts.json has no accounts")
	}
	l := &ledger{holders: map[Alias]*holder{}}
	for _, i := range f.Intervals {
		if ms, err := i.EndTimeMs.Int64(); err == nil && time.UnixMilli(ms).After(l.newest) {
			l.newest = time.UnixMilli(ms).UTC()
		}
	}
	ids := map[string]int{}
	for _, a := range f.Accounts {
		ids[a.Account.Identity.ID]++
	}
	for _, a := range f.Accounts {
		id := a.Account.Identity
		h := &holder{id: id.ID, active: a.Account.Active, cred: plain(a.TotalCred)}
		for _, alias := range id.Aliases {
			at, ok := Parse(alias.Address)
			at.Server = strings.TrimSuffix(at.Server, "/")
			if ok && !slices.Contains(h.aliases, at) {
				h.aliases = append(h.aliases, at)
			}
		}
		slices.SortFunc(h.aliases, func(x, y Alias) int { return strings.Compare(x.String(), y.String()) })
		lost := id.ID == "" || ids[id.ID] > 1
		for _, at := range h.aliases {
			if _, twice := l.holders[at]; twice || lost {
				l.holders[at] = nil
				continue
			}
			l.holders[at] = h
		}
	}
	return l, nil
}

// number is what is read as an amount. Its length is bounded: an exponent of a few digits could mean gigabytes.
var number = regexp.MustCompile(`^[0-9]{1,30}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?$`)

// plain writes an amount as decimal text of at most 30 digits before and 18 after the point, cut off and not rounded: nobody has more than they have.
func plain(n json.Number) string {
	if !number.MatchString(n.String()) {
		return ""
	}
	r, ok := new(big.Rat).SetString(n.String())
	if !ok {
		return ""
	}
	scaled := new(big.Int).Mul(r.Num(), new(big.Int).Exp(big.NewInt(10), big.NewInt(18), nil))
	digits := scaled.Quo(scaled, r.Denom()).String()
	if len(digits) > 30+18 {
		return ""
	}
	digits = strings.Repeat("0", max(0, 19-len(digits))) + digits
	whole, part := digits[:len(digits)-18], strings.TrimRight(digits[len(digits)-18:], "0")
	if part == "" {
		return whole
	}
	return whole + "." + part
}
