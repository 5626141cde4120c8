package main

import "resonate/test/oracle"

// maker makes up the arguments of a request.
type maker func(d *driver) map[string]any

// kind is a sort of request.
type kind struct {
	surface string
	name    string
	make    maker
}

// draft makes up a request.  The instant is set when it is sent.
func (k kind) draft(d *driver) oracle.Request {
	return oracle.Request{Surface: k.surface, Name: k.name, Args: k.make(d)}
}

// action is a request in a request of the protocol.
func action(name string, data map[string]any) map[string]any {
	return map[string]any{
		"kind": name,
		"head": map[string]any{"corrId": "1", "version": "2026-04-01"},
		"data": data,
	}
}

func (d *driver) creation(wantsTarget bool) map[string]any {
	deadline := d.deadline()
	if wantsTarget && d.chance(600) && !d.scenario.isLazy {
		deadline = d.now + 400_000
	}
	args := map[string]any{"id": d.promiseID(), "timeoutAt": deadline, "tags": d.tags(wantsTarget)}
	if d.chance(900) {
		args["param"] = d.payload()
	}
	return args
}

func (d *driver) settlement(id string) map[string]any {
	args := map[string]any{"id": id, "state": d.settledState()}
	if d.chance(800) {
		args["value"] = d.payload()
	}
	return args
}

// awaited is a list of promises for a task to wait for, mostly such as lapse
// together.
func (d *driver) awaited(id string) []string {
	first := d.knownPromise(func(p *row) bool { return isOpen(p) && p.text("id") != id })
	deadline := int64(-1)
	if p := d.stored[promises].rows[first]; p != nil && d.chance(500) {
		deadline = p.number("timeout_at")
	}
	ids := []string{first}
	for n := d.below(3); n > 0; n-- {
		ids = append(ids, d.knownPromise(func(p *row) bool {
			return isOpen(p) && p.text("id") != id && (deadline < 0 || p.number("timeout_at") == deadline)
		}))
	}
	if d.chance(950) {
		ids = distinct(ids, id)
	}
	return ids
}

// distinct leaves out what comes twice, and one that is not wanted.
func distinct(ids []string, except string) []string {
	var result []string
	seen := map[string]bool{except: true}
	for _, id := range ids {
		if !seen[id] {
			result = append(result, id)
		}
		seen[id] = true
	}
	if len(result) == 0 {
		return ids
	}
	return result
}

func suspension(id string, version int64, awaited []string) map[string]any {
	actions := make([]any, len(awaited))
	for i, other := range awaited {
		actions[i] = action("promise.register_callback", map[string]any{"awaiter": id, "awaited": other})
	}
	return map[string]any{"id": id, "version": version, "actions": actions}
}

func (d *driver) fenced() map[string]any {
	if d.chance(500) {
		return action("promise.create", d.creation(d.chance(300)))
	}
	return action("promise.settle", d.settlement(d.pendingPromise()))
}

func (d *driver) search(states ...string) map[string]any {
	args := map[string]any{}
	if len(states) > 0 && d.chance(500) {
		args["state"] = pick(d.random, states...)
	}
	if d.chance(700) {
		args["limit"] = pick(d.random, 1, 2, 5, 20)
	}
	if d.chance(100) {
		args["cursor"] = d.promiseID()
	}
	return args
}

var promiseStates = []string{"pending", "resolved", "rejected", "rejected_canceled", "rejected_timedout"}
var taskStates = []string{"pending", "acquired", "suspended", "halted", "fulfilled"}

func (d *driver) scheduleTags() map[string]any {
	tags := d.tags(d.chance(500))
	delete(tags, "resonate:delay")
	return tags
}

func (d *driver) template() string {
	return draw(d.random, []weighted[string]{
		{8, "{{.id}}.{{.timestamp}}"}, {1, "{{.id}}"}, {1, "x{{.timestamp}}{{.id}}{{"}, {1, d.promiseID()},
	})
}

func with(id string) map[string]any { return map[string]any{"id": id} }

