package main

// Arguments of the typed functions.

// put adds an argument in so many of a thousand cases.
func (d *driver) put(args map[string]any, perMille int, name string, value func() any) {
	if d.chance(perMille) {
		args[name] = value()
	}
}

// keyAndStrict adds what makes a call idempotent.
func (d *driver) keyAndStrict(args map[string]any) map[string]any {
	d.put(args, 700, "idempotency_key", func() any { return pick(d.random, keys...) })
	d.put(args, 300, "strict", func() any { return d.chance(700) })
	return args
}

func (d *driver) jsonAndHeaders(args map[string]any, name string) {
	d.put(args, 600, name, func() any { return pick(d.random, jsonPayloads...) })
	d.put(args, 200, "headers", func() any { return d.headers() })
}

// typedCreation is the arguments that all functions have that create a promise.
// Times are numbers of milliseconds.
func (d *driver) typedCreation(wantsTarget bool) map[string]any {
	args := map[string]any{"id": d.promiseID(), "tags": d.tags(wantsTarget)}
	deadline := d.deadline()
	if wantsTarget && !d.scenario.isLazy && d.chance(600) {
		deadline = d.now + 400_000
	}
	switch {
	case d.chance(400):
		args["timeout"] = deadline - d.now
	case d.chance(800):
		args["timeout_at"] = deadline
	case d.chance(100):
		args["timeout_at"] = "infinity"
	}
	d.jsonAndHeaders(args, "param")
	return d.keyAndStrict(args)
}

func (d *driver) typedSettlement() map[string]any {
	args := with(d.pendingPromise())
	d.jsonAndHeaders(args, "value")
	return d.keyAndStrict(args)
}

// batch is a list of items, which may name one promise twice.
func (d *driver) batch(item func() map[string]any) []any {
	items := []any{}
	for n := 1 + d.below(4); n > 0; n-- {
		items = append(items, item())
	}
	return items
}

func (d *driver) batchSettlement() map[string]any {
	args := d.typedSettlement()
	args["state"] = pick(d.random, "resolved", "rejected", "rejected_canceled")
	return args
}

func (d *driver) address() string {
	if d.chance(30) {
		return pick(d.random, "poll://uni@g", "mailto:x", "")
	}
	return pick(d.random, addresses...)
}

func settleKind(name string) kind {
	return kind{"sql", name, func(d *driver) map[string]any { return d.typedSettlement() }}
}

