// Package oracle is an exact, executable model of the two interfaces of the
// extension: the wire protocol and the typed SQL functions.  It is written
// from the specifications and the reference, and shares no code and no
// structure with the extension, so that a disagreement between the two means
// that one of them is wrong.
package oracle

import "errors"

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

// State is the persistent data as the model has it.
type State struct{}

// ErrNotModelled tells that the model does not know the request.
var ErrNotModelled = errors.New("not modelled")

// New gives the state of an empty database.
func New() *State { return &State{} }

// Step applies a request.  With a response it gives the states that are
// consistent with it, or an error that tells what was expected and what was
// seen.  Without one (the reply was lost) it gives every state the request may
// have led to, the one where it did not happen included.  s stays as it is.
func (s *State) Step(r Request, resp *Response) ([]*State, error) {
	return nil, ErrNotModelled
}

// Key is a canonical string: equal states have equal keys.
func (s *State) Key() string { return "" }

// Graph tells the partition of a request: what stands before the first dot of
// every id it names.  It is empty for requests that touch all partitions.
func Graph(r Request) (string, error) { return "", ErrNotModelled }

// String is a dump for reports.
func (s *State) String() string { return "" }

// Diff compares the model with the rows as the driver reads them.
func (s *State) Diff(now int64, promises, tasks, callbacks, messages []map[string]any) error {
	return ErrNotModelled
}
