package oracle

import "sort"

// debug.snap shows everything as it is stored.

func (c *call) rpcDebugSnap() ([]outcome, error) {
	s := c.before
	if s.options.Partition != "" {
		return one(s, 200, check(func(any) string { return "" })), nil
	}
	promises, deadlines, callbacks, listeners := []any{}, []any{}, []any{}, []any{}
	tasks, clocks := []any{}, []any{}
	for _, id := range s.promiseIDs() {
		p := s.promises[id]
		promises = append(promises, p.storedRecord())
		if p.external && p.state == pending {
			deadlines = append(deadlines, map[string]any{"id": id, "timeout": p.timeoutAt})
		}
		for _, awaiter := range p.awaiters {
			callbacks = append(callbacks, map[string]any{"awaiter": awaiter, "awaited": id})
		}
		for _, l := range p.callbacks {
			if l.kind == "listener" {
				listeners = append(listeners, map[string]any{"id": id, "address": l.address})
			}
		}
		if p.task != nil {
			tasks = append(tasks, p.storedTaskRecord())
			clocks = append(clocks, p.task.clockRecords(id)...)
		}
	}
	return one(s, 200, map[string]any{
		"promises": promises, "promiseTimeouts": deadlines, "callbacks": callbacks, "listeners": listeners,
		"tasks": tasks, "taskTimeouts": clocks, "messages": check(c.checkSnappedMessages),
	}), nil
}

func (t *task) clockRecords(id string) []any {
	kind := 0
	switch t.state {
	case acquired:
		kind = 1
	case pending:
	default:
		return nil
	}
	return []any{map[string]any{"id": id, "type": kind, "timeout": within(t.clock, t.clockMax)}}
}

// within is an instant that is not exactly known.
func within(from, to int64) any {
	return check(func(seen any) string {
		at, ok := integer(seen)
		if !ok || at < from || at > to {
			return "expected " + show(from) + " to " + show(to) + ", got " + show(seen)
		}
		return ""
	})
}

// checkSnappedMessages checks the messages in any order; those that were handed
// out once and those that may be due need not be there.
func (c *call) checkSnappedMessages(seen any) string {
	var must, may []string
	for _, id := range c.before.promiseIDs() {
		p := c.before.promises[id]
		t := p.view(c.Now).task
		if t == nil || t.state != pending || t.clock > c.Now {
			continue
		}
		text := show(sentMessage(p.tags["resonate:target"], "execute", map[string]any{
			"task": map[string]any{"id": id, "version": t.version},
		}))
		if t.clockMax <= c.Now {
			must = append(must, text)
		}
		may = append(may, text)
	}
	for key, m := range c.before.messages {
		if key.kind != "listener" {
			continue
		}
		text := show(sentMessage(m.address, "unblock", map[string]any{
			"promise": c.before.promises[key.promise].record(c.Now),
		}))
		if m.attempt == 0 && m.due <= c.Now {
			must = append(must, text)
		}
		may = append(may, text)
	}
	list, _ := seen.([]any)
	got := make([]string, len(list))
	for i, item := range list {
		got[i] = show(item)
	}
	if missing := missingFrom(got, must); missing != "" {
		return "expected the message " + missing
	}
	if extra := missingFrom(may, got); extra != "" {
		return "did not expect the message " + extra
	}
	return ""
}

func sentMessage(address, kind string, data map[string]any) map[string]any {
	return map[string]any{
		"address": address, "message": map[string]any{"kind": kind, "head": map[string]any{}, "data": data},
	}
}

// missingFrom gives the first of the wanted ones that is not there.
func missingFrom(have, wanted []string) string {
	sort.Strings(have)
	for _, text := range wanted {
		at := sort.SearchStrings(have, text)
		if at == len(have) || have[at] != text {
			return text
		}
	}
	return ""
}
