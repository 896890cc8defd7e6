package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"

	"github.com/metagov/gateway-go/internal/seal"
)

// Secret is text that must not be seen: a token, a key. Printed, logged or marshalled it is a row of dots; only Reveal
// gives it. A configuration with secrets is stored sealed, see [Options.Seal].
type Secret string

const redacted = "•••"

// Reveal gives the text. Call it where the text is used, not before.
func (s Secret) Reveal() string { return string(s) }

// String hides the text.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// Format hides the text from every verb: fmt prints a string as it is where the verb does not fit.
func (s Secret) Format(f fmt.State, verb rune) {
	text := s.String()
	if verb == 'v' && f.Flag('#') {
		text = s.GoString()
	}
	_, _ = io.WriteString(f, text)
}

// GoString hides the text.
func (s Secret) GoString() string { return `gateway.Secret("` + s.String() + `")` }

// LogValue hides the text.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON hides the text.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// AEAD seals what must not be read in the database: authenticated encryption that binds the sealed bytes to the place
// where they are kept. It has the method set of Tink's tink.AEAD, so a key management service can be used directly.
type AEAD interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// NewSeal makes the AEAD for [Options.Seal] out of keys as [NewSealKey] makes them. The first key seals, all of them
// open: to rotate, put the new key in front and keep the old one until every instance was configured again.
func NewSeal(keys ...string) (AEAD, error) {
	s, err := seal.New(keys...)
	if err != nil {
		return nil, &Error{Code: Invalid, Err: err}
	}
	return s, nil
}

// NewSealKey makes a random key for [NewSeal]. Keep it where the database is not.
func NewSealKey() string { return seal.NewKey() }
