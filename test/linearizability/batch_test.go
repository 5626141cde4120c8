package main

import (
	"fmt"
	"testing"

	"github.com/anishathalye/porcupine"

	"resonate/test/oracle"
)

func batchOp(statuses ...int) *Op {
	var items, rows []any
	for i, status := range statuses {
		id := fmt.Sprintf("g1.e%d", i)
		items = append(items, object{"id": id, "state": "rejected"})
		rows = append(rows, object{"id": id, "status": status})
	}
	return &Op{Graph: "g1", Fate: fateAnswered,
		Request: oracle.Request{Surface: "sql", Name: "settle_promises",
			Args: normal(object{"settlements": items}).(map[string]any)},
		Response: &oracle.Response{Body: normal(rows)}}
}

func namesOf(parts []*Op) string {
	text := ""
	for _, part := range parts {
		list, _ := part.Request.Args["settlements"].([]any)
		text += fmt.Sprintf("%s %d ", part.Request.Name, len(list))
	}
	return text
}

// What a batch has not locked stands for itself.
func TestSplit(t *testing.T) {
	for want, op := range map[string]*Op{
		"settle_promises 3 ":          batchOp(2010, 4030, 2000),
		"reject 0 settle_promises 2 ": batchOp(2010, 4040, 2000),
		"reject 0 reject 0 ":          batchOp(4040, 4040),
	} {
		if got := namesOf(split(op)); got != want {
			t.Errorf("got %s, expected %s", got, want)
		}
	}
	lost := batchOp(2010, 2010)
	lost.Response = nil
	if got := namesOf(split(lost)); got != "reject 0 reject 0 " {
		t.Errorf("lost: %s", got)
	}
}

// Deadlines that nobody hears of are stored at once; others may be stored late.
func TestLapse(t *testing.T) {
	for address, want := range map[string]int{"": 0, "poll://uni@g1/0": 1} {
		s := newScript()
		s.create(0, 0, 10)
		if address != "" {
			s.call(1, 20, 30, "promise.register_listener",
				object{"awaited": "g1.e1", "address": address}, 200,
				object{"promise": promiseRecord("g1.e1", "pending", "", externalTags)})
		}
		states := []*oracle.State{start("g1")}
		for _, op := range s.h.Ops {
			states = stepAll(states, op)
		}
		if len(states) != 1 {
			t.Fatalf("%d states", len(states))
		}
		if got := len(lapsed(states[0], 4999)); got != 0 {
			t.Errorf("lapsed too early")
		}
		if got := len(lapsed(lapse(states[0], 5000), 5000)); got != want {
			t.Errorf("listener %q: %d are left, expected %d", address, got, want)
		}
	}
}

// Rows at a quiet moment have to be those of the model.
func TestRows(t *testing.T) {
	for id, want := range map[string]porcupine.CheckResult{
		"g1.e1": porcupine.Ok, "g1.e2": porcupine.Illegal} {
		s := newScript()
		s.create(0, 0, 10)
		s.h.Ops = append(s.h.Ops, &Op{Fate: fateAnswered, Call: 20, Return: 30,
			Request: oracle.Request{Name: nameRows, Now: 1000},
			Rows: [][]map[string]any{{normal(object{"id": id, "state": "pending",
				"created_at": 1000, "timeout_at": 5000, "external": true, "timer": false,
				"targeted": false, "tags": externalTags}).(map[string]any)}, nil, nil, nil}})
		s.expect(t, want)
	}
}

// Of a lost operation only the instants count that somebody has seen.
func TestInstants(t *testing.T) {
	s := newScript()
	s.lose(0, 0, 10, "promise.settle", settlement("g1.e1", "resolved", "MQ=="))
	s.settle(1, 20, 40, "resolved", "MQ==", "resolved", "MQ==")
	s.call(2, 50, 60, "x", object{}, 0, object{"settled_at": "1970-01-01T00:00:01.003+00:00"})
	noteInstants(&s.h)
	for _, op := range s.h.Ops {
		op.From, op.To = 998, 1005
	}
	if got := fmt.Sprint(s.h.Ops[0].instants()); got != "[998 1000 1003 1005]" {
		t.Errorf("lost: %s", got)
	}
	if got := len(s.h.Ops[1].instants()); got != 8 {
		t.Errorf("answered: %d instants", got)
	}
}
