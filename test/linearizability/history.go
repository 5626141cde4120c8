package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"resonate/test/oracle"
)

// What became of an operation.
const (
	// fateAnswered: the response came; an error that is a verdict counts.
	fateAnswered = "answered"
	// fateAborted: the server took everything back (40001, 40P01), so the
	// operation has not happened.
	fateAborted = "aborted"
	// fateCut and fateKilled: the driver has closed the connection, or had the
	// server end it, before the reply.  The operation may have happened.
	fateCut    = "cut"
	fateKilled = "killed"
)

// nameRows is the operation that reads all rows at a quiet moment.
const nameRows = "rows"

// Op is one operation as a session has seen it.
type Op struct {
	ID int
	// Client is a line in the visualization: operations of one client never
	// overlap.  A session is another client after each lost reply, because
	// what it lost may still be running.
	Client  int
	Session int
	Phase   int
	// Graph is empty for what touches all graphs.
	Graph    string `json:",omitempty"`
	Request  oracle.Request
	Response *oracle.Response `json:",omitempty"`
	// Rows are those of nameRows, as oracle.DumpSQL reads them.
	Rows [][]map[string]any `json:",omitempty"`
	Fate string
	// Quiet tells that no other operation was under way, on purpose.
	Quiet bool `json:",omitempty"`
	// From and To are the milliseconds of the time of day between which the
	// operation ran, if that is its clock; then the request has no instant.
	From, To int64 `json:",omitempty"`
	// Floor is an instant before which no operation of this phase or a later
	// one has happened.
	Floor int64 `json:",omitempty"`
	// Call and Return are nanoseconds since the start of the history.  An
	// operation without a reply returns when its backend is gone.
	Call, Return int64

	// seen are the instants that are in any answer, see instants().
	seen map[int64]bool
}

// isLost tells whether nobody knows if the operation has happened.
func (op *Op) isLost() bool { return op.Fate == fateCut || op.Fate == fateKilled }

// floor is an instant before which neither this operation nor any that can come
// after it has happened.
func (op *Op) floor() int64 {
	if op.From != 0 {
		return op.Floor
	}
	return op.Request.Now
}

// kind names what was asked for, and how.
func (op *Op) kind() string { return op.Request.Surface + " " + op.Request.Name }

// status is that of the response, as it is counted.
func (op *Op) status() string {
	if op.Response == nil {
		return op.Fate
	}
	if op.Response.SQLState != "" {
		return op.Response.SQLState
	}
	if op.Response.Status != 0 {
		return fmt.Sprint(op.Response.Status)
	}
	if rows, ok := op.Response.Body.([]any); ok && len(rows) == 1 {
		if status := statusOf(rows[0]); status != "" {
			return status
		}
	}
	return "rows"
}

// statusOf is that of a row, if rows of its kind have one.
func statusOf(row any) string {
	object, _ := row.(map[string]any)
	if object["status"] == nil {
		return ""
	}
	return fmt.Sprint(object["status"])
}

// ids lists the objects that the request names.
func (op *Op) ids() []string {
	var found []string
	var look func(value any)
	look = func(value any) {
		switch v := value.(type) {
		case string:
			if op.Graph != "" && strings.HasPrefix(v, op.Graph+".") {
				found = append(found, v)
			}
		case []any:
			for _, item := range v {
				look(item)
			}
		case map[string]any:
			for _, item := range v {
				look(item)
			}
		}
	}
	look(normal(op.Request.Args))
	return found
}

// describe shows the operation in reports.
func (op *Op) describe() string {
	args, _ := json.Marshal(op.Request.Args)
	answer := op.Fate
	if op.Response != nil {
		body, _ := json.Marshal(op.Response.Body)
		answer = op.status() + " " + string(body)
	}
	return fmt.Sprintf("#%d session %d: %s %s at %s -> %s",
		op.ID, op.Session, op.kind(), args, op.when(), answer)
}

func (op *Op) when() string {
	if op.From != 0 {
		return fmt.Sprintf("%d to %d", op.From, op.To)
	}
	return fmt.Sprint(op.Request.Now)
}

// History is everything that the check needs, and what it takes to run another
// one like it.
type History struct {
	Seed     int64
	Sessions int
	Ops      []*Op
	Graphs   []string
	// Slow tells that transactions were made to linger before their commit.
	Slow bool
	// Wall tells that the clock was the time of day, and never stood still.
	Wall bool
}

// save writes the history; loadHistory reads it again.
func (h *History) save(path string) error {
	encoded, err := json.MarshalIndent(h, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, encoded, 0o644)
}

func loadHistory(path string) (*History, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	decoder := json.NewDecoder(file)
	decoder.UseNumber()
	h := &History{}
	if err := decoder.Decode(h); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return h, nil
}

// normal gives a value as JSON has it, so that a request is the same before and
// after it was saved.
func normal(value any) any {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(encoded)))
	decoder.UseNumber()
	var result any
	if err := decoder.Decode(&result); err != nil {
		panic(err)
	}
	return result
}
