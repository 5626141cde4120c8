package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"resonate/test/oracle"
)

// script makes histories by hand: of one graph, at one instant.
type script struct{ h History }

func newScript() *script { return &script{History{Graphs: []string{"g1"}}} }

// call adds an operation that was answered.
func (s *script) call(session int, from, to int64, name string, args map[string]any,
	status int, body any) {
	s.h.Ops = append(s.h.Ops, &Op{ID: len(s.h.Ops), Client: session, Session: session,
		Graph: "g1", Fate: fateAnswered, Call: from, Return: to,
		Request:  oracle.Request{Surface: "rpc", Name: name, Args: normal(args).(map[string]any), Now: 1000},
		Response: &oracle.Response{Status: status, Body: normal(body)}})
}

// lose adds an operation without a reply.
func (s *script) lose(session int, from, to int64, name string, args map[string]any) {
	s.call(session, from, to, name, args, 0, nil)
	op := s.h.Ops[len(s.h.Ops)-1]
	op.Fate, op.Response = fateKilled, nil
}

func (s *script) expect(t *testing.T, want porcupine.CheckResult) {
	t.Helper()
	if err := checkSound(&s.h); err != nil {
		t.Fatal(err)
	}
	if got, _ := check(&s.h, time.Minute); got != want {
		t.Fatalf("the history is %s, expected %s", got, want)
	}
}

type object = map[string]any

var externalTags = object{"resonate:external": "true"}
var targetTags = object{"resonate:target": "poll://any@g1"}

// promiseRecord is a promise as the protocol has it.
func promiseRecord(id, state, value string, tags object) object {
	r := object{"id": id, "state": state, "param": object{}, "value": object{},
		"tags": tags, "timeoutAt": 5000, "createdAt": 1000}
	if state != "pending" {
		r["settledAt"] = 1000
		r["value"] = object{"data": value}
	}
	return r
}

func creation(id string, tags object) object {
	return object{"id": id, "timeoutAt": 5000, "param": object{}, "tags": tags}
}

func settlement(id, state, value string) object {
	return object{"id": id, "state": state, "value": object{"data": value}}
}

func (s *script) create(session int, from, to int64) {
	s.call(session, from, to, "promise.create", creation("g1.e1", externalTags), 200,
		object{"promise": promiseRecord("g1.e1", "pending", "", externalTags)})
}

func (s *script) settle(session int, from, to int64, state, value, seenState, seenValue string) {
	s.call(session, from, to, "promise.settle", settlement("g1.e1", state, value), 200,
		object{"promise": promiseRecord("g1.e1", seenState, seenValue, externalTags)})
}

func (s *script) get(session int, from, to int64, state, value string) {
	s.call(session, from, to, "promise.get", object{"id": "g1.e1"}, 200,
		object{"promise": promiseRecord("g1.e1", state, value, externalTags)})
}

func TestOneSettles(t *testing.T) {
	s := newScript()
	s.create(0, 0, 10)
	s.settle(1, 20, 40, "resolved", "MQ==", "resolved", "MQ==")
	s.settle(2, 30, 50, "rejected", "Mg==", "resolved", "MQ==")
	s.get(0, 35, 60, "resolved", "MQ==")
	s.expect(t, porcupine.Ok)
}

func TestLaterOneSettlesFirst(t *testing.T) {
	s := newScript()
	s.create(0, 0, 10)
	s.settle(1, 20, 50, "resolved", "MQ==", "rejected", "Mg==")
	s.settle(2, 30, 40, "rejected", "Mg==", "rejected", "Mg==")
	s.expect(t, porcupine.Ok)
}

func TestBothSettle(t *testing.T) {
	s := newScript()
	s.create(0, 0, 10)
	s.settle(1, 20, 40, "resolved", "MQ==", "resolved", "MQ==")
	s.settle(2, 30, 50, "rejected", "Mg==", "rejected", "Mg==")
	s.expect(t, porcupine.Illegal)
}

func TestReadOfThePast(t *testing.T) {
	s := newScript()
	s.create(0, 0, 10)
	s.settle(1, 20, 30, "resolved", "MQ==", "resolved", "MQ==")
	s.get(0, 31, 40, "pending", "")
	s.expect(t, porcupine.Illegal)
}

func TestReadBesideTheWrite(t *testing.T) {
	s := newScript()
	s.create(0, 0, 10)
	s.settle(1, 20, 50, "resolved", "MQ==", "resolved", "MQ==")
	s.get(0, 31, 40, "pending", "")
	s.expect(t, porcupine.Ok)
}

func TestLostReply(t *testing.T) {
	for _, state := range []string{"pending", "resolved"} {
		s := newScript()
		s.create(0, 0, 10)
		s.lose(1, 20, 30, "promise.settle", settlement("g1.e1", "resolved", "MQ=="))
		s.get(0, 40, 50, state, "MQ==")
		s.expect(t, porcupine.Ok)
	}
}

func TestLostReplyHappensOnceOrNever(t *testing.T) {
	s := newScript()
	s.create(0, 0, 10)
	s.lose(1, 20, 100, "promise.settle", settlement("g1.e1", "resolved", "MQ=="))
	s.get(0, 40, 50, "resolved", "MQ==")
	s.get(0, 60, 70, "pending", "")
	s.expect(t, porcupine.Illegal)
}

