package main

import (
	"fmt"
	"hash/fnv"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"resonate/test/oracle"
)

// node is a state of one graph.  Equal states are the same node.
type node struct {
	state *oracle.State
	hash  uint64
	table *table
	next  map[*Op][]*node
	at    map[int64]*node
}

// table has the nodes of one partition.  Porcupine comes to the same state again
// and again, so what is known of it is kept.
type table struct {
	nodes map[string]*node
}

func (t *table) node(state *oracle.State) *node {
	key := state.Key()
	if known := t.nodes[key]; known != nil {
		return known
	}
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(key))
	made := &node{state: state, hash: hash.Sum64(), table: t,
		next: map[*Op][]*node{}, at: map[int64]*node{}}
	t.nodes[key] = made
	return made
}

// after gives the states that an operation may lead to, none if its answer is
// not to be had here.
func (n *node) after(op *Op) []*node {
	if known, ok := n.next[op]; ok {
		return known
	}
	states, err := step(n.lapse(op.floor()).state, op)
	var nodes []*node
	if err == nil {
		for _, state := range states {
			nodes = append(nodes, n.table.node(state).lapse(op.floor()))
		}
	}
	n.next[op] = nodes
	return nodes
}

// lapse is the state as of an instant.
func (n *node) lapse(now int64) *node {
	if n.at[now] == nil {
		n.at[now] = n.table.node(lapse(n.state, now))
	}
	return n.at[now]
}

// step applies an operation to the state of a graph.  By the time of day it may
// have happened at any instant between its call and its return.
func step(state *oracle.State, op *Op) ([]*oracle.State, error) {
	if op.Request.Name == nameRows {
		err := state.Diff(op.Request.Now, op.Rows[0], op.Rows[1], op.Rows[2], op.Rows[3])
		return []*oracle.State{state}, err
	}
	var states []*oracle.State
	var fault error
	request := op.Request
	for _, request.Now = range op.instants() {
		found, err := state.Step(request, op.Response)
		if err != nil {
			fault = err
		}
		states = append(states, found...)
	}
	if len(states) > 0 {
		fault = nil
	}
	return states, fault
}

// start is the state that a graph begins with.  Its sessions work at the same
// time, and what touches all graphs is checked for this one.
func start(graph string) *oracle.State {
	return oracle.NewWith(oracle.Options{Partition: graph, Concurrent: true})
}

func model(graph string) porcupine.Model {
	nondeterministic := porcupine.NondeterministicModel{
		Init: func() []interface{} {
			t := &table{nodes: map[string]*node{}}
			return []interface{}{t.node(start(graph))}
		},
		Step: func(state, input, _ interface{}) []interface{} {
			nodes := state.(*node).after(input.(*Op))
			states := make([]interface{}, len(nodes))
			for i := range nodes {
				states[i] = nodes[i]
			}
			return states
		},
		Equal: func(a, b interface{}) bool { return a == b },
		Hash:  func(state interface{}) uint64 { return state.(*node).hash },
		DescribeOperation: func(input, _ interface{}) string {
			return input.(*Op).describe()
		},
		DescribeState: func(state interface{}) string {
			return state.(*node).state.String()
		},
	}
	return nondeterministic.ToModel()
}

// operations makes what Porcupine checks of a graph: the operations on it, and
// those on all graphs, of which each has its part; not what has not happened.
func operations(h *History, graph string) []porcupine.Operation {
	var result []porcupine.Operation
	for _, op := range h.Ops {
		if op.Fate == fateAborted || op.Graph != "" && op.Graph != graph {
			continue
		}
		for _, part := range split(op) {
			result = append(result, porcupine.Operation{ClientId: op.Client,
				Input: part, Call: op.Call, Return: op.Return})
		}
	}
	return result
}