// rpcKinds are the requests of the wire protocol.
var rpcKinds = []weighted[kind]{
	{3, kind{"rpc", "promise.get", func(d *driver) map[string]any { return with(d.anyPromise()) }}},
	{10, kind{"rpc", "promise.create", func(d *driver) map[string]any { return d.creation(d.chance(300)) }}},
	{8, kind{"rpc", "promise.settle", func(d *driver) map[string]any { return d.settlement(d.pendingPromise()) }}},
	{4, kind{"rpc", "promise.register_callback", func(d *driver) map[string]any {
		return map[string]any{
			"awaited": d.openPromise(),
			"awaiter": d.knownTask(pick(d.random, "suspended", "acquired", "halted", "pending")),
		}
	}}},
	{6, kind{"rpc", "promise.register_listener", func(d *driver) map[string]any {
		address := pick(d.random, listeners...)
		if d.chance(40) {
			address = pick(d.random, "poll://g", "notify://done", "")
		}
		return map[string]any{"awaited": d.openPromise(), "address": address}
	}}},
	{1, kind{"rpc", "promise.search", func(d *driver) map[string]any {
		args := d.search(promiseStates...)
		if d.chance(300) {
			args["tags"] = map[string]any{"resonate:branch": pick(d.random, branches...)}
		}
		return args
	}}},
	{2, kind{"rpc", "task.get", func(d *driver) map[string]any { return with(d.knownTask(taskStates...)) }}},
	{8, kind{"rpc", "task.create", func(d *driver) map[string]any {
		create := d.creation(d.chance(970))
		if d.chance(300) {
			create["id"] = d.knownTask("pending")
		}
		return map[string]any{"pid": pick(d.random, pids...), "ttl": d.ttl(), "action": action("promise.create", create)}
	}}},
	{12, kind{"rpc", "task.acquire", func(d *driver) map[string]any {
		id := d.knownTask("pending")
		return map[string]any{"id": id, "version": d.versionOf(id), "pid": pick(d.random, pids...), "ttl": d.ttl()}
	}}},
	{4, kind{"rpc", "task.release", func(d *driver) map[string]any {
		id := d.knownTask("acquired")
		return map[string]any{"id": id, "version": d.versionOf(id)}
	}}},
	{12, kind{"rpc", "task.suspend", func(d *driver) map[string]any {
		id := d.knownTask("acquired")
		return suspension(id, d.versionOf(id), d.awaited(id))
	}}},
	{4, kind{"rpc", "task.fulfill", func(d *driver) map[string]any {
		id := d.knownTask("acquired")
		return map[string]any{"id": id, "version": d.versionOf(id), "action": action("promise.settle", d.settlement(id))}
	}}},
	{7, kind{"rpc", "task.fence", func(d *driver) map[string]any {
		id := d.knownTask("acquired")
		return map[string]any{"id": id, "version": d.versionOf(id), "action": d.fenced()}
	}}},
	{4, kind{"rpc", "task.heartbeat", func(d *driver) map[string]any {
		refs := []any{}
		pid := pick(d.random, pids...)
		for n := d.below(3); n > 0; n-- {
			id := d.knownTask("acquired")
			refs = append(refs, map[string]any{"id": id, "version": d.versionOf(id)})
			pid = d.pidOf(id)
		}
		return map[string]any{"pid": pid, "tasks": refs}
	}}},
	{4, kind{"rpc", "task.halt", func(d *driver) map[string]any {
		return with(d.knownTask(pick(d.random, "pending", "acquired", "suspended", "halted")))
	}}},
	{4, kind{"rpc", "task.continue", func(d *driver) map[string]any { return with(d.knownTask("halted")) }}},
	{1, kind{"rpc", "task.search", func(d *driver) map[string]any { return d.search(taskStates...) }}},
	{1, kind{"rpc", "schedule.get", func(d *driver) map[string]any { return with(pick(d.random, scheduleIDs...)) }}},
	{1, kind{"rpc", "schedule.create", func(d *driver) map[string]any {
		rule := pick(d.random, crons...).rule
		if d.chance(50) {
			rule = pick(d.random, "61 * * * *", "0 0 31 2 *", "* * * *")
		}
		return map[string]any{
			"id": pick(d.random, scheduleIDs...), "cron": rule, "promiseId": d.template(),
			"promiseTimeout": pick(d.random, 0, 1, 5_000, 70_000, 2*day), "promiseParam": d.payload(),
			"promiseTags": d.scheduleTags(),
		}
	}}},
	{1, kind{"rpc", "schedule.delete", func(d *driver) map[string]any { return with(pick(d.random, scheduleIDs...)) }}},
	{1, kind{"rpc", "schedule.search", func(d *driver) map[string]any {
		return d.search()
	}}},
}
