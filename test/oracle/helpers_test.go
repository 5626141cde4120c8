package oracle

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

type data = map[string]any

// model runs requests in the profile strict, whose reply tells what the model
// expects.
type model struct {
	t     *testing.T
	state *State
}

func newModel(t *testing.T, o Options) *model {
	t.Helper()
	return &model{t: t, state: NewWith(o)}
}

// predict is what the model would answer; it fails if that is not a single thing.
func (m *model) predict(surface, name string, now int64, args data) outcome {
	m.t.Helper()
	handlers := rpcHandlers
	if surface == "sql" {
		handlers = sqlHandlers
	}
	outcomes, err := handlers[name](&call{Request: Request{surface, name, args, now}, before: m.state})
	if err != nil {
		m.t.Fatalf("%s at %d: %v", name, now, err)
	}
	m.state = outcomes[0].state
	return outcomes[0]
}

// rpc gives the answer to a request of the protocol on one line, as docs have it:
// the status, then what was asked for.
func (m *model) rpc(now int64, name string, args data) string {
	m.t.Helper()
	o := m.predict("rpc", name, now, args)
	return strings.TrimSpace(fmt.Sprint(o.status, " ", brief(o.body)))
}

// sql gives the first row of the answer of a function.
func (m *model) sql(now int64, name string, args data) data {
	m.t.Helper()
	o := m.predict("sql", name, now, args)
	rows, ok := o.body.([]any)
	if o.sqlState != "" || !ok || len(rows) != 1 {
		m.t.Fatalf("%s at %d: %q %s", name, now, o.sqlState, show(o.body))
	}
	return rows[0].(data)
}

func brief(body any) string {
	object, ok := body.(data)
	if !ok {
		return ""
	}
	var words []string
	if action, ok := object["action"].(data); ok {
		words = append(words, fmt.Sprintf("{%d %s}", action["head"].(data)["status"], brief(action["data"])))
	}
	if task, ok := object["task"].(data); ok {
		words = append(words, fmt.Sprintf("%s v%d", task["state"], task["version"]))
		if task["resumes"] != int64(0) {
			words = append(words, fmt.Sprintf("resumes %d", task["resumes"]))
		}
	}
	if promise, ok := object["promise"].(data); ok {
		words = append(words, promise["state"].(string))
		if at, ok := promise["settledAt"]; ok {
			words = append(words, fmt.Sprintf("at %d", at))
		}
	}
	if s, ok := object["schedule"].(data); ok {
		words = append(words, fmt.Sprintf("next %d", s["nextRunAt"]))
	}
	return strings.Join(words, " ")
}

func (m *model) is(got, wanted string) {
	m.t.Helper()
	if got != wanted {
		m.t.Errorf("expected %q, got %q\n%s", wanted, got, m.state)
	}
}

// step is a request with its answer, which must fit.
func (m *model) step(r Request, resp *Response) {
	m.t.Helper()
	states, err := m.state.Step(r, resp)
	if err != nil {
		m.t.Fatal(err)
	}
	if len(states) != 1 {
		m.t.Fatalf("%s leads to %d states", r.Name, len(states))
	}
	m.state = states[0]
}

func decode(t *testing.T, text string) any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

const group = "poll://any@g"

func targeted() data { return data{"resonate:target": group} }
func external() data { return data{"resonate:external": "true"} }
func timer() data    { return data{"resonate:timer": "true"} }

func (m *model) create(now int64, id string, timeoutAt int64, tags data) string {
	m.t.Helper()
	return m.rpc(now, "promise.create", data{"id": id, "timeoutAt": timeoutAt, "tags": tags})
}

func (m *model) get(now int64, id string) string {
	m.t.Helper()
	return m.rpc(now, "promise.get", data{"id": id})
}

func (m *model) settle(now int64, id, state string) string {
	m.t.Helper()
	return m.rpc(now, "promise.settle", data{"id": id, "state": state})
}

func (m *model) task(now int64, id string) string {
	m.t.Helper()
	return m.rpc(now, "task.get", data{"id": id})
}

func (m *model) take(now int64, id string, timeoutAt int64) string {
	m.t.Helper()
	return m.rpc(now, "task.create", data{"pid": "p", "ttl": 60_000, "action": inner("promise.create",
		data{"id": id, "timeoutAt": timeoutAt, "tags": targeted()})})
}

func inner(kind string, of data) data { return data{"kind": kind, "head": data{}, "data": of} }

func (m *model) suspend(now int64, id string, version int, awaited ...string) string {
	m.t.Helper()
	var actions []any
	for _, other := range awaited {
		actions = append(actions, inner("promise.register_callback", data{"awaited": other, "awaiter": id}))
	}
	return m.rpc(now, "task.suspend", data{"id": id, "version": version, "actions": actions})
}

func (m *model) tick(now int64) {
	m.t.Helper()
	m.is(m.rpc(now, "debug.tick", data{"time": now}), "200")
}

// executes are the tasks that an address gets, "none" if there is none.
func (m *model) executes(now int64) string {
	m.t.Helper()
	c := &call{Request: Request{"sql", "dequeue_execute", data{"address": group}, now}, before: m.state}
	outcomes, err := c.sqlDequeueExecute()
	if err != nil {
		m.t.Fatal(err)
	}
	var ids []string
	for id, p := range outcomes[len(outcomes)-1].state.promises {
		if before := m.state.promises[id]; before.task != nil && *before.task != *p.task {
			ids = append(ids, fmt.Sprintf("%s v%d", id, p.task.version))
		}
	}
	m.state = outcomes[len(outcomes)-1].state
	if len(ids) == 0 {
		return "none"
	}
	return strings.Join(ids, ", ")
}
