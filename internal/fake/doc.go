// Package fake is what the fakes of the platforms share: what goes wrong on purpose, the queue in which deliveries wait, and the network
// that a fake's clients are in. What a platform says, and by which rules, is in the platform's fake; nothing here knows of any.
package fake
