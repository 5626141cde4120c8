package oracle

import (
	"encoding/csv"
	"os"
	"strconv"
	"testing"
)

// TestTransitions replays the whole table of the specification.
func TestTransitions(t *testing.T) {
	file, err := os.Open("../transitions.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 133 {
		t.Fatalf("%d rows", len(rows))
	}
	for i, row := range rows[1:] {
		column := data{}
		for j, name := range rows[0] {
			column[name] = row[j]
		}
		t.Run(strconv.Itoa(i+2), func(t *testing.T) { checkTransition(t, column) })
	}
}

var (
	operations = map[string]string{"resolve": resolved, "reject": rejected, "cancel": canceled}
	stateNames = map[string]string{"resolved": resolved, "rejected": rejected, "canceled": canceled,
		"pending": pending, "timedout": timedOut}
)

func checkTransition(t *testing.T, row data) {
	// With a relation of "any", all of them are tried.
	relations := []string{row["key_relation"].(string)}
	if relations[0] == "any" {
		relations = []string{"none", "match", "mismatch"}
	}
	for _, relation := range relations {
		checkTransitionWith(t, row, relation)
	}
}

func checkTransitionWith(t *testing.T, row data, relation string) {
	state, operation := row["state"].(string), row["op"].(string)
	isLapsed := row["timeout_elapsed"] == "T"
	m := newModel(t, Options{})
	tags := data{}
	if row["timer_tag"] == "T" {
		tags["resonate:timer"] = "true"
	}
	makeState(m, state, tags)
	now := int64(500)
	if isLapsed {
		now = 1000
	}
	args := data{"id": "p", "strict": row["strict"] == "T"}
	switch relation {
	case "match":
		args["idempotency_key"] = "k"
	case "mismatch":
		args["idempotency_key"] = "other"
	}
	if operation == "create" {
		args["tags"] = tags
		args["timeout_at"] = 1000
	} else {
		args["value"] = "new"
	}
	name := operation
	if operation == "create" {
		name = "create_promise"
	}
	result := m.sql(now, name, args)
	if strconv.Itoa(result["status"].(int)) != row["code4"] {
		t.Errorf("%s: status %v, not %s", relation, result["status"], row["code4"])
	}
	checkNext(m, row, result, now)
}

// makeState has a promise with the key k in that state.
func makeState(m *model, state string, tags data) {
	if state == "init" {
		return
	}
	timeoutAt := 1000
	if state == "timedout" {
		timeoutAt = 0
	}
	m.sql(0, "create_promise", data{"id": "p", "timeout_at": timeoutAt, "idempotency_key": "k", "tags": tags})
	for name, settled := range operations {
		if stateNames[state] == settled {
			m.sql(100, name, data{"id": "p", "idempotency_key": "k", "value": "old"})
		}
	}
}

func checkNext(m *model, row, result data, now int64) {
	m.t.Helper()
	if row["next_state"] == "init" {
		if result["state"] != nil || len(m.state.promises) != 0 {
			m.t.Errorf("state %v, not init", result["state"])
		}
		return
	}
	if result["state"] != stateNames[row["next_state"].(string)] {
		m.t.Errorf("state %v, not %v", result["state"], row["next_state"])
	}
	if row["code4"] == "2010" && row["op"] != "create" {
		if result["settled_at"] != instant(now) || show(result["value"]) != `"new"` {
			m.t.Errorf("settled at %v with %v", result["settled_at"], show(result["value"]))
		}
	} else if state := row["state"]; state == "resolved" || state == "rejected" || state == "canceled" {
		if result["settled_at"] != instant(100) || show(result["value"]) != `"old"` ||
			result["idempotency_key_for_complete"] != "k" {
			m.t.Errorf("what was settled has changed: %s", show(result))
		}
	}
	if row["timeout_elapsed"] == "T" && (result["settled_at"] != instant(1000) || result["value"] != nil ||
		result["idempotency_key_for_complete"] != nil) {
		m.t.Errorf("not settled at its deadline: %s", show(result))
	}
}
