package github

import (
	"context"
	"net/http"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// loggingIn is whose limit exchanging codes and tokens counts for: the app's, whoever logs in.
const loggingIn = "login"

// pacedKey is where a request's context says whose limit it counts for.
type pacedKey struct{}

func pacing(ctx context.Context, who string) context.Context {
	return context.WithValue(ctx, pacedKey{}, who)
}

// GitHub lets an installation make 5,000 requests an hour at the least, and asks for a second between those that change something
// (https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api, 2026-11).
const (
	readEvery  = 720 * time.Millisecond
	readBurst  = 1000
	writeEvery = time.Second
	writeBurst = 20
)

// pace is the feature of the same purpose: each credential has a bucket for reading and one for what changes something.
func (g *GitHub) pace(r *http.Request) gateway.Pace {
	who, ok := r.Context().Value(pacedKey{}).(string)
	if !ok {
		return gateway.Pace{}
	}
	if r.Method == http.MethodGet || who == loggingIn || strings.HasSuffix(r.URL.Path, "/access_tokens") { // making a token changes nothing that people see
		return gateway.Pace{Key: who + "/read", Every: readEvery, Burst: readBurst}
	}
	return gateway.Pace{Key: who + "/write", Every: writeEvery, Burst: writeBurst}
}
