package main

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"resonate/test/oracle"
)

// coverage counts what has happened, so that one sees that rare paths were
// reached.
type coverage struct {
	answers map[string]map[string]int // by request and status
	faults  map[string]int
	edges   map[string]int // of tasks
	lost    int
	kills   int
	crashes map[string]int
	virtual int64 // milliseconds
	// The most promises stored at once, and the most states of the model.
	promises, states int
}

func newCoverage() *coverage {
	return &coverage{
		answers: map[string]map[string]int{}, faults: map[string]int{}, edges: map[string]int{},
		crashes: map[string]int{},
	}
}

// statusOf is the status of an answer, or its SQLSTATE.
func statusOf(response *oracle.Response) string {
	if response.SQLState != "" {
		return response.SQLState
	}
	if response.Status != 0 {
		return fmt.Sprint(response.Status)
	}
	rows, _ := response.Body.([]any)
	if len(rows) == 0 {
		return "none"
	}
	if object, ok := rows[0].(map[string]any); ok {
		if status, ok := object["status"].(json.Number); ok {
			return status.String()
		}
		if step, ok := object["step"].(string); ok {
			return step
		}
	}
	return "ok"
}

func (c *coverage) count(request oracle.Request, response *oracle.Response) {
	name := request.Surface + " " + request.Name
	if c.answers[name] == nil {
		c.answers[name] = map[string]int{}
	}
	c.answers[name][statusOf(response)]++
}

// countEdges counts which ways tasks went.
func (c *coverage) countEdges(before, after *store) {
	for _, id := range after[tasks].keys {
		from, to := "none", after[tasks].rows[id].text("state")
		if old := before[tasks].rows[id]; old != nil {
			from = old.text("state")
		}
		if from != to {
			c.edges[from+"->"+to]++
		}
	}
	for _, id := range before[tasks].keys {
		if after[tasks].rows[id] == nil {
			c.edges[before[tasks].rows[id].text("state")+"->fulfilled"]++
		}
	}
}

func (c *coverage) add(other *coverage) {
	for name, statuses := range other.answers {
		if c.answers[name] == nil {
			c.answers[name] = map[string]int{}
		}
		addCounts(c.answers[name], statuses)
	}
	addCounts(c.faults, other.faults)
	addCounts(c.edges, other.edges)
	addCounts(c.crashes, other.crashes)
	c.lost += other.lost
	c.kills += other.kills
	c.virtual += other.virtual
	c.see(other.promises, other.states)
}

// see notes sizes.
func (c *coverage) see(promises, states int) {
	if promises > c.promises {
		c.promises = promises
	}
	if states > c.states {
		c.states = states
	}
}

func addCounts(counts, more map[string]int) {
	for name, n := range more {
		counts[name] += n
	}
}

func counted(counts map[string]int) string {
	names := make([]string, 0, len(counts))
	for name := range counts {
		names = append(names, name)
	}
	sort.Strings(names)
	for i, name := range names {
		names[i] = fmt.Sprintf("%s: %d", name, counts[name])
	}
	return strings.Join(names, "  ")
}

// report is the table of what has happened.
func (c *coverage) report() string {
	names := make([]string, 0, len(c.answers))
	for name := range c.answers {
		names = append(names, name)
	}
	sort.Strings(names)
	var b strings.Builder
	for _, name := range names {
		sum := 0
		for _, n := range c.answers[name] {
			sum += n
		}
		fmt.Fprintf(&b, "%-32s %8d   %s\n", name, sum, counted(c.answers[name]))
	}
	fmt.Fprintf(&b, "tasks      %s\n", counted(c.edges))
	if len(c.faults) > 0 {
		fmt.Fprintf(&b, "faults     %s\n", counted(c.faults))
	}
	if c.kills+len(c.crashes) > 0 {
		fmt.Fprintf(&b, "sessions killed: %d  crashes  %s\n", c.kills, counted(c.crashes))
	}
	fmt.Fprintf(&b, "replies lost: %d  virtual time: %d days  at most %d promises, %d states of the model\n",
		c.lost, c.virtual/day, c.promises, c.states)
	return b.String()
}

// faultName leaves out which write it was.
func faultName(fault string) string { return fault[:strings.LastIndexByte(fault, ' ')] }
