package oracle

import (
	"errors"
	"strings"
	"testing"
)

func TestGraph(t *testing.T) {
	for _, test := range []struct {
		surface, name string
		args          data
		graph         string
		isWrong       bool
	}{
		{"rpc", "promise.get", data{"id": "g1.a.b"}, "g1", false},
		{"rpc", "promise.get", data{"id": "g1"}, "g1", false},
		{"rpc", "promise.create", data{"id": "g1.a", "param": data{"data": "x", "id": "g2"}}, "g1", false},
		{"rpc", "promise.register_callback", data{"awaited": "g1.a", "awaiter": "g2.b"}, "", true},
		{"rpc", "task.suspend", data{"id": "g1", "actions": []any{data{"data": data{"awaited": "g1.x", "awaiter": "g1"}}}},
			"g1", false},
		{"rpc", "task.fence", data{"id": "g1", "action": data{"data": data{"id": "g2.x"}}}, "", true},
		{"rpc", "task.heartbeat", data{"pid": "p", "tasks": []any{}}, "", false},
		{"rpc", "task.heartbeat", data{"pid": "p", "tasks": []any{data{"id": "g1", "version": 1}}}, "g1", false},
		{"rpc", "schedule.create", data{"id": "g1.s", "promiseId": "{{.id}}.{{.timestamp}}"}, "g1", false},
		{"rpc", "debug.tick", data{"time": 1}, "", false},
		{"sql", "create_promises", data{"promises": []any{data{"id": "g1.a"}, data{"id": "g1.b"}}}, "g1", false},
		{"sql", "create_promises", data{"promises": []any{data{"id": "g1.a"}, data{"id": "g2.b"}}}, "", true},
		{"sql", "create_callback", data{"promise_id": "g1.a", "callback_id": "c"}, "g1", false},
		{"sql", "suspend_task", data{"id": "g1.a", "awaited": []any{"g1.b"}}, "g1", false},
		{"sql", "dequeue_execute", data{"address": "x"}, "", false},
		{"sql", "process_timeouts", data{}, "", false},
		{"sql", "get_promise", data{}, "", true},
	} {
		graph, err := Graph(Request{test.surface, test.name, test.args, 0})
		if graph != test.graph || (err != nil) != test.isWrong {
			t.Errorf("%s %s: %q, %v", test.name, show(test.args), graph, err)
		}
	}
}

func get(id string, now int64) Request { return Request{"rpc", "promise.get", data{"id": id}, now} }

// TestResponse has what was seen decide whether there is a state.
func TestResponse(t *testing.T) {
	m := newModel(t, Options{})
	m.create(100, "p", 1000, data{})
	record := `{"promise": {"id": "p", "state": "pending", "param": {}, "value": {}, "tags": {},
		"timeoutAt": 1000, "createdAt": 100}}`
	m.step(get("p", 200), &Response{Status: 200, Body: decode(t, record)})
	for name, changed := range map[string]string{
		"createdAt": strings.Replace(record, "100}", "101}", 1),
		"value":     strings.Replace(record, `"value": {}`, `"value": {"data": ""}`, 1),
		"settledAt": strings.Replace(record, `"id": "p"`, `"id": "p", "settledAt": null`, 1),
		"tags":      strings.Replace(record, `"tags": {},`, ``, 1),
	} {
		_, err := m.state.Step(get("p", 200), &Response{Status: 200, Body: decode(t, changed)})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("a wrong %s: %v", name, err)
		}
	}
	if _, err := m.state.Step(get("p", 200), &Response{Status: 404, Body: "gone"}); err == nil {
		t.Errorf("a wrong status is right")
	}
	if _, err := m.state.Step(get("p", 200), &Response{SQLState: "XX000"}); err == nil {
		t.Errorf("an error is right")
	}
}

// TestLost has a reply that was lost lead to both states.
func TestLost(t *testing.T) {
	m := newModel(t, Options{})
	create := Request{"sql", "create_promise", data{"id": "p"}, 100}
	before := m.state.Key()
	states, err := m.state.Step(create, nil)
	if err != nil || len(states) != 2 || states[0].Key() != before {
		t.Fatalf("%d states: %v", len(states), err)
	}
	if m.state.Key() != before {
		t.Errorf("the state has changed")
	}
	// What would have changed nothing cannot be told from what did not happen.
	again, err := states[1].Step(create, nil)
	if err != nil || len(again) != 1 {
		t.Errorf("%d states: %v", len(again), err)
	}
}

