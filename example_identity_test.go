package gateway_test

import (
	"context"
	"fmt"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store/memory"
)

// newTown makes a community for an example.
func newTown(ctx context.Context) *gateway.Community {
	g, err := gateway.New(gateway.Options{Store: memory.New()})
	if err != nil {
		panic(err)
	}
	town, err := g.CreateCommunity(ctx, "town", "Our town")
	if err != nil {
		panic(err)
	}
	return town
}

// An admin says that two accounts are one person's. Asking by either gives the person.
func ExampleCommunity_Link() {
	ctx := context.Background()
	town := newTown(ctx)
	ann, err := town.CreatePerson(ctx, gateway.NewPerson{Name: "Ann"})
	if err != nil {
		panic(err)
	}
	github := gateway.AccountRef{Plugin: "github", PlatformID: "acme", UserID: "ann-g"}
	forum := gateway.AccountRef{Plugin: "discourse", PlatformID: "forum.example", UserID: "ann"}
	for _, a := range []gateway.AccountRef{github, forum} {
		if _, err := town.Link(ctx, ann.ID, gateway.NewAccount{AccountRef: a}, gateway.Ground{Kind: gateway.AdminAsserted, Issuer: "eve"}); err != nil {
			panic(err)
		}
	}
	who, err := town.WhoIs(ctx, github)
	if err != nil {
		panic(err)
	}
	fmt.Println(who.Name)
	for _, a := range who.Accounts {
		fmt.Println(a.Plugin, a.UserID)
	}
	// Output:
	// Ann
	// discourse ann
	// github ann-g
}

// A policy does something only where it is sure who somebody is. A refusal says what is missing.
func ExampleCommunity_Require() {
	ctx := context.Background()
	town := newTown(ctx)
	ann, _ := town.CreatePerson(ctx, gateway.NewPerson{})
	slack := gateway.AccountRef{Plugin: "slack", PlatformID: "T1", UserID: "U1"}
	github := gateway.AccountRef{Plugin: "github", PlatformID: "acme", UserID: "ann"}
	_, _ = town.Link(ctx, ann.ID, gateway.NewAccount{AccountRef: slack}, gateway.Ground{Kind: gateway.OneLogin})
	_, _ = town.Link(ctx, ann.ID, gateway.NewAccount{AccountRef: github}, gateway.Ground{Kind: gateway.AdminAsserted})

	pay := func() error {
		if err := town.Require(ctx, slack, github, gateway.Proven); err != nil {
			return err
		}
		fmt.Println("paid")
		return nil
	}
	fmt.Println(pay())
	_, _ = town.Link(ctx, ann.ID, gateway.NewAccount{AccountRef: github}, gateway.Ground{Kind: gateway.OneLogin})
	fmt.Println(pay())
	// Output:
	// denied: proven is required between slack/T1/U1 and github/acme/ann, which are linked by asserted: a login of account:github/acme/ann would make it proven; a login of account:slack/T1/U1 in the same session as one of account:github/acme/ann would make it verified
	// paid
	// <nil>
}

// Two people turn out to be one, and then not.
func ExampleCommunity_Merge() {
	ctx := context.Background()
	town := newTown(ctx)
	person := func(user string) gateway.Person {
		p, err := town.CreatePerson(ctx, gateway.NewPerson{Name: user})
		if err != nil {
			panic(err)
		}
		_, _ = town.Link(ctx, p.ID, gateway.NewAccount{AccountRef: gateway.AccountRef{Plugin: "slack", PlatformID: "T1", UserID: user}}, gateway.Ground{})
		return p
	}
	ann, anne := person("ann"), person("anne")
	both, err := town.Merge(ctx, ann.ID, anne.ID, gateway.Ground{Kind: gateway.AdminAsserted, Issuer: "eve"})
	if err != nil {
		panic(err)
	}
	who, _ := town.Person(ctx, anne.ID) // whoever has noted the other's ID finds who stands for it
	fmt.Println(who.Name, len(both.Accounts), "accounts")

	back, err := town.Split(ctx, anne.ID)
	if err != nil {
		panic(err)
	}
	fmt.Println(back.Name, back.Accounts[0].UserID)
	_, err = town.Merge(ctx, ann.ID, ann.ID, gateway.Ground{})
	fmt.Println(gateway.CodeOf(err))
	// Output:
	// ann 2 accounts
	// anne anne
	// invalid
}
