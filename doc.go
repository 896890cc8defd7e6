// Package gateway stands between the tools that communities decide with and the places where they act.
//
// A driver (governance software) embeds it. Plugins speak to platforms. The driver hears events, asks for actions and
// starts governance processes such as votes; the gateway keeps what must not be lost, verifies what comes in, counts, keeps
// time and delivers.
//
//	platform ──HTTP───▶ verify, parse ─┐
//	platform ──socket─▶ parse ─────────┼─▶ ONE transaction: kept, routed, counted ─▶ 200
//	time ──due tasks──▶ close, show, ──┘                     │
//	                    poll, retry                          ▼
//	driver ◀─callbacks, at least once, in order ──────── event log
//	driver ──Do────▶ schema ─▶ durable call ─▶ plugin ─▶ platform
//	driver ──Start─▶ schema ─▶ process ──────▶ plugin ─▶ platform
//
// # For drivers
//
// [New] makes a [Gateway] from [Options]; [Gateway.CreateCommunity] a [Community]; [Community.Enable] an [Instance] of a
// plugin in it. [Gateway.OnEvent] and [Gateway.OnProcess] register named callbacks, [Instance.Do] asks for an action,
// [Instance.Start] starts a process. Mount [Gateway.Handler], and keep [Gateway.Run] running. docs/driver-tutorial.md goes through it.
//
// # For plugin authors
//
// [Define] makes a [Plugin] out of features: [ActionFunc], [ProcessFunc], [CommandFunc], [PollFunc], [ListFunc], [RepairFunc], [SourceFunc],
// [ChoicesFunc], [ConfigureFunc], [PaceFunc], [GrantedFunc], [ExpiresFunc], [RemoveFunc], [NewEvent], [Webhook], [OAuth]. A plugin's own type embeds *[Instance]; its configuration and inputs are structs,
// whose tags are their JSON Schema:
//
//	json:"name"                      the field's name; without omitempty, omitzero or a default it is required
//	jsonschema_description:"…"       what it is, for people; every field has one
//	jsonschema:"minLength=1,…"       limits, enum, default, title, format
//	gateway:"platform_id"            of a configuration: what the instance stands for on the platform
//	gateway:"public"                 of a configuration: clients may see it
//	gateway:"free"                   a map that takes the fields that no other takes; credentials are refused
//	choices:"channels"               only the platform knows the values; see [ChoicesFunc]
//
// docs/plugin-tutorial.md makes one; package gatewaytest checks it.
//
// # For operators
//
// [Gateway.Health] and [Instance.Health] say what is wrong, [Options] what can be set. docs/operations.md goes through it.
//
// # Errors
//
// Every error has a [Code], which decides what is mechanical: [Invalid], [NotFound], [Conflict], [Denied], [Unavailable],
// [Unknown], [Internal]. errors.Is(err, gateway.NotFound) asks for one. Whatever names something that is not there, or is another community's,
// gets NotFound; a store that cannot be reached, is full or takes too long is Unavailable.
//
// # Lists
//
// What lists by page takes the last key or number of the page before ("" or 0 for the first page) and a limit; a limit below one is 100.
//
// # Guarantees
//
// docs/guarantees.md has each promise with its limits and its test, docs/design.md the way the data takes.
package gateway
