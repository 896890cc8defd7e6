package keyproof

import (
	"crypto/sha256"

	"github.com/near/borsh-go"
)

// nearTag begins everything that is signed by NEP-413: 2^31 + 413. No transaction begins like this.
const nearTag = 1<<31 + 413

// envelope is the payload of NEP-413, in the order in which it is encoded.
type envelope struct {
	Tag       uint32
	Message   string
	Nonce     [32]byte
	Recipient string
	Callback  *string
}

// nearDigest is what a wallet signs for a statement.
func nearDigest(s Statement) ([]byte, error) {
	raw, err := borsh.Serialize(envelope{nearTag, s.Message, s.Nonce, s.Recipient, s.Callback})
	if err != nil {
		return nil, refused("the statement cannot be encoded: %v", err)
	}
	sum := sha256.Sum256(raw)
	return sum[:], nil
}

func verifyNEAR(key string, s Statement, signature []byte) (string, error) {
	digest, err := nearDigest(s)
	if err != nil {
		return "", err
	}
	return verifyEd25519(key, digest, signature)
}