// checkSound makes sure that the partitions stand for themselves and that the
// model knows all requests: else the check would be worth nothing.
func checkSound(h *History) error {
	for _, op := range h.Ops {
		if op.Request.Name == nameRows {
			continue
		}
		graph, err := oracle.Graph(op.Request)
		if err != nil {
			return fmt.Errorf("%s: %w", op.describe(), err)
		}
		if graph != "" && graph != op.Graph {
			return fmt.Errorf("%s: belongs to the graph %q", op.describe(), graph)
		}
	}
	return nil
}

// check gives the graphs whose operations cannot be put in order, or else
// those for which the time did not suffice.
func check(h *History, limit time.Duration) (porcupine.CheckResult, []string) {
	noteInstants(h)
	results := make([]porcupine.CheckResult, len(h.Graphs))
	var running sync.WaitGroup
	for i, graph := range h.Graphs {
		running.Add(1)
		go func(i int, graph string) {
			defer running.Done()
			results[i] = porcupine.CheckOperationsTimeout(model(graph),
				operations(h, graph), limit)
		}(i, graph)
	}
	running.Wait()
	for _, bad := range []porcupine.CheckResult{porcupine.Illegal, porcupine.Unknown} {
		var graphs []string
		for i, graph := range h.Graphs {
			if results[i] == bad {
				graphs = append(graphs, graph)
			}
		}
		if len(graphs) > 0 {
			return bad, graphs
		}
	}
	return porcupine.Ok, nil
}

// explain checks a graph again, writes the visualization, and tells where the
// longest attempt came to its end.
func explain(h *History, graph string, limit time.Duration, path string) (string, error) {
	m := model(graph)
	part := operations(h, graph)
	_, info := porcupine.CheckOperationsVerbose(m, part, limit)
	var report strings.Builder
	for _, attempts := range info.PartialLinearizationsOperations() {
		explainPart(&report, graph, part, longest(attempts))
	}
	file, err := os.Create(path)
	if err != nil {
		return report.String(), err
	}
	defer file.Close()
	return report.String(), porcupine.Visualize(m, info, file)
}

func longest(attempts [][]porcupine.Operation) []porcupine.Operation {
	var best []porcupine.Operation
	for _, attempt := range attempts {
		if len(attempt) > len(best) {
			best = attempt
		}
	}
	return best
}

// explainPart replays the longest order that was found for a graph, and tells
// why none of the operations that could have come next fits.
func explainPart(report *strings.Builder, graph string, part, order []porcupine.Operation) {
	states := []*oracle.State{start(graph)}
	done := map[*Op]bool{}
	for _, one := range order {
		op := one.Input.(*Op)
		done[op] = true
		states = stepAll(states, op)
	}
	horizon := int64(1<<63 - 1)
	for _, one := range part {
		if !done[one.Input.(*Op)] && one.Return < horizon {
			horizon = one.Return
		}
	}
	fmt.Fprintf(report, "%s: %d of %d operations can be put in order; none of these comes next:\n",
		graph, len(order), len(part))
	for _, one := range part {
		op := one.Input.(*Op)
		if done[op] || one.Call > horizon {
			continue
		}
		fmt.Fprintf(report, "  %s\n", shorten(op.describe()))
		for i, state := range states {
			if _, err := step(lapse(state, op.floor()), op); err != nil && i < explainedStates {
				fmt.Fprintf(report, "    %s\n", shorten(err.Error()))
			}
		}
	}
}

// What a report on the terminal holds at most; the rest is in the visualization.
const (
	explainedStates = 3
	explainedLength = 600
)

func shorten(text string) string {
	if len(text) > explainedLength {
		return text[:explainedLength] + "..."
	}
	return text
}

// stepAll gives all states after an operation.
func stepAll(states []*oracle.State, op *Op) []*oracle.State {
	known := map[string]bool{}
	var result []*oracle.State
	for _, state := range states {
		next, err := step(lapse(state, op.floor()), op)
		if err != nil {
			continue
		}
		for _, one := range next {
			if key := one.Key(); !known[key] {
				known[key] = true
				result = append(result, one)
			}
		}
	}
	return result
}
