package oracle

import (
	"fmt"
	"testing"
)

// The scenarios of the wire protocol by their numbers, as far as a model can have
// them wrong.

func TestScenarios(t *testing.T) {
	for _, scenario := range scenarios {
		t.Run(scenario.name, func(t *testing.T) { scenario.run(newModel(t, Options{})) })
	}
}

var scenarios = []struct {
	name string
	run  func(m *model)
}{
	{"AT-01 stranded listener", func(m *model) {
		listen := data{"awaited": "i", "address": "poll://uni@g/p"}
		m.is(m.create(100, "i", 1000, data{}), "200 pending")
		m.is(m.rpc(200, "promise.register_listener", listen), "422")
		m.is(m.create(100, "e", 1000, external()), "200 pending")
		listen["awaited"] = "e"
		m.is(m.rpc(200, "promise.register_listener", listen), "200 pending")
		m.tick(5000)
		key := messageKey{"e", "listener", "poll://uni@g/p"}
		if len(m.state.messages) != 1 || m.state.messages[key] == nil {
			m.t.Errorf("no message in\n%s", m.state)
		}
	}},
	{"AT-02 lease on a dead promise", func(m *model) {
		m.create(100, "d", 1000, targeted())
		m.is(m.take(2000, "d", 9000), "200 fulfilled v0 rejected_timedout at 1000")
	}},
	{"AT-03 and AT-04 halt and continue the dead", func(m *model) {
		m.create(100, "d", 1000, targeted())
		m.create(100, "e", 1000, targeted())
		m.is(m.rpc(200, "task.halt", data{"id": "d"}), "200")
		m.is(m.rpc(2000, "task.continue", data{"id": "d"}), "409")
		m.is(m.rpc(2000, "task.halt", data{"id": "e"}), "409")
	}},
	{"AT-05 empty target", func(m *model) {
		m.is(m.create(100, "d", 1000, data{"resonate:target": ""}), "400")
	}},
	{"AT-06 redispatch of the dead", func(m *model) {
		m.create(100, "d", 1000, targeted())
		m.is(m.executes(60_000), "none")
	}},
	{"AT-07 resume gap", func(m *model) {
		m.create(100, "x", 900_000, external())
		m.take(100, "aw", 1000)
		m.is(m.suspend(100, "aw", 1, "x"), "200")
		m.is(m.settle(2000, "x", resolved), "200 resolved at 2000")
		m.is(m.executes(2000), "none")
		m.is(m.task(2000, "aw"), "200 fulfilled v1")
	}},
	{"AT-08 timer and target", func(m *model) {
		both := data{"resonate:timer": "true", "resonate:target": "w"}
		m.is(m.create(100, "d", 1000, both), "200 pending")
		m.is(m.task(100, "d"), "404")
		m.is(m.get(1000, "d"), "200 resolved at 1000")
		strict := newModel(m.t, Options{Strict: true})
		strict.is(strict.create(100, "t:d", 1000, both), "400")
		strict.take(100, "t", 9000)
		strict.is(strict.rpc(100, "task.fence", data{"id": "t", "version": 1, "action": inner("promise.create",
			data{"id": "t:d", "timeoutAt": 1000, "tags": both})}), "200 {400 }")
		strict.is(strict.rpc(100, "task.fence", data{"id": "t", "version": 2, "action": inner("promise.create",
			data{"id": "t:d", "timeoutAt": 1000, "tags": both})}), "409")
	}},
	{"AT-09 expired occurrence dispatched", func(m *model) {
		m.is(m.rpc(1000, "schedule.create", data{"id": "s", "cron": "* * * * *", "promiseId": "{{.id}}.{{.timestamp}}",
			"promiseTimeout": 1000, "promiseTags": targeted()}), "200 next 60000")
		m.tick(200_000)
		for _, at := range []int64{60_000, 120_000, 180_000} {
			id := fmt.Sprintf("s.%d", at)
			m.is(m.get(200_000, id), fmt.Sprintf("200 rejected_timedout at %d", at+1000))
			m.is(m.task(200_000, id), "200 fulfilled v0")
			if m.state.promises[id].createdAt != at {
				m.t.Errorf("%s was created at %d", id, m.state.promises[id].createdAt)
			}
		}
		m.is(m.executes(200_000), "none")
		m.is(m.rpc(200_000, "schedule.get", data{"id": "s"}), "200 next 240000")
	}},
	{"AT-16 fence with another kind", func(m *model) {
		m.take(100, "t", 9000)
		m.is(m.rpc(100, "task.fence", data{"id": "t", "version": 1, "action": inner("weird",
			data{"id": "zz", "state": resolved})}), "400")
	}},
	{"AT-20 timers fire", func(m *model) {
		m.create(1, "s", 1000, timer())
		m.take(1, "t", 900_000)
		m.is(m.suspend(1, "t", 1, "s"), "200")
		m.tick(999)
		m.is(m.task(999, "t"), "200 suspended v1")
		m.tick(1000)
		m.is(m.task(1000, "t"), "200 pending v1 resumes 1")
		m.is(m.executes(1000), "t v1")
		m.is(m.get(1000, "s"), "200 resolved at 1000")
	}},
	{"AT-21 delay", func(m *model) {
		m.create(1, "t", 900_000, data{"resonate:target": group, "resonate:delay": "500000"})
		m.is(m.executes(499_999), "none")
		m.is(m.executes(500_000), "t v0")
		m.is(m.executes(504_999), "none")
		m.is(m.executes(505_000), "t v0")
	}},
	{"AT-24 heartbeat on a dead promise", func(m *model) {
		m.take(100, "t", 1000)
		before := m.state.Key()
		m.is(m.rpc(1000, "task.heartbeat", data{"pid": "p", "tasks": []any{data{"id": "t", "version": 1}}}), "200")
		if m.state.Key() != before {
			m.t.Errorf("changed to\n%s", m.state)
		}
	}},
	{"AT-27 no wake without consumption", func(m *model) {
		m.create(100, "s", 9000, external())
		m.settle(200, "s", resolved)
		m.take(300, "w", 9000)
		m.is(m.rpc(300, "promise.register_callback", data{"awaited": "s", "awaiter": "w"}), "200 resolved at 200")
		m.is(m.task(300, "w"), "200 acquired v1")
	}},
	{"AT-30 duplicate awaited", func(m *model) {
		m.create(100, "a", 9000, external())
		m.take(100, "t", 9000)
		m.is(m.suspend(100, "t", 1, "a", "a"), "400")
		m.is(m.suspend(100, "t", 1, "t"), "400")
		m.is(m.suspend(100, "t", 1), "400")
	}},
	{"AT-31 bad settlement in a fence", func(m *model) {
		m.take(100, "t", 9000)
		bad := inner("promise.settle", data{"id": "x", "state": pending})
		m.is(m.rpc(100, "task.fence", data{"id": "t", "version": 2, "action": bad}), "409")
		m.is(m.rpc(100, "task.fence", data{"id": "t", "version": 1, "action": bad}), "200 {400 }")
	}},
	{"AT-40 latent promises", func(m *model) {
		latent := data{"resonate:scope": "global"}
		listen := data{"awaited": "l", "address": group}
		m.create(100, "l", 9000, latent)
		m.is(m.rpc(100, "promise.register_listener", listen), "200 pending")
	}},
	{"AT-41 empty heartbeats", func(m *model) {
		empty := data{"pid": "p", "tasks": []any{}}
		m.take(100, "t", 900_000)
		m.rpc(50_000, "task.heartbeat", empty)
		m.tick(60_100)
		m.is(m.task(60_100, "t"), "200 acquired v1")
		strict := newModel(m.t, Options{Strict: true})
		strict.take(100, "t", 900_000)
		strict.rpc(50_000, "task.heartbeat", empty)
		strict.tick(60_100)
		strict.is(strict.task(60_100, "t"), "200 pending v1")
	}},
	{"origins", origins},
	{"AT-44 happy path", happyPath},
	{"suspension of two", suspensionOfTwo},
	{"setbacks", setbacks},
}

