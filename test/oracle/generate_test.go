package oracle_test

import (
	"encoding/base64"
	"fmt"
	"math/rand"
	"sort"
	"strings"

	"resonate/test/oracle"
)

func base64Of(text string) string {
	return base64.StdEncoding.EncodeToString([]byte(text))
}

func pick[T any](r *rand.Rand, choices []T) T { return choices[r.Intn(len(choices))] }

func sortByName(lines []string) {
	sort.Slice(lines, func(i, j int) bool { return lines[i][6:] < lines[j][6:] })
}

func (l *live) chance(percent int) bool { return l.random.Intn(100) < percent }

type object = map[string]any

var (
	poolOfIDs = []string{
		"a", "a.b", "B", "ä", "o:1", "p.1", "p.2", "p.3", "p.4", "p.5", "t.1", "t.2", "t.3", "t 4", "t.5", "t.6", "t.7", "t.8",
	}
	poolOfTasks = poolOfIDs[10:]
	targets     = []string{"poll://any@g", "poll://uni@g/w", "w1", "poll://any@g/w"}
	addresses   = []string{"poll://any@g", "poll://uni@g/w", "http://h/p", "sqs://q", "notify://channel"}
	badTexts    = []any{nil, "", 1, true, []any{}}
	pids        = []string{"w", "v"}
	wireData    = []any{"MQ==", "eyJhIjogWzEsIDJdfQ==", "not base64", "", "abcd", "MQ",
		base64Of(`"a\u0000b"`), base64Of(`["\ud800"]`), base64Of(`1e400000`), base64Of(`"\u00e9\ud83d\ude00"`),
		base64Of(strings.Repeat("[", 3000) + strings.Repeat("]", 3000))}
	states = []string{"resolved", "rejected", "rejected_canceled"}
)

func (l *live) id() any {
	if l.chance(1) {
		return pick(l.random, badTexts)
	}
	return pick(l.random, poolOfIDs)
}

func (l *live) taskID() any {
	if l.chance(7) {
		return l.id()
	}
	return pick(l.random, poolOfTasks)
}

// taskIn is mostly a task that is in that state.
func (l *live) taskIn(state string) any {
	if l.chance(85) {
		rows := l.query("SELECT id FROM resonate.tasks WHERE state = '" + state + "' ORDER BY id")[0].Rows
		if len(rows) > 0 {
			return pick(l.random, rows)[0]
		}
	}
	return l.taskID()
}

func (l *live) pendingTask() any  { return l.taskIn("pending") }
func (l *live) acquiredTask() any { return l.taskIn("acquired") }

// living is mostly a promise that is pending and external.
func (l *live) living() any {
	if l.chance(75) {
		rows := l.query(fmt.Sprintf(`SELECT id FROM resonate.promises WHERE state = 'pending' AND external
			AND timeout_at > %d ORDER BY id`, l.now))[0].Rows
		if len(rows) > 0 {
			return pick(l.random, rows)[0]
		}
	}
	return l.id()
}

func (l *live) state() any {
	if l.chance(4) {
		return pick(l.random, []any{"pending", "rejected_timedout", "done", nil, 7})
	}
	return pick(l.random, states)
}

func (l *live) deadline() any {
	if l.chance(1) {
		return pick(l.random, []any{-1, "1", nil, 1.5})
	}
	return l.now + pick(l.random, []int64{-1000, 0, 1, 20, 1000, 5000, 60000, 600000, 600000, 6000000, 6000000, 6000000})
}

func (l *live) wirePayload() any {
	if l.chance(1) {
		return pick(l.random, []any{nil, "x", object{"data": 1}, object{"headers": object{"a": 1}}, object{"headers": nil}})
	}
	p := object{}
	if l.chance(60) {
		p["data"] = pick(l.random, wireData)
	}
	if l.chance(30) {
		p["headers"] = pick(l.random, []any{object{}, object{"h": "1"}})
	}
	if l.chance(3) {
		p["data"] = nil
	}
	return p
}

