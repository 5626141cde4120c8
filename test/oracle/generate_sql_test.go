package oracle_test

// The arguments of typed functions.

func (l *live) key() any { return pick(l.random, []any{nil, nil, "k", "l", ""}) }

func (l *live) json() any {
	return pick(l.random, []any{nil, 1, "text", []any{1, "ä", nil}, object{"bb": 1.50, "a": object{"c": true}, "ccc": "<&>\n"}, true, false})
}

// typedCreate gives the arguments that all creates share; of an item of a batch,
// if it is one.
func (l *live) typedCreate(id any) object {
	args := object{"id": id}
	if l.chance(70) {
		args["timeout"] = pick(l.random, []any{
			0, 1, 1000, 5000, 60000, 600000, 600000, "1 hour", "2 hours", "1 day", "00:01:00", "1 microsecond", "-1 s",
		})
	} else if l.chance(50) {
		args["timeout_at"] = pick(l.random, []any{l.now - 500, l.now + 1000, l.now + 600000, "infinity"})
	}
	if l.chance(40) {
		args["param"] = l.json()
	}
	if l.chance(20) {
		args["headers"] = pick(l.random, []any{nil, object{}, object{"h": "2"}, object{"h": 2}})
	}
	if l.chance(60) || isTaskID(id) {
		args["tags"] = l.tags(isTaskID(id) != l.chance(5))
	}
	if l.chance(60) {
		args["idempotency_key"] = l.key()
	}
	if l.chance(40) {
		args["strict"] = l.chance(50)
	}
	return args
}

func (l *live) typedSettle(id any) object {
	args := object{"id": id}
	if l.chance(60) {
		args["value"] = l.json()
	}
	if l.chance(20) {
		args["headers"] = pick(l.random, []any{nil, object{}, object{"h": "2"}})
	}
	if l.chance(60) {
		args["idempotency_key"] = l.key()
	}
	if l.chance(40) {
		args["strict"] = l.chance(50)
	}
	return args
}

func with(args object, more object) object {
	for name, value := range more {
		args[name] = value
	}
	return args
}

func (l *live) textID() string { return pick(l.random, poolOfIDs) }

// sqlID is an id as an argument of SQL, which has a type.
func (l *live) sqlID() any {
	if l.chance(1) {
		return pick(l.random, []any{nil, ""})
	}
	return l.textID()
}

func (l *live) sqlLiving() any {
	if id, ok := l.living().(string); ok {
		return id
	}
	return l.sqlID()
}

func (l *live) sqlTaskID() any {
	if l.chance(7) {
		return l.sqlID()
	}
	return pick(l.random, poolOfTasks)
}

func (l *live) sqlTaskIn(state string) any {
	if id, ok := l.taskIn(state).(string); ok {
		return id
	}
	return l.sqlTaskID()
}

func (l *live) sqlVersion(id any) any {
	for {
		switch version := l.version(id).(type) {
		case int:
			return version
		case int64:
			if version < 1<<31 {
				return version
			}
		}
	}
}

func (l *live) sqlTTL() any {
	return pick(l.random, []any{0, nil, 1, 1000, "5 s", 60000, "1 min", 60000})
}

func (l *live) item(args object) object {
	if l.chance(1) {
		args["unknown"] = 1
	}
	return args
}

func (l *live) typedMakers() []maker {
	return append(append(l.typedPromiseMakers(), l.typedTaskMakers()...), l.typedOtherMakers()...)
}

func (l *live) typedPromiseMakers() []maker {
	settle := func() object { return l.typedSettle(l.sqlID()) }
	return []maker{
		{12, "create_promise", func() object { return l.typedCreate(l.sqlID()) }},
		{4, "create_promises", func() object {
			items := []any{}
			for n := l.random.Intn(5); n > 0; n-- {
				items = append(items, l.item(l.typedCreate(l.textID())))
			}
			return object{"promises": items}
		}},
		{4, "create_promise_and_callback", func() object { return with(l.typedCreate(l.sqlID()), l.typedCallback()) }},
		{7, "create_promise_and_task", func() object {
			return with(l.typedCreate(l.sqlTaskID()),
				object{"pid": pick(l.random, pids), "ttl": l.sqlTTL(), "tags": l.tags(!l.chance(3))})
		}},
		{4, "get_promise", func() object { return object{"id": l.sqlID()} }},
		{1, "await_promise", func() object { return object{"id": l.textID(), "timeout": 0} }},
		{4, "resolve", settle}, {3, "reject", settle}, {2, "cancel", settle},
		{3, "settle_promises", func() object {
			items := []any{}
			for n := l.random.Intn(5); n > 0; n-- {
				items = append(items, l.item(with(l.typedSettle(l.textID()), object{"state": pick(l.random, states)})))
			}
			return object{"settlements": items}
		}},
		{7, "create_callback", func() object { return with(object{"promise_id": l.sqlLiving()}, l.typedCallback()) }},
		{3, "search_promises", l.typedSearch},
		{4, "receive", func() object {
			return object{"address": pick(l.random, addresses), "limit": pick(l.random, []any{nil, 1, 100}),
				"visibility": pick(l.random, []any{nil, 1000})}
		}},
		{3, "acknowledge", func() object {
			if l.chance(50) {
				return object{"promise_id": l.textID(), "callback_id": pick(l.random, addresses), "kind": "listener"}
			}
			return object{"promise_id": l.textID(), "callback_id": pick(l.random, []string{"c1", "c2"})}
		}},
	}
}

