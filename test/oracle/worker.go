package oracle

import (
	"fmt"
	"sort"
)

// worker_step: one step of what the background worker does, the first of them that
// finds work.

func init() { sqlHandlers["worker_step"] = (*call).sqlWorkerStep }

// Settled promises are kept for a week, the message of a listener that was dequeued
// once for an hour, and what nobody has taken for a day.
const (
	retention            = 7 * 86_400_000
	deliveredRetention   = 3_600_000
	undeliveredRetention = 86_400_000
)

func (c *call) sqlWorkerStep() ([]outcome, error) {
	a := c.arguments()
	limit := int64(c.before.options.BatchSize)
	if _, ok := a.values["limit"]; ok {
		limit = a.integer("limit", 1, 100_000)
	}
	if a.isBad() {
		return c.raisedBy(a)
	}
	if c.response == nil {
		return nil, fmt.Errorf("a step whose answer was lost: %w", ErrNotModelled)
	}
	s, now := c.before, c.Now
	if len(s.dueSchedules(now)) > 0 {
		return c.fireDue(limit)
	}
	steps := []struct {
		name string
		due  []timed
		do   func(d *State, id string)
	}{
		{"timeout", s.timedPromises(now), func(d *State, id string) { d.lapse(d.promises[id], now) }},
		{"lease", s.timedLeases(now), func(d *State, id string) {
			p := d.promises[id]
			d.putTask(p, d.setBack(p, now))
		}},
	}
	for _, step := range steps {
		if len(step.due) > 0 {
			return c.someOf(step.name, step.due, limit, step.do)
		}
	}
	return c.deliver(limit)
}

// fireDue fires what is due of the schedules.
func (c *call) fireDue(limit int64) ([]outcome, error) {
	d := c.before.draft()
	n, err := d.fireDue(func(string) bool { return true }, c.Now, int(limit))
	return []outcome{{state: d, body: stepAnswer("schedule", int64(n))}}, err
}

func stepAnswer(name string, processed any) any {
	anything := check(func(any) string { return "" })
	return []any{map[string]any{"step": name, "processed": processed, "next_due_at": anything}}
}

// timed is a row and since when it has been due.
type timed struct {
	id string
	at int64
}

func (s *State) timedPromises(now int64) []timed {
	var due []timed
	for _, id := range s.duePromises(now) {
		due = append(due, timed{id, s.promises[id].timeoutAt})
	}
	return inTime(due)
}

// timedLeases are those whose promise is alive.
func (s *State) timedLeases(now int64) []timed {
	var due []timed
	for _, id := range s.dueLeases(now) {
		due = append(due, timed{id, s.promises[id].task.clock})
	}
	return inTime(due)
}

func inTime(due []timed) []timed {
	sort.SliceStable(due, func(i, j int) bool { return due[i].at < due[j].at })
	return due
}

// someOf does something to as many rows as may be, those first that have been due
// for longest; which of those of one instant is not said.
func (c *call) someOf(name string, due []timed, limit int64, do func(d *State, id string)) ([]outcome, error) {
	var result []outcome
	for _, chosen := range longest(due, int(limit)) {
		d := c.before.draft()
		for _, id := range chosen {
			do(d, id)
		}
		result = append(result, outcome{state: d, body: stepAnswer(name, int64(len(chosen)))})
		if len(result) > maxChoices {
			return nil, fmt.Errorf("too many rows are due: %w", ErrNotModelled)
		}
	}
	return result, nil
}

// longest lists the ways to choose n of the rows that have waited longest.
func longest(due []timed, n int) [][]string {
	if n >= len(due) {
		n = len(due)
	}
	first, last := 0, 0
	for n > 0 && due[first].at < due[n-1].at {
		first++
	}
	for last = n; n > 0 && last < len(due) && due[last].at == due[n-1].at; {
		last++
	}
	var sure, open []string
	for i, row := range due[:last] {
		if i < first {
			sure = append(sure, row.id)
		} else {
			open = append(open, row.id)
		}
	}
	return subsets(sure, open, n-first)
}

// subsets lists the ways to add n of some ids to others.
func subsets(sure, open []string, n int) [][]string {
	if n == 0 {
		return [][]string{sure}
	}
	var result [][]string
	for i := 0; i+n <= len(open); i++ {
		with := append(append([]string{}, sure...), open[i])
		result = append(result, subsets(with, open[i+1:], n-1)...)
	}
	return result
}

// deliver is the steps that tell others.  Whom the session has told already is not
// modelled: telling somebody who can dequeue changes nothing.
func (c *call) deliver(limit int64) ([]outcome, error) {
	result, err := c.dispatch(limit)
	if err != nil || len(result) > 0 && len(c.before.notifyTasks(c.Now, true)) > 0 {
		return result, err
	}
	messages := c.before.notifyMessages(c.Now)
	if len(messages) > 0 {
		keys := map[string]messageKey{}
		var due []timed
		for _, key := range messages {
			name := fmt.Sprint(key)
			keys[name] = key
			due = append(due, timed{name, c.before.messages[key].due})
		}
		more, err := c.someOf("deliver", inTime(due), limit, func(d *State, id string) { d.deleteMessage(keys[id]) })
		return append(result, more...), err
	}
	more, err := c.expire(limit)
	return append(result, more...), err
}

