package vote

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// Fraction is a share that must be reached, from 0 to 1, written as people say it: "2/3", "0.6", "60%" mean "at least
// that much"; with a ">" in front, as in ">1/2", it means "more than that". It is text and not a floating point number
// because two thirds have no exact decimal, and at the boundary one millionth decides.
type Fraction string

// fraction is a Fraction that was read.
type fraction struct {
	num, den int64 // at most 10^17, for what Fraction allows
	more     bool  // more than, not at least
}

const fractionWant = `write a share from 0 to 1 such as "2/3", "0.6" or "60%" (at least), or ">1/2" (more than)`

// read reads a Fraction. Shares that can never be met, or that ask for nothing, are refused: they are mistakes.
func (f Fraction) read() (fraction, error) {
	s, more := strings.CutPrefix(string(f), ">")
	wrong := fmt.Errorf("%q: %s", clip(string(f)), fractionWant)
	out := fraction{den: 1, more: more}
	var err error
	if num, den, ok := strings.Cut(s, "/"); ok {
		if out.num, err = smallInt(num, 9); err != nil {
			return fraction{}, wrong
		}
		if out.den, err = smallInt(den, 9); err != nil {
			return fraction{}, wrong // A den of 0 is refused below: every num is more than it, or all of it.
		}
	} else {
		s, percent := strings.CutSuffix(s, "%")
		whole, decimals, point := strings.Cut(s, ".")
		if point && !digits(decimals) || !digits(whole) || len(decimals) > weightDecimals {
			return fraction{}, wrong
		}
		if out.num, err = smallInt(whole+decimals, 9); err != nil {
			return fraction{}, wrong
		}
		for range decimals {
			out.den *= 10
		}
		if percent {
			out.den *= 100
		}
	}
	switch {
	case out.num > out.den:
		return fraction{}, fmt.Errorf("%q is more than the whole: %s", clip(string(f)), fractionWant)
	case more && out.num == out.den:
		return fraction{}, fmt.Errorf("%q can never be reached: %s", clip(string(f)), fractionWant)
	case !more && out.num == 0:
		return fraction{}, fmt.Errorf("%q asks for nothing: leave it out, or write \">0\"", clip(string(f)))
	}
	return out, nil
}

// cmp compares part/whole with the share, exactly.
func (f fraction) cmp(part, whole *big.Int) int {
	l := new(big.Int).Mul(part, big.NewInt(f.den))
	r := new(big.Int).Mul(whole, big.NewInt(f.num))
	return l.Cmp(r)
}

// metBy says whether part of the whole reaches the share.
func (f fraction) metBy(part, whole *big.Int) bool {
	c := f.cmp(part, whole)
	return c > 0 || c == 0 && !f.more
}

func smallInt(s string, most int) (int64, error) {
	if !digits(s) || len(s) > most {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseInt(s, 10, 64)
}