func (l *live) typedTaskMakers() []maker {
	versioned := func(state string) func() object {
		return func() object {
			id := l.sqlTaskIn(state)
			return object{"id": id, "version": l.sqlVersion(id)}
		}
	}
	byTask := func() object { return object{"id": l.sqlTaskID()} }
	return []maker{
		{3, "get_task", byTask},
		{6, "acquire_task", func() object {
			return with(versioned("pending")(), object{"pid": pick(l.random, pids), "ttl": l.sqlTTL()})
		}},
		{3, "release_task", versioned("acquired")},
		{6, "suspend_task", func() object { return with(versioned("acquired")(), object{"awaited": l.sqlAwaited()}) }},
		{2, "fulfill_task", func() object {
			args := with(l.typedSettle(nil), versioned("acquired")())
			delete(args, "idempotency_key")
			delete(args, "strict")
			args["state"] = pick(l.random, []any{nil, "resolved", "rejected", "rejected_canceled", "pending"})
			return args
		}},
		{5, "fence_task", l.typedFence},
		{3, "heartbeat_tasks", l.typedHeartbeat},
		{2, "halt_task", byTask}, {2, "continue_task", byTask},
		{1, "search_tasks", func() object {
			return object{"state": pick(l.random, []any{nil, "pending", "fulfilled", "x"}), "limit": pick(l.random, []any{nil, 2})}
		}},
	}
}

func (l *live) typedOtherMakers() []maker {
	return []maker{
		{2, "create_schedule", func() object {
			return object{"id": pick(l.random, []string{"s1", "s2"}), "cron": pick(l.random, []string{"* * * * *", "*/2 * * * *", "@hourly", "y"}),
				"catch_up": pick(l.random, []any{nil, "all", "last", "none"}), "timeout": pick(l.random, []any{nil, 0, 90000}),
				"param": l.json(), "tags": l.tags(l.chance(50))}
		}},
		{1, "get_schedule", func() object { return object{"id": pick(l.random, []string{"s1", "s2"})} }},
		{1, "delete_schedule", func() object { return object{"id": pick(l.random, []string{"s1", "s2"})} }},
		{1, "search_schedules", func() object { return object{} }},
		{3, "process_timeouts", func() object { return object{} }},
		{5, "dequeue_execute", func() object {
			return object{"address": pick(l.random, targets), "limit": pick(l.random, []any{1, 2, 100})}
		}},
		{4, "dequeue_unblock", func() object {
			return object{"address": pick(l.random, addresses), "limit": pick(l.random, []any{1, 2, 100})}
		}},
		{1, "prune", func() object {
			return object{"settled_before": pick(l.random, []any{l.now, l.now - 60000})}
		}},
		{1, "outbox_channel", func() object { return object{"address": pick(l.random, addresses)} }},
	}
}

func (l *live) sqlAwaited() any {
	ids := []any{}
	for n := 1 + l.random.Intn(2) - l.random.Intn(40)/39; n > 0; n-- {
		id, _ := l.living().(string)
		ids = append(ids, id)
	}
	return ids
}

func (l *live) typedCallback() object {
	return object{"callback_id": pick(l.random, []string{"c1", "c2"}), "address": pick(l.random, addresses)}
}

func (l *live) typedSearch() object {
	args := object{
		"state": pick(l.random, []any{nil, "pending", "RESOLVED", "rejected", "rejected_canceled", "Rejected_Timedout", "x"}), "limit": pick(l.random, []any{nil, 1, 3, 101}),
	}
	if l.chance(50) {
		args["pattern"] = pick(l.random, []any{"*", "p.*", "*.1", "a*", "ä", "t*1", `t\*1`, `*\\*`, `\*`})
	}
	if l.chance(30) {
		args["tags"] = object{"x": "1"}
	}
	return args
}

func (l *live) typedFence() object {
	id := l.sqlTaskIn("acquired")
	args := object{"id": id, "version": l.sqlVersion(id), "action": "create", "promise": l.item(l.typedCreate(l.textID()))}
	if l.chance(50) {
		args["action"] = "settle"
		args["promise"] = with(l.typedSettle(l.textID()), object{"state": pick(l.random, states)})
	}
	return args
}

func (l *live) typedHeartbeat() object {
	args := object{"pid": pick(l.random, pids)}
	if l.chance(50) {
		ids, versions := []any{}, []any{}
		for n := l.random.Intn(3); n > 0; n-- {
			id := l.sqlTaskIn("acquired")
			ids, versions = append(ids, id), append(versions, l.sqlVersion(id))
		}
		args["ids"], args["versions"] = ids, versions
	}
	return args
}
