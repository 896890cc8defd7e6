package github

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// GitHub takes tokens of the app for ten minutes at the most, and none from the future. Clocks differ by less than the minute that it
// advises (https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app).
const (
	jwtBefore = time.Minute
	jwtLasts  = 8 * time.Minute
)

// minKey is the shortest key in bits that is taken; GitHub makes 2048.
const minKey = 2048

// parseKey reads a private key. What it says of a bad one has nothing of the key in it.
func parseKey(text gateway.Secret) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text.Reveal()))
	if block == nil {
		return nil, gateway.Errorf(gateway.Invalid, "github: App.PrivateKey is no PEM")
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		other, e := x509.ParsePKCS8PrivateKey(block.Bytes)
		k, ok := other.(*rsa.PrivateKey)
		if e != nil || !ok {
			return nil, gateway.Errorf(gateway.Invalid, "github: App.PrivateKey is no RSA key in PKCS #1 or PKCS #8")
		}
		key = k
	}
	if key.N.BitLen() < minKey {
		return nil, gateway.Errorf(gateway.Invalid, "github: App.PrivateKey is shorter than %d bits", minKey)
	}
	return key, nil
}

// jwt makes a token by which the app itself is known (RFC 7519, RS256).
func (a *app) jwt(now time.Time) (gateway.Secret, error) {
	claims, err := json.Marshal(struct {
		IssuedAt int64  `json:"iat"`
		Expires  int64  `json:"exp"`
		Issuer   string `json:"iss"`
	}{now.Add(-jwtBefore).Unix(), now.Add(jwtLasts).Unix(), a.ID})
	if err != nil {
		return "", gateway.Errorf(gateway.Internal, "github: encoding the app's token: %w", err)
	}
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	sum := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(rand.Reader, a.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", gateway.Errorf(gateway.Internal, "github: signing the app's token: %w", err)
	}
	return gateway.Secret(signed + "." + base64.RawURLEncoding.EncodeToString(sig)), nil
}