// What the server says that it has taken back has not happened.
func TestAborted(t *testing.T) {
	for _, state := range []string{"pending", "resolved"} {
		s := newScript()
		s.create(0, 0, 10)
		s.settle(1, 20, 30, "resolved", "MQ==", "resolved", "MQ==")
		s.h.Ops[1].Fate = fateAborted
		s.h.Ops[1].Response = &oracle.Response{SQLState: "40001"}
		s.get(0, 40, 50, state, "MQ==")
		s.expect(t, map[string]porcupine.CheckResult{
			"pending": porcupine.Ok, "resolved": porcupine.Illegal}[state])
	}
}

func taskRecord(state string, version int) object {
	r := object{"id": "g1.t0", "state": state, "version": version, "resumes": 0}
	if state == "acquired" {
		r["pid"], r["ttl"] = "w", 500
	}
	return r
}

func holding(version int) object {
	return object{"task": taskRecord("acquired", version), "preload": []any{},
		"promise": promiseRecord("g1.t0", "pending", "", targetTags)}
}

// handOver has one session give a task back and another one take it, while the
// first one still believes that it has it.
func handOver(status int, answer any) *script {
	s := newScript()
	s.call(0, 0, 10, "task.create", object{"pid": "w", "ttl": 500,
		"action": action("promise.create", creation("g1.t0", targetTags))}, 200, holding(1))
	s.call(0, 20, 30, "task.release", object{"id": "g1.t0", "version": 1}, 200, object{})
	s.call(1, 40, 50, "task.acquire", object{"id": "g1.t0", "version": 1, "pid": "w",
		"ttl": 500}, 200, holding(2))
	s.call(0, 45, 60, "task.fulfill", object{"id": "g1.t0", "version": 1,
		"action": action("promise.settle", settlement("g1.t0", "resolved", "MQ=="))},
		status, answer)
	return s
}

func TestStaleFulfill(t *testing.T) {
	handOver(409, "conflict").expect(t, porcupine.Ok)
	handOver(200, object{"promise": promiseRecord("g1.t0", "resolved", "MQ==", targetTags)}).
		expect(t, porcupine.Illegal)
}

func TestTwoAcquireOneVersion(t *testing.T) {
	s := handOver(409, "conflict")
	s.call(2, 42, 70, "task.acquire", object{"id": "g1.t0", "version": 1, "pid": "w",
		"ttl": 500}, 200, holding(2))
	s.expect(t, porcupine.Illegal)
}

// A sweep concerns all graphs, and each for itself.
func TestSweepOfAllGraphs(t *testing.T) {
	for _, state := range []string{"pending", "acquired"} {
		s := handOver(409, "conflict")
		s.h.Graphs = append(s.h.Graphs, "g2")
		s.call(2, 100, 110, "debug.tick", object{"time": 1500}, 200, []any{})
		s.h.Ops[len(s.h.Ops)-1].Graph = ""
		task := taskRecord(state, 2)
		s.call(0, 120, 130, "task.get", object{"id": "g1.t0"}, 200, object{"task": task})
		s.expect(t, porcupine.Ok)
	}
}

func TestNoSweepNoEndOfLease(t *testing.T) {
	s := handOver(409, "conflict")
	s.call(0, 120, 130, "task.get", object{"id": "g1.t0"}, 200,
		object{"task": taskRecord("pending", 2)})
	s.expect(t, porcupine.Illegal)
}

func TestOperationsThatSpanGraphs(t *testing.T) {
	s := newScript()
	s.call(0, 0, 10, "promise.register_callback",
		object{"awaited": "g1.e1", "awaiter": "g2.t0"}, 404, "")
	if checkSound(&s.h) == nil {
		t.Fatal("an operation on two graphs was not noticed")
	}
}

// What is kept of a failure says what was wrong, and is refused again.
func TestFailureIsKept(t *testing.T) {
	s := handOver(200, object{"promise": promiseRecord("g1.t0", "resolved", "MQ==", targetTags)})
	o := &options{out: t.TempDir()}
	err := judge(o, &s.h, newStats())
	if err == nil || !strings.Contains(err.Error(), "task.fulfill") ||
		!strings.Contains(err.Error(), "make linearizability SEED=0") {
		t.Fatalf("the report is: %v", err)
	}
	html, err := os.ReadFile(o.path(0, "html"))
	if err != nil || !strings.Contains(string(html), "task.fulfill") {
		t.Fatalf("no visualization: %v", err)
	}
	kept, err := loadHistory(o.path(0, "json"))
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(kept.Ops[3].describe()) != s.h.Ops[3].describe() {
		t.Fatalf("kept: %s", kept.Ops[3].describe())
	}
	if result, _ := check(kept, time.Minute); result != porcupine.Illegal {
		t.Fatalf("what was kept is %s", result)
	}
	if matches, _ := filepath.Glob(filepath.Join(o.out, "*")); len(matches) != 2 {
		t.Fatalf("kept: %v", matches)
	}
}
