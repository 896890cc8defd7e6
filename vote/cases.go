package vote

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"time"
)

//go:embed testdata/conformance/*.json
var conformance embed.FS

// Case is one conformance case: what is asked, what people do, and the outcome that every implementation must give. The
// cases are JSON files (testdata/conformance), so that other languages and every plugin's tests can run them.
//
// To run one: normalise Ask at Now. If Invalid is not empty, exactly these paths must be refused, and that is all.
// Otherwise hand in the Ballots in their order, each by Pick or Points, with the weight that the Ask gives the voter; each must be
// refused for the reason that it names, or taken. Then Decide.
type Case struct {
	Name     string       `json:"name"` // unique
	Doc      string       `json:"doc"`  // the rule that it shows
	Now      time.Time    `json:"now"`  // when it is asked
	Ask      Ask          `json:"ask"`
	Invalid  []string     `json:"invalid,omitempty"`
	Ballots  []CaseBallot `json:"ballots,omitempty"`
	Eligible int64        `json:"eligible,omitempty"` // how many may vote, as far as the platform knows; 0: not known
	Close    Closing      `json:"close,omitzero"`
	Outcome  *Outcome     `json:"outcome,omitempty"`
}

// CaseBallot is what one voter does: choosing options for one question, or giving them points; with neither, taking the vote back.
type CaseBallot struct {
	Voter    string   `json:"voter"`
	Question string   `json:"question,omitempty"`
	Choices  []string `json:"choices,omitempty"` // of a ranked vote in order
	// Points are of score and dot votes.
	Points  map[string]int `json:"points,omitempty"`
	At      time.Time      `json:"at"`
	Refused Refusal        `json:"refused,omitempty"`
}

// Cases gives the conformance cases of this version of the standard, by file and in each file's order.
func Cases() ([]Case, error) {
	names, err := fs.Glob(conformance, "testdata/conformance/*.json")
	if err != nil {
		return nil, fmt.Errorf("list the conformance cases: %w", err)
	}
	var out []Case
	for _, name := range names {
		raw, err := conformance.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read conformance cases: %w", err)
		}
		var file struct {
			Version string `json:"version"`
			Cases   []Case `json:"cases"`
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if err := d.Decode(&file); err != nil {
			return nil, fmt.Errorf("read the conformance cases in %s: %w", name, err)
		}
		if file.Version != Version {
			return nil, fmt.Errorf("read the conformance cases in %s: they are of version %q, not %q", name, file.Version, Version)
		}
		out = append(out, file.Cases...)
	}
	return out, nil
}
