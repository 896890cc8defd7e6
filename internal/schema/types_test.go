package schema

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// secret redacts itself as the gateway's own type does.
type secret string

func (secret) String() string               { return "redacted" }
func (secret) MarshalJSON() ([]byte, error) { return []byte(`"redacted"`), nil }
func (s secret) Reveal() string             { return string(s) }

type ask struct {
	Title   string   `json:"title" jsonschema:"minLength=1,maxLength=20" jsonschema_description:"What is asked, in short."`
	Options []string `json:"options" jsonschema:"minItems=2,uniqueItems=true,description=What can be chosen"`
	Kind    string   `json:"kind,omitempty" jsonschema:"enum=single,enum=ranked,default=single,description=How votes are counted"`
}

type limits struct {
	Quorum int     `json:"quorum,omitempty" jsonschema:"minimum=0,default=3,description=How many have to vote"`
	Share  float64 `json:"share,omitempty" jsonschema:"minimum=0,maximum=1,default=0.5,description=Which part has to agree"`
}

type hook struct {
	URL   string `json:"url" jsonschema:"format=uri,description=Where to call"`
	Key   secret `json:"key,omitempty" jsonschema:"description=Signs the calls"`
	Tries int    `json:"tries,omitempty" jsonschema:"default=5,description=How often to try"`
}

type vote struct {
	ask
	Channel string            `json:"channel" choices:"channel" jsonschema:"pattern=^C[A-Z0-9]+$,title=Channel,example=C012AB,description=Where to post"`
	Voters  []string          `json:"voters,omitempty" choices:"user" jsonschema:"description=Who may vote"`
	Closing *time.Time        `json:"closing,omitempty" jsonschema:"description=When it ends"`
	Limits  limits            `json:"limits,omitzero" jsonschema:"description=When it counts"`
	Hooks   []hook            `json:"hooks,omitempty" jsonschema:"description=Who is told"`
	Labels  map[string]string `json:"labels,omitempty" jsonschema:"description=For the caller"`
	Amount  uint64            `json:"amount,omitempty" jsonschema:"description=Tokens at stake"`
	Secret  bool              `json:"secret,omitempty" jsonschema:"default=false,description=Whether ballots are hidden"`
	Note    *string           `json:"note,omitempty" jsonschema:"nullable,description=Free text"`
}

type config struct {
	Team    string   `json:"team_id" gateway:"platform_id,public" jsonschema:"description=The workspace"`
	Token   secret   `json:"bot_token" jsonschema:"minLength=3,description=Of the bot"`
	Keys    []secret `json:"keys,omitempty" jsonschema:"description=More keys"`
	Hooks   []hook   `json:"hooks,omitempty" jsonschema:"description=Who is told"`
	Verbose bool     `json:"verbose,omitempty" gateway:"public" jsonschema:"default=true,description=Says more"`
}

type method struct {
	Method string                     `json:"method_name" jsonschema:"minLength=1,description=The method of the platform"`
	Text   string                     `json:"text,omitempty" jsonschema:"maxLength=5,description=What to say"`
	Extra  map[string]json.RawMessage `json:"-" gateway:"free"`
}

type tree struct {
	Name     string `json:"name" jsonschema:"description=Its name"`
	Weight   int    `json:"weight,omitempty" jsonschema:"default=1,description=Its weight"`
	Children []tree `json:"children,omitempty" jsonschema:"description=What is below"`
}

func of[T any](t testing.TB) *Schema {
	t.Helper()
	s, err := For(reflect.TypeFor[T](), Options{Secret: reflect.TypeFor[secret]()})
	require.NoError(t, err)
	return s
}

const goodVote = `{"title":"Lunch?","options":["yes","no"],"channel":"C1"}`