// expired are the messages that have waited for too long, those of one kind.
func (s *State) expired(now int64, isDelivered bool) []timed {
	kept := int64(undeliveredRetention)
	if isDelivered {
		kept = deliveredRetention
	}
	var due []timed
	for _, key := range s.messageKeys() {
		m := s.messages[key]
		if !isNotify(m.address) && (key.kind == "listener" && m.attempt > 0) == isDelivered && m.due <= now-kept {
			due = append(due, timed{fmt.Sprint(key), m.due})
		}
	}
	return inTime(due)
}

// expire deletes messages that nobody takes, or else history.
func (c *call) expire(limit int64) ([]outcome, error) {
	keys := map[string]messageKey{}
	for _, key := range c.before.messageKeys() {
		keys[fmt.Sprint(key)] = key
	}
	delivered, others := c.before.expired(c.Now, true), c.before.expired(c.Now, false)
	if len(delivered)+len(others) == 0 {
		return c.forget(limit)
	}
	var result []outcome
	for _, first := range longest(delivered, int(limit)) {
		for _, second := range longest(others, int(limit)-len(first)) {
			d := c.before.draft()
			for _, id := range append(append([]string{}, first...), second...) {
				d.deleteMessage(keys[id])
			}
			result = append(result, outcome{state: d, body: stepAnswer("expire", int64(len(first)+len(second)))})
		}
		if len(result) > maxChoices {
			return nil, fmt.Errorf("too many messages expire: %w", ErrNotModelled)
		}
	}
	return result, nil
}

// dispatch offers tasks to notify:// addresses, and tells the others, which may be
// nobody or anybody.
func (c *call) dispatch(limit int64) ([]outcome, error) {
	ids := c.before.notifyTasks(c.Now, false)
	sure := len(c.before.notifyTasks(c.Now, true))
	if int64(len(ids)) > limit || len(ids) > 10 && len(ids) > sure {
		return c.dispatchSome(ids, limit)
	}
	var result []outcome
	var open []string
	for _, id := range ids {
		if c.before.promises[id].task.clockMax > c.Now {
			open = append(open, id)
		}
	}
	for n := 0; n <= len(open); n++ {
		for _, left := range subsets(nil, open, n) {
			result = append(result, c.offerAllBut(ids, left))
		}
	}
	return result, nil
}

func (c *call) offerAllBut(ids, left []string) outcome {
	d := c.before.draft()
	isLeft := map[string]bool{}
	for _, id := range left {
		isLeft[id] = true
	}
	n := int64(0)
	for _, id := range ids {
		p := d.promises[id]
		offer := c.offer(p, p.task, false)
		if isLeft[id] {
			offer.leave(d)
		} else {
			offer.take(d)
			n++
		}
	}
	return outcome{state: d, body: stepAnswer("dispatch", atLeast(n))}
}

// dispatchSome is for more tasks than may be offered; any of them are.
func (c *call) dispatchSome(ids []string, limit int64) ([]outcome, error) {
	if limit > 1 || len(ids) > maxChoices {
		return nil, fmt.Errorf("too many tasks are due: %w", ErrNotModelled)
	}
	var result []outcome
	for _, chosen := range subsets(nil, ids, int(limit)) {
		d := c.before.draft()
		for _, id := range chosen {
			p := d.promises[id]
			c.offer(p, p.task, false).take(d)
		}
		result = append(result, outcome{state: d, body: stepAnswer("dispatch", atLeast(limit))})
	}
	return result, nil
}

func atLeast(n int64) check {
	return func(seen any) string {
		if found, ok := integer(seen); !ok || found < n {
			return fmt.Sprintf("expected at least %d, got %s", n, show(seen))
		}
		return ""
	}
}

// notifyTasks are the tasks to offer to notify:// addresses that are due, or may
// be.
func (s *State) notifyTasks(now int64, isSure bool) []string {
	var ids []string
	for _, id := range s.promiseIDs() {
		t := s.promises[id].view(now).task
		if t == nil || t.state != pending || !isNotify(s.promises[id].tags["resonate:target"]) {
			continue
		}
		if t.clockMax <= now || !isSure && t.clock <= now {
			ids = append(ids, id)
		}
	}
	return ids
}

func isNotify(address string) bool { return len(address) > 9 && address[:9] == "notify://" }

func (s *State) notifyMessages(now int64) []messageKey {
	var keys []messageKey
	for _, key := range s.messageKeys() {
		if m := s.messages[key]; isNotify(m.address) && m.due <= now {
			keys = append(keys, key)
		}
	}
	return keys
}

// forget deletes history, if there is any.  Internal promises whose deadline has
// passed are settled first, even if none of them can go.
func (c *call) forget(limit int64) ([]outcome, error) {
	s := c.before.lapseInternal(c.Now-retention, c.Now)
	ids := s.prunable(c.Now-retention, c.Now)
	if len(ids) == 0 {
		return []outcome{{state: s, body: stepAnswer("idle", int64(0))}}, nil
	}
	if int64(len(ids)) > limit {
		return nil, fmt.Errorf("more than the limit can be pruned: %w", ErrNotModelled)
	}
	d := s.draft()
	for _, id := range ids {
		d.prune(id)
	}
	return []outcome{{state: d, body: stepAnswer("prune", int64(len(ids)))}}, nil
}