// origins: in the profile strict a task awaits and fences its own call graph only.
func origins(m *model) {
	strict := newModel(m.t, Options{Strict: true})
	for _, at := range []*model{m, strict} {
		at.take(100, "t", 900_000)
		at.create(100, "t:1", 9000, external())
		at.create(100, "x", 9000, data{"resonate:external": "true", "resonate:origin": "t"})
		at.create(100, "t:2", 9000, data{"resonate:external": "true", "resonate:origin": "other"})
		at.is(at.rpc(100, "promise.register_callback", data{"awaited": "t:1", "awaiter": "t"}), "200 pending")
		at.is(at.rpc(100, "promise.register_callback", data{"awaited": "x", "awaiter": "t"}), "200 pending")
	}
	m.is(m.rpc(100, "promise.register_callback", data{"awaited": "t:2", "awaiter": "t"}), "200 pending")
	strict.is(strict.rpc(100, "promise.register_callback", data{"awaited": "t:2", "awaiter": "t"}), "400")
	strict.is(strict.rpc(100, "promise.register_callback", data{"awaited": "none", "awaiter": "t"}), "400")
	strict.is(strict.suspend(100, "t", 9, "t:2"), "400")
	strict.is(strict.rpc(100, "task.fence", data{"id": "t", "version": 9, "action": inner("promise.create",
		data{"id": "t:3", "timeoutAt": 1000, "tags": data{"resonate:origin": "other"}})}), "400")
	strict.is(strict.suspend(100, "t", 1, "t:1", "x"), "200")
}