func TestNotModelled(t *testing.T) {
	_, err := New().Step(Request{"sql", "get_stats", data{}, 0}, &Response{})
	if !errors.Is(err, ErrNotModelled) {
		t.Errorf("get_stats: %v", err)
	}
}

func row(id string, version string) string {
	return `{"task_id": "` + id + `", "version": ` + version + `}`
}

// TestDequeue has the answer decide which of the tasks that are due were offered.
func TestDequeue(t *testing.T) {
	m := newModel(t, Options{})
	m.create(100, "a", 9000, targeted())
	m.create(101, "b", 9000, targeted())
	m.create(101, "c", 9000, targeted())
	dequeue := func(limit int) Request {
		return Request{"sql", "dequeue_execute", data{"address": group, "limit": limit}, 200}
	}
	for rows, isRight := range map[string]bool{
		row("a", "0") + "," + row("b", "0"): true, row("a", "0") + "," + row("c", "0"): true,
		row("b", "0") + "," + row("c", "0"): false, row("b", "0") + "," + row("a", "0"): false, row("a", "0"): false,
		row("a", "1") + "," + row("b", "0"): false, row("a", "0") + "," + row("a", "0"): false,
	} {
		states, err := m.state.Step(dequeue(2), &Response{Body: decode(t, "["+rows+"]")})
		if (err == nil && len(states) == 1) != isRight {
			t.Errorf("%s: %d states, %v", rows, len(states), err)
		}
	}
	concurrent := newModel(t, Options{Concurrent: true})
	concurrent.state = &State{options: concurrent.state.options, promises: m.state.promises}
	if _, err := concurrent.state.Step(dequeue(2), &Response{Body: decode(t, "["+row("b", "0")+"]")}); err != nil {
		t.Errorf("what others have locked is not skipped: %v", err)
	}
}

// TestPartition has a part of the database look at its own rows only.
func TestPartition(t *testing.T) {
	m := newModel(t, Options{Partition: "g1"})
	m.create(100, "g1.a", 9000, targeted())
	dequeue := Request{"sql", "dequeue_execute", data{"address": group, "limit": 100}, 200}
	_, err := m.state.Step(dequeue, &Response{Body: decode(t, "["+row("g2.x", "7")+","+row("g1.a", "0")+"]")})
	if err != nil {
		t.Error(err)
	}
	if _, err = m.state.Step(dequeue, &Response{Body: decode(t, "["+row("g2.x", "7")+"]")}); err == nil {
		t.Error("the own task is missing")
	}
	search := Request{"rpc", "promise.search", data{}, 200}
	if _, err = m.state.Step(search, &Response{Status: 200, Body: decode(t, `{"promises": []}`)}); err == nil {
		t.Error("the own promise is missing")
	}
}

// TestConcurrentSweep has a sweep skip what others have locked.
func TestConcurrentSweep(t *testing.T) {
	m := newModel(t, Options{Partition: "g1", Concurrent: true})
	m.create(100, "g1.a", 1000, external())
	m.create(100, "g1.b", 1000, external())
	sweep := Request{"sql", "process_timeouts", data{}, 1000}
	for n, wanted := range map[string]int{"0": 1, "1": 3, "2": 4, "9": 4} {
		body := decode(t, `[{"process_timeouts": `+n+`}]`)
		states, err := m.state.Step(sweep, &Response{Body: body})
		if err != nil || len(states) != wanted {
			t.Errorf("%s rows: %d states, %v", n, len(states), err)
		}
	}
}

// TestUnstored has both answers where nobody says whether a deadline is stored.
func TestUnstored(t *testing.T) {
	m := newModel(t, Options{})
	m.create(100, "t", 1000, targeted())
	release := Request{"rpc", "task.release", data{"id": "t", "version": 0}, 1000}
	states, err := m.state.Step(release, &Response{Status: 409, Body: "no"})
	if err != nil || len(states) != 2 {
		t.Fatalf("%d states: %v", len(states), err)
	}
	for _, s := range states {
		m.state = s
		m.is(m.get(1000, "t"), "200 rejected_timedout at 1000")
	}
}
