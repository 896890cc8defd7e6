package github

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
)

// GitHub's own example (https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation).
func TestVerify(t *testing.T) {
	const secret, body, signed = "It's a Secret to Everybody", "Hello, World!", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	delivery := func(body, signature string) *gateway.Delivery {
		h := http.Header{}
		h.Set("X-Hub-Signature-256", signature)
		return &gateway.Delivery{Header: h, Body: []byte(body)}
	}
	require.NoError(t, verify(secret, delivery(body, signed)))
	require.Error(t, verify(secret, delivery(body+" ", signed)))
	require.Error(t, verify("another", delivery(body, signed)))
	require.Error(t, verify(secret, delivery(body, signed[:20])))
	require.Error(t, verify(secret, &gateway.Delivery{Header: http.Header{}, Body: []byte(body)}))

	mac := hmac.New(sha256.New, nil) // whoever guesses that there is no secret
	mac.Write([]byte(body))
	require.Error(t, verify("", delivery(body, "sha256="+hex.EncodeToString(mac.Sum(nil)))))
}
