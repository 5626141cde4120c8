// Package oracle is an exact, executable model of the two interfaces of the
// extension: the wire protocol and the typed SQL functions.  It is written
// from the specifications and the reference, and shares no code and no
// structure with the extension, so that a disagreement between the two means
// that one of them is wrong.
//
// A State is a database; Step applies a request to it and compares what it
// should have answered with what it has.  Where the specification leaves a
// choice (which of the due tasks a dequeue hands out, say), the response is
// checked against what is allowed, and the state follows it.
//
// Deadlines that nobody has stored are part of the state: storing one wakes
// those who wait.  Whoever reads a promise stores its deadline, as
// docs/architecture.md has it; where the documents do not say whether an
// operation does, both are allowed, and Step gives both states.
//
// Instants and lengths of time in the arguments of SQL functions are numbers of
// milliseconds, or text in the usual forms.  A nil argument is NULL.  Rows come
// with the session's TimeZone UTC (or any with an offset) and IntervalStyle
// postgres.
package oracle

import (
	"errors"
	"fmt"
	"strings"
)

// Request is one call, on either interface.
type Request struct {
	// Surface is "rpc" or "sql".
	Surface string
	// Name is the kind of a message of the protocol ("promise.create"), or
	// the name of an SQL function ("create_promise").
	Name string
	// Args is the data object of the message, or the named arguments of the
	// function as JSON values; what is absent has its default.
	Args map[string]any
	// Now is the instant of the call in milliseconds.
	Now int64
}

// Response is what came back from a call.
type Response struct {
	// Status is that of the envelope of the protocol, and 0 for SQL.
	Status int
	// Body is the decoded data of the envelope, or the rows of the function
	// as a list of objects, numbers being json.Number.
	Body any
	// SQLState is empty when the call returned, and else the SQLSTATE raised.
	SQLState string
}

// ErrNotModelled tells that the model does not know the request.
var ErrNotModelled = errors.New("not modelled")

// call is a request that is being answered.
type call struct {
	Request
	before   *State
	response *Response // nil if the reply was lost
}

// outcome is what a request may lead to, and what is answered then.
type outcome struct {
	state    *State
	status   int
	body     any
	sqlState string
}

type handler func(c *call) ([]outcome, error)

// Step applies a request.  With a response it gives the states that are
// consistent with it, or an error that tells what was expected and what was
// seen.  Without one (the reply was lost) it gives every state the request may
// have led to, the one where it did not happen included.  s stays as it is.
func (s *State) Step(r Request, resp *Response) ([]*State, error) {
	var h handler
	switch r.Surface {
	case "rpc":
		h = rpcHandlers[r.Name]
	case "sql":
		h = sqlHandlers[r.Name]
	}
	if h == nil {
		return nil, fmt.Errorf("%s %s: %w", r.Surface, r.Name, ErrNotModelled)
	}
	outcomes, err := h(&call{Request: r, before: s, response: resp})
	if err != nil {
		return nil, fmt.Errorf("%s %s at %d: %w", r.Surface, r.Name, r.Now, err)
	}
	if resp == nil {
		states := []*State{s}
		for _, o := range outcomes {
			states = append(states, o.state)
		}
		return distinct(states), nil
	}
	return consistent(r, outcomes, resp)
}

// consistent gives the states of the outcomes that a response fits.
func consistent(r Request, outcomes []outcome, resp *Response) ([]*State, error) {
	var states []*State
	var faults []string
	for _, o := range outcomes {
		found := o.differences(resp)
		if len(found) == 0 {
			states = append(states, o.state)
		} else if len(faults) == 0 || len(found) < len(faults) {
			faults = found
		}
	}
	if len(states) == 0 {
		return nil, fmt.Errorf("%s %s %s at %d:\n  %s", r.Surface, r.Name, show(r.Args), r.Now,
			strings.Join(faults, "\n  "))
	}
	return distinct(states), nil
}

func (o outcome) differences(resp *Response) []string {
	var result []string
	if o.sqlState != resp.SQLState {
		result = append(result, fmt.Sprintf("SQLSTATE: expected %q, got %q", o.sqlState, resp.SQLState))
	}
	if o.status != resp.Status {
		result = append(result, fmt.Sprintf("status: expected %d, got %d", o.status, resp.Status))
	}
	if o.sqlState != "" || len(result) > 0 {
		if len(result) > 0 && resp.SQLState == "" {
			result = append(result, fmt.Sprintf("body: expected %s, got %s", show(o.body), show(resp.Body)))
		}
		return result
	}
	return differences("body", o.body, resp.Body, result)
}

func distinct(states []*State) []*State {
	if len(states) < 2 {
		return states
	}
	seen := map[string]bool{}
	result := states[:0:0]
	for _, s := range states {
		if key := s.Key(); !seen[key] {
			seen[key] = true
			result = append(result, s)
		}
	}
	return result
}

func one(state *State, status int, body any) []outcome {
	return []outcome{{state: state, status: status, body: body}}
}
