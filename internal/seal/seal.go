// Package seal seals the secrets that the gateway keeps at rest: tokens, client secrets, signing keys.
//
// It gives Tink's AEAD over XChaCha20-Poly1305, whose 192-bit random nonces need no counter, so that any number of
// nodes may seal with one key. Every ciphertext starts with Tink's prefix, which names the key that made it. The name
// is derived from the key itself, so ciphertexts stay readable after a restart, in whatever order the keys are given.
package seal

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/xchacha20poly1305"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/secretdata"
	"github.com/tink-crypto/tink-go/v2/tink"
)

var (
	// ErrUnknownKey says that a ciphertext names a key that is not in the list: it was taken out too early, or the
	// ciphertext comes from another installation.
	ErrUnknownKey = errors.New("sealed with a key that is not configured")
	// ErrTampered says that a ciphertext does not open: it was changed or cut, or belongs to something else (its
	// associated data differs). Which of these it is cannot be told.
	ErrTampered = errors.New("does not open: changed, cut, or sealed for something else")
)

const (
	keySize    = 32
	prefixSize = 5 // Tink's output prefix: version byte 1, then the key ID in four bytes
	prefixTink = 1
)

// Sealer seals with its first key and opens with all of them. It has the methods of tink.AEAD, so that a driver can
// give its own AEAD (a KMS, say) in its place. Safe for concurrent use.
type Sealer struct {
	aead  tink.AEAD
	first uint32
	known map[uint32]bool
}

var _ tink.AEAD = (*Sealer)(nil)

// New makes a Sealer from keys of 32 random bytes in base64 (standard or URL alphabet, padded or not), as NewKey makes
// them. To rotate, put the new key in front and keep the old ones until everything has been sealed again. No error
// repeats any part of a key.
func New(keys ...string) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("seal: no key given")
	}
	params, err := xchacha20poly1305.NewParameters(xchacha20poly1305.VariantTink)
	if err != nil {
		return nil, fmt.Errorf("seal: prepare the cipher: %w", err)
	}
	manager := keyset.NewManager()
	s := &Sealer{known: make(map[uint32]bool, len(keys))}
	for i, text := range keys {
		raw, err := decodeKey(text)
		if err != nil {
			return nil, fmt.Errorf("seal: key %d of %d: %w", i+1, len(keys), err)
		}
		id := keyID(raw)
		if s.known[id] {
			return nil, fmt.Errorf("seal: key %d of %d: given twice", i+1, len(keys))
		}
		s.known[id] = true
		key, err := xchacha20poly1305.NewKey(secretdata.NewBytesFromData(raw, insecuresecretdataaccess.Token{}), id, params)
		if err != nil {
			return nil, fmt.Errorf("seal: use key %d of %d: %w", i+1, len(keys), err)
		}
		if _, err := manager.AddKey(key); err != nil {
			return nil, fmt.Errorf("seal: add key %d of %d: %w", i+1, len(keys), err)
		}
		if i == 0 {
			s.first = id
			if err := manager.SetPrimary(id); err != nil {
				return nil, fmt.Errorf("seal: make key 1 the sealing one: %w", err)
			}
		}
	}
	handle, err := manager.Handle()
	if err != nil {
		return nil, fmt.Errorf("seal: collect the keys: %w", err)
	}
	if s.aead, err = aead.New(handle); err != nil {
		return nil, fmt.Errorf("seal: start the cipher: %w", err)
	}
	return s, nil
}

// Encrypt seals plaintext with the first key. The same associatedData has to be given to open it: pass what the secret
// belongs to, so that a ciphertext moved to another row does not open there.
func (s *Sealer) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	out, err := s.aead.Encrypt(plaintext, associatedData)
	if err != nil {
		return nil, fmt.Errorf("seal: encrypt: %w", err)
	}
	return out, nil
}

// Decrypt opens what Encrypt sealed, with whichever key made it. The error is ErrUnknownKey or ErrTampered.
func (s *Sealer) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	id, ok := sealedWith(ciphertext)
	if !ok {
		return nil, fmt.Errorf("seal: decrypt: %w", ErrTampered)
	}
	if !s.known[id] {
		return nil, fmt.Errorf("seal: decrypt: %w (key ID %08x)", ErrUnknownKey, id)
	}
	out, err := s.aead.Decrypt(ciphertext, associatedData)
	if err != nil {
		// Tink's error says no more than ours does, and is left out so that this stays true.
		return nil, fmt.Errorf("seal: decrypt: %w", ErrTampered)
	}
	return out, nil
}

// Current reports whether ciphertext names the key that seals today. What is not current should be sealed again before
// its key is taken out of the list. It looks at the prefix only, and says nothing about whether the rest opens.
func (s *Sealer) Current(ciphertext []byte) bool {
	id, ok := sealedWith(ciphertext)
	return ok && id == s.first
}

// Format writes a fixed text for every verb, so that no log line or error ever prints what a Sealer holds.
func (s Sealer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// String hides the keys.
func (s Sealer) String() string { return "seal.Sealer(redacted)" }

// GoString hides the keys.
func (s Sealer) GoString() string { return s.String() }

// NewKey makes a key for New from the system's random source, in standard base64.
func NewKey() string {
	raw := make([]byte, keySize)
	_, _ = rand.Read(raw) // never fails: it ends the program rather than return bad randomness
	return base64.StdEncoding.EncodeToString(raw)
}

func sealedWith(ciphertext []byte) (uint32, bool) {
	if len(ciphertext) < prefixSize || ciphertext[0] != prefixTink {
		return 0, false
	}
	return binary.BigEndian.Uint32(ciphertext[1:prefixSize]), true
}

// keyID must never change: it is written into every ciphertext. Thirty-two bits of a hash of 256 random bits say
// nothing useful about the key.
func keyID(raw []byte) uint32 {
	h := sha256.New()
	_, _ = io.WriteString(h, "gateway-go seal key id v1\x00")
	_, _ = h.Write(raw)
	if id := binary.BigEndian.Uint32(h.Sum(nil)); id != 0 {
		return id
	}
	return 1 // Tink reserves zero for keys without an ID
}

func decodeKey(text string) ([]byte, error) {
	text = strings.TrimRight(strings.TrimSpace(text), "=")
	text = strings.NewReplacer("-", "+", "_", "/").Replace(text)
	// The decoder's own error tells offsets and bytes of the key, so it is not wrapped.
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("not base64")
	}
	if len(raw) != keySize {
		return nil, fmt.Errorf("has %d bytes, need %d", len(raw), keySize)
	}
	same := true
	for _, b := range raw {
		same = same && b == raw[0]
	}
	if same {
		return nil, errors.New("is a placeholder: all its bytes are the same")
	}
	return raw, nil
}