func (l *live) tags(hasTarget bool) object {
	tags := object{}
	if l.chance(35) {
		tags["resonate:branch"] = pick(l.random, []string{"b0", "b1"})
	}
	if l.chance(30) {
		tags["resonate:external"] = pick(l.random, []string{"true", "true", "false"})
	}
	if l.chance(20) {
		tags["resonate:scope"] = pick(l.random, []string{"global", "local"})
	}
	if l.chance(15) {
		tags["x"] = pick(l.random, []string{"1", "2"})
	}
	if l.strict && l.chance(85) {
		tags["resonate:origin"] = "o"
	} else if l.chance(15) {
		tags["resonate:origin"] = pick(l.random, poolOfIDs)
	}
	if l.chance(1) {
		tags["resonate:combinator"] = "race"
	}
	if l.chance(15) && (!hasTarget || l.chance(20)) {
		tags["resonate:timer"] = pick(l.random, []string{"true", "true", "false"})
	}
	if hasTarget {
		tags["resonate:target"] = pick(l.random, targets)
	}
	if l.chance(10) {
		tags["resonate:delay"] = fmt.Sprint(l.now + pick(l.random, []int64{-5, 0, 20, 1000}))
	}
	if l.chance(1) {
		tags[pick(l.random, []string{"resonate:target", "resonate:delay", "x"})] = pick(l.random, []any{"", "soon", 1})
	}
	return tags
}

func isTaskID(id any) bool {
	for _, task := range poolOfTasks {
		if id == task {
			return true
		}
	}
	return false
}

func (l *live) wireCreate() object {
	id := l.id()
	data := object{"id": id, "timeoutAt": l.deadline(), "tags": l.tags(isTaskID(id) != l.chance(5))}
	if l.chance(70) {
		data["param"] = l.wirePayload()
	}
	return data
}

func (l *live) wireTaskCreate() object {
	data := l.wireCreate()
	data["id"] = l.taskID()
	if l.chance(95) {
		data["tags"] = l.tags(true)
	}
	return data
}

func (l *live) wireSettle(id any) object {
	data := object{"id": id, "state": l.state()}
	if l.chance(70) {
		data["value"] = l.wirePayload()
	}
	return data
}

// version is mostly the one that a task has.
func (l *live) version(id any) any {
	if l.chance(1) {
		return pick(l.random, []any{-1, nil, "1", 1.5, int64(1) << 31})
	}
	version := l.random.Int63n(3)
	if text, ok := id.(string); ok && l.chance(92) {
		results := l.query("SELECT version FROM resonate.tasks WHERE id = '" + text + "'")
		if len(results) > 0 && len(results[0].Rows) > 0 {
			version, _ = results[0].Rows[0][0].(int64)
		}
	}
	return version
}

func (l *live) ttl() any {
	if l.chance(1) {
		return pick(l.random, []any{0, -1, nil})
	}
	return pick(l.random, []int64{1, 1000, 5000, 60000, 60000})
}

func action(kind string, data object) object {
	return object{"kind": kind, "head": object{}, "data": data}
}

func (l *live) awaited() []any {
	var ids []any
	for n := 1 + l.random.Intn(3); n > 0; n-- {
		ids = append(ids, l.living())
	}
	return ids
}

func (l *live) request() oracle.Request {
	surface, makers := "rpc", l.wireMakers()
	if l.chance(50) {
		surface, makers = "sql", l.typedMakers()
	}
	sum := 0
	for _, m := range makers {
		sum += m.weight
	}
	n := l.random.Intn(sum)
	for _, m := range makers {
		if n -= m.weight; n < 0 {
			return oracle.Request{Surface: surface, Name: m.name, Args: m.args(), Now: l.now}
		}
	}
	panic("no request")
}

type maker struct {
	weight int
	name   string
	args   func() object
}