func happyPath(m *model) {
	m.is(m.take(100, "r", 900_000), "200 acquired v1 pending")
	m.is(m.rpc(100, "promise.register_listener", data{"awaited": "r", "address": "poll://uni@g/p"}), "200 pending")
	m.is(m.rpc(110, "task.fence", data{"id": "r", "version": 1, "action": inner("promise.create",
		data{"id": "r.0", "timeoutAt": 800_000, "tags": targeted()})}), "200 {200 pending}")
	m.is(m.suspend(120, "r", 1, "r.0"), "200")
	m.is(m.executes(120), "r.0 v0")
	acquire := data{"id": "r.0", "version": 0, "pid": "q", "ttl": 1000}
	m.is(m.rpc(130, "task.acquire", acquire), "200 acquired v1 pending")
	m.is(m.rpc(130, "task.acquire", acquire), "409")
	m.is(m.rpc(140, "task.fulfill", data{"id": "r.0", "version": 1, "action": inner("promise.settle",
		data{"id": "r.0", "state": resolved})}), "200 resolved at 140")
	m.is(m.executes(140), "r v1")
	m.is(m.rpc(150, "task.acquire", data{"id": "r", "version": 1, "pid": "p", "ttl": 1000}), "200 acquired v2 pending")
	m.is(m.rpc(160, "task.fulfill", data{"id": "r", "version": 2, "action": inner("promise.settle",
		data{"id": "r", "state": rejected})}), "200 rejected at 160")
	if m.state.messages[messageKey{"r", "listener", "poll://uni@g/p"}] == nil {
		m.t.Errorf("the listener is not told")
	}
}

func suspensionOfTwo(m *model) {
	for _, id := range []string{"a", "b", "c", "done"} {
		m.create(100, id, 9000, external())
	}
	m.create(100, "internal", 9000, data{})
	m.settle(100, "done", resolved)
	m.take(100, "t", 900_000)
	m.is(m.suspend(200, "t", 1, "a", "nobody"), "422")
	m.is(m.suspend(200, "t", 1, "done", "internal"), "422")
	m.is(m.suspend(200, "t", 2, "nobody"), "409")
	m.is(m.suspend(200, "t", 1, "a", "done"), "300")
	m.is(m.task(200, "t"), "200 acquired v1")
	m.is(m.suspend(200, "t", 1, "b", "a"), "200")
	m.settle(300, "b", rejected)
	m.is(m.task(300, "t"), "200 pending v1 resumes 1")
	m.settle(300, "a", resolved)
	m.is(m.task(300, "t"), "200 pending v1 resumes 2")
	m.is(m.rpc(300, "task.acquire", data{"id": "t", "version": 1, "pid": "p", "ttl": 1}), "200 acquired v2 pending")
	m.is(m.suspend(300, "t", 2, "c"), "200")
	m.is(m.rpc(300, "task.halt", data{"id": "t"}), "200")
	m.settle(400, "c", canceled)
	m.is(m.task(400, "t"), "200 halted v2 resumes 1")
	m.is(m.rpc(400, "task.continue", data{"id": "t"}), "200")
	m.is(m.executes(400), "t v2")
}

// setbacks: at once, then after the retry timeout, then about twice that.
func setbacks(m *model) {
	m.create(0, "t", 900_000, targeted())
	for i, wanted := range [][2]int64{{0, 0}, {5000, 5000}, {8000, 10_000}, {16_000, 20_000}} {
		acquire := data{"id": "t", "version": i, "pid": "p", "ttl": 1000}
		m.is(m.rpc(1000, "task.acquire", acquire), fmt.Sprintf("200 acquired v%d pending", i+1))
		m.is(m.rpc(1000, "task.release", data{"id": "t", "version": i + 1}), "200")
		if task := m.state.promises["t"].task; task.clock != 1000+wanted[0] || task.clockMax != 1000+wanted[1] {
			m.t.Errorf("setback %d: offered again from %d to %d", i+1, task.clock, task.clockMax)
		}
	}
}
