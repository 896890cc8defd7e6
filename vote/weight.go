package vote

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Weight is what a vote weighs, or a sum of such, in millionths of one vote. It is a whole number so that sums are
// exact: floating point numbers give different sums in different orders, and then a recount would not equal the
// running count.
//
// In JSON it is a plain decimal number such as 1 or 9.5, never negative, without exponent, with at most six decimals.
type Weight int64

const (
	// One is the weight of one ordinary vote.
	One Weight = 1_000_000

	// MaxWeight is the most that one voter's vote may weigh: a thousand million votes. Whoever votes with amounts of
	// tokens larger than that scales them down. The limit leaves room for 9,223 such voters before a sum of weights
	// no longer fits the 64 bits that a store's running counts have.
	MaxWeight = 1_000_000_000 * One
)

const weightDecimals = 6

// ParseWeight reads a decimal number as Weight writes it. It is strict: no sign, no exponent, no spaces, no leading
// zeros or points, and not more than six decimals, for a weight that would have to be rounded is not the weight that
// was meant.
func ParseWeight(s string) (Weight, error) {
	whole, decimals, point := strings.Cut(s, ".")
	if !digits(whole) || len(whole) > 1 && whole[0] == '0' {
		return 0, fmt.Errorf("read weight %q: not a decimal number such as 1 or 9.5", clip(s))
	}
	if point && !digits(decimals) {
		return 0, fmt.Errorf("read weight %q: no digits after the point", clip(s))
	}
	if len(decimals) > weightDecimals {
		return 0, fmt.Errorf("read weight %q: more than %d decimals", clip(s), weightDecimals)
	}
	n, err := strconv.ParseInt(whole+decimals+strings.Repeat("0", weightDecimals-len(decimals)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read weight %q: more than %s", clip(s), Weight(math.MaxInt64))
	}
	return Weight(n), nil
}

// String gives the shortest decimal number: "1", "9.5", "0.000001".
func (w Weight) String() string {
	sign, n := "", uint64(w)
	if w < 0 {
		sign, n = "-", -n
	}
	s := strconv.FormatUint(n/uint64(One), 10)
	if rest := n % uint64(One); rest != 0 {
		s += "." + strings.TrimRight(fmt.Sprintf("%06d", rest), "0")
	}
	return sign + s
}

// MarshalJSON writes a JSON number.
func (w Weight) MarshalJSON() ([]byte, error) {
	if w < 0 {
		return nil, fmt.Errorf("write weight %s: it is negative", w)
	}
	return []byte(w.String()), nil
}

// UnmarshalJSON reads a JSON number as ParseWeight does. A null is refused, or a weight that somebody failed to look
// up would silently be none.
func (w *Weight) UnmarshalJSON(b []byte) error {
	n, err := ParseWeight(string(b))
	if err != nil {
		return err
	}
	*w = n
	return nil
}

var errOverflow = errors.New("the sum of the weights is too large")

// plus adds two weights that are not negative.
func (w Weight) plus(x Weight) (Weight, error) {
	if x > math.MaxInt64-w {
		return 0, errOverflow
	}
	return w + x, nil
}

func digits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

// clip keeps a message short, whatever came in.
func clip(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "..."
	}
	return s
}