func (l *live) wireMakers() []maker {
	byID := func(id func() any) func() object {
		return func() object { return object{"id": id()} }
	}
	return []maker{
		{4, "promise.get", byID(l.id)},
		{12, "promise.create", l.wireCreate},
		{8, "promise.settle", func() object { return l.wireSettle(l.id()) }},
		{7, "promise.register_callback", func() object { return object{"awaited": l.living(), "awaiter": l.taskID()} }},
		{6, "promise.register_listener", func() object {
			return object{"awaited": l.living(), "address": pick(l.random, []any{"poll://any@g", "poll://uni@g/w", "http://h", "poll://g", ""})}
		}},
		{2, "promise.search", l.wireSearch},
		{4, "task.get", byID(l.taskID)},
		{8, "task.create", func() object {
			return object{"pid": pick(l.random, pids), "ttl": l.ttl(), "action": action("promise.create", l.wireTaskCreate())}
		}},
		{8, "task.acquire", func() object {
			id := l.pendingTask()
			return object{"id": id, "version": l.version(id), "pid": pick(l.random, pids), "ttl": l.ttl()}
		}},
		{5, "task.release", func() object {
			id := l.acquiredTask()
			return object{"id": id, "version": l.version(id)}
		}},
		{10, "task.suspend", l.wireSuspend},
		{3, "task.fulfill", func() object {
			id := l.acquiredTask()
			inner := id
			if l.chance(2) {
				inner = l.id()
			}
			return object{"id": id, "version": l.version(id), "action": action("promise.settle", l.wireSettle(inner))}
		}},
		{8, "task.fence", l.wireFence},
		{4, "task.heartbeat", l.wireHeartbeat},
		{3, "task.halt", byID(l.taskID)},
		{4, "task.continue", byID(func() any { return l.taskIn("halted") })},
		{2, "task.search", func() object {
			return object{"state": pick(l.random, []any{nil, "pending", "acquired", "suspended", "halted", "fulfilled", "x"}),
				"limit": pick(l.random, []any{nil, 1, 3, 0})}
		}},
		{2, "schedule.create", func() object {
			return object{"id": pick(l.random, []string{"s1", "s2"}), "cron": pick(l.random, []string{"* * * * *", "*/2 * * * *", "*/30 * * * * *", "x"}),
				"promiseId":      pick(l.random, []string{"{{.id}}.{{.timestamp}}", "a", "s.{{.timestamp}}"}),
				"promiseTimeout": pick(l.random, []int64{0, 1000, 90000}), "promiseTags": l.tags(l.chance(50)), "promiseParam": l.wirePayload()}
		}},
		{1, "schedule.get", func() object { return object{"id": pick(l.random, []string{"s1", "s2"})} }},
		{1, "schedule.delete", func() object { return object{"id": pick(l.random, []string{"s1", "s2"})} }},
		{1, "schedule.search", func() object { return object{"limit": pick(l.random, []any{nil, 1, 2})} }},
		{2, "debug.tick", func() object { return object{"time": l.now} }},
		{2, "debug.snap", func() object { return object{} }},
	}
}

func (l *live) wireSearch() object {
	data := object{
		"state": pick(l.random, []any{nil, "pending", "resolved", "rejected", "rejected_timedout", "x"}),
		"limit": pick(l.random, []any{nil, 1, 3, 1001}), "cursor": pick(l.random, []any{nil, "a", "p", ""}),
	}
	if l.chance(30) {
		data["tags"] = object{"x": "1"}
	}
	return data
}

func (l *live) wireSuspend() object {
	id := l.acquiredTask()
	actions := []any{}
	for _, awaited := range l.awaited() {
		actions = append(actions, action("promise.register_callback", object{"awaited": awaited, "awaiter": id}))
	}
	return object{"id": id, "version": l.version(id), "actions": actions}
}

func (l *live) wireFence() object {
	id := l.acquiredTask()
	inner := action("promise.create", l.wireCreate())
	if l.chance(50) {
		inner = action("promise.settle", l.wireSettle(l.id()))
	}
	return object{"id": id, "version": l.version(id), "action": inner}
}

func (l *live) wireHeartbeat() object {
	refs := []any{}
	for n := l.random.Intn(3); n > 0; n-- {
		id := l.acquiredTask()
		refs = append(refs, object{"id": id, "version": l.version(id)})
	}
	return object{"pid": pick(l.random, pids), "tasks": refs}
}