// sqlKinds are the calls of the typed functions.
var sqlKinds = []weighted[kind]{
	{10, kind{"sql", "create_promise", func(d *driver) map[string]any { return d.typedCreation(d.chance(300)) }}},
	{2, kind{"sql", "create_promises", func(d *driver) map[string]any {
		return map[string]any{"promises": d.batch(func() map[string]any { return d.typedCreation(d.chance(300)) })}
	}}},
	{3, kind{"sql", "create_promise_and_callback", func(d *driver) map[string]any {
		args := d.typedCreation(d.chance(300))
		args["callback_id"], args["address"] = pick(d.random, callbackIDs...), d.address()
		return args
	}}},
	{5, kind{"sql", "create_promise_and_task", func(d *driver) map[string]any {
		args := d.typedCreation(d.chance(970))
		if d.chance(300) {
			args["id"] = d.knownTask("pending")
		}
		args["pid"], args["ttl"] = pick(d.random, pids...), d.ttl()
		return args
	}}},
	{2, kind{"sql", "get_promise", func(d *driver) map[string]any { return with(d.anyPromise()) }}},
	{5, settleKind("resolve")},
	{2, settleKind("reject")},
	{2, settleKind("cancel")},
	{2, kind{"sql", "settle_promises", func(d *driver) map[string]any {
		return map[string]any{"settlements": d.batch(d.batchSettlement)}
	}}},
	{6, kind{"sql", "create_callback", func(d *driver) map[string]any {
		return map[string]any{
			"promise_id": d.openPromise(), "callback_id": pick(d.random, callbackIDs...), "address": d.address(),
		}
	}}},
	{2, kind{"sql", "search_promises", func(d *driver) map[string]any {
		args := d.search(promiseStates...)
		delete(args, "cursor")
		d.put(args, 500, "pattern", func() any { return pick(d.random, "*", "p*", "*1", "p_", `p\*`, `\p*`, `p\\*`) })
		return args
	}}},
	{1, kind{"sql", "get_task", func(d *driver) map[string]any { return with(d.knownTask(taskStates...)) }}},
	{6, kind{"sql", "acquire_task", func(d *driver) map[string]any {
		id := d.knownTask("pending")
		return map[string]any{"id": id, "version": d.versionOf(id), "pid": pick(d.random, pids...), "ttl": d.ttl()}
	}}},
	{2, kind{"sql", "release_task", func(d *driver) map[string]any {
		id := d.knownTask("acquired")
		return map[string]any{"id": id, "version": d.versionOf(id)}
	}}},
	{6, kind{"sql", "suspend_task", func(d *driver) map[string]any {
		id := d.knownTask("acquired")
		return map[string]any{"id": id, "version": d.versionOf(id), "awaited": d.awaited(id)}
	}}},
	{2, kind{"sql", "fulfill_task", func(d *driver) map[string]any {
		id := d.knownTask("acquired")
		args := map[string]any{"id": id, "version": d.versionOf(id)}
		d.put(args, 700, "state", func() any { return d.settledState() })
		d.jsonAndHeaders(args, "value")
		return args
	}}},
	{5, kind{"sql", "fence_task", func(d *driver) map[string]any {
		id := d.knownTask("acquired")
		args := map[string]any{"id": id, "version": d.versionOf(id), "action": "create"}
		if d.chance(500) {
			args["promise"] = d.typedCreation(d.chance(300))
		} else {
			args["action"], args["promise"] = "settle", d.batchSettlement()
		}
		return args
	}}},
	{2, kind{"sql", "heartbeat_tasks", func(d *driver) map[string]any {
		id := d.knownTask("acquired")
		args := map[string]any{"pid": d.pidOf(id)}
		if d.chance(700) {
			args["ids"], args["versions"] = []any{id}, []any{d.versionOf(id)}
		}
		return args
	}}},
	{2, kind{"sql", "halt_task", func(d *driver) map[string]any {
		return with(d.knownTask(pick(d.random, "pending", "acquired", "suspended")))
	}}},
	{2, kind{"sql", "continue_task", func(d *driver) map[string]any { return with(d.knownTask("halted")) }}},
	{1, kind{"sql", "search_tasks", func(d *driver) map[string]any { return d.search(taskStates...) }}},
	{1, kind{"sql", "create_schedule", func(d *driver) map[string]any {
		args := map[string]any{"id": pick(d.random, scheduleIDs...), "cron": pick(d.random, crons...).rule}
		d.put(args, 500, "promise_id", func() any { return d.template() })
		d.put(args, 700, "timeout", func() any { return pick(d.random, 0, 1, 5_000, 70_000, 2*day) })
		d.put(args, 700, "tags", func() any { return d.scheduleTags() })
		if periodOf(args["cron"].(string)) >= day {
			d.put(args, 500, "time_zone", func() any { return pick(d.random, "UTC", "Europe/Berlin", "Asia/Kathmandu") })
		}
		d.put(args, 700, "catch_up", func() any { return pick(d.random, "all", "last", "none") })
		d.jsonAndHeaders(args, "param")
		return args
	}}},
	{1, kind{"sql", "get_schedule", func(d *driver) map[string]any { return with(pick(d.random, scheduleIDs...)) }}},
	{1, kind{"sql", "delete_schedule", func(d *driver) map[string]any { return with(pick(d.random, scheduleIDs...)) }}},
	{1, kind{"sql", "search_schedules", func(d *driver) map[string]any { return d.search() }}},
}

// deliveryKinds are what those do who take messages.
var deliveryKinds = []weighted[kind]{
	{8, kind{"sql", "dequeue_execute", func(d *driver) map[string]any {
		return map[string]any{"address": pick(d.random, targets...), "limit": pick(d.random, 1, 3, 100)}
	}}},
	{5, kind{"sql", "dequeue_unblock", func(d *driver) map[string]any {
		return map[string]any{"address": pick(d.random, listeners...), "limit": pick(d.random, 1, 3, 100)}
	}}},
	{3, kind{"sql", "receive", func(d *driver) map[string]any {
		args := map[string]any{"address": pick(d.random, addresses...), "limit": pick(d.random, 1, 3, 100)}
		d.put(args, 300, "visibility", func() any { return pick(d.random, 0, 1, 60_000) })
		return args
	}}},
	{2, kind{"sql", "acknowledge", func(d *driver) map[string]any {
		args := map[string]any{"promise_id": d.anyPromise(), "callback_id": pick(d.random, callbackIDs...)}
		keys := d.stored[messages].keys
		if len(keys) > 0 && d.chance(800) {
			m := d.stored[messages].rows[pick(d.random, keys...)]
			args["promise_id"], args["callback_id"] = m.text("promise_id"), m.text("callback_id")
			args["kind"] = m.text("kind")
		}
		return args
	}}},
}

// sweepKinds are steps of background work.
var sweepKinds = []weighted[kind]{
	{4, kind{"sql", "process_timeouts", func(*driver) map[string]any { return map[string]any{} }}},
	{6, kind{"sql", "worker_step", func(d *driver) map[string]any {
		args := map[string]any{}
		d.put(args, 500, "limit", func() any { return 1 })
		return args
	}}},
	{1, kind{"rpc", "debug.tick", func(d *driver) map[string]any { return map[string]any{"time": d.now} }}},
	{1, kind{"sql", "prune", func(d *driver) map[string]any {
		return map[string]any{
			"settled_before": d.now - pick(d.random, int64(0), 20_000, 600_000), "limit": 10_000,
		}
	}}},
}

// hasHistory tells whether a step may find something to prune.
func (d *driver) hasHistory() bool {
	for _, id := range d.stored[promises].keys {
		if d.stored[promises].rows[id].number("created_at") < d.now-7*day {
			return true
		}
	}
	return false
}
