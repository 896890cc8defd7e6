// Package vote is the voting standard: what every vote takes and what every vote gives, on whatever platform it is held.
//
// A driver asks with an [Ask] and gets an [Outcome], whether people vote with buttons in a chat, with reactions or in a
// voting tool, so it can swap one for another. A process that cannot enforce what is asked refuses when it starts
// ([Can.Check]) and does not hold another vote than the one that was meant.
//
// # How a voting process uses it
//
//   - Input: embed Ask, without a name, in the input struct.
//   - Start: [Ask.Normalize], then [Can.Check] of what the process can do on its platform, then post.
//   - A voter chooses: [Ask.Pick] gives the lines to cast, which the store keeps and counts. Buttons carry indexes
//     ([Ask.ChoiceAt], [Ask.QuestionAt]); ballots and outcomes have the texts.
//   - Show: [Ask.Decide] with a zero [Closing] says how the vote stands; [Ask.CountsVisible] and [Ask.VotersVisible] say
//     what of it may be shown.
//   - Close: Decide with the store's counts gives the outcome. It is pure, so anybody who has the ballots can check it.
//
// # What can be voted on
//
// Yes or no (boolean), one of several options (choice), some of them (multiple, with the fewest and the most; approval, as many as one likes), the
// options in order (ranked, by instant run-off or Condorcet with Schulze's method), points for each (score), dots spent on them (dot), or consent,
// where an objection fails it (consent); each over one question or over several that share the options, every question decided by itself.
//
// Everything is decided from counts alone, so that a recount always equals the running count: a ranking is one choice ("2>0>1"), points are the choice
// of a line for each option. Sums are exact.
//
// # The rules
//
// A voter has one ballot for each question; the one with the latest platform time counts, taking it back included.
// Votes weigh 1 unless the Ask says otherwise; weights are decimals and their sums exact ([Weight]). A quorum counts
// people and is met at exactly the number or share asked for. A threshold is a share of the weight of the votes cast:
// "2/3" means at least two thirds, ">1/2" more than half ([Fraction]). So many against it are a veto. [Ask.Decide] says in which order they are looked
// at, and what a tie is. A vote may end when it is decided ([Ask.Decided]), but not before its shortest time.
//
// # Versions
//
// [Version] is in every outcome. A new version may add poll types, fields and results; within one, the meaning of what
// exists does not change. What it means is fixed by the conformance cases in testdata/conformance, plain JSON that
// implementations in other languages and the tests of every plugin run ([Cases]). [Counter] is the reference for what a
// store counts.
package vote
