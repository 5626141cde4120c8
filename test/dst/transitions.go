package main

import (
	"fmt"
	"reflect"
	"strings"
)

// What no step may do to what is stored, whatever it was asked for.  The oracle
// says what a request does; these say what none can do, and share nothing with
// it.  They are the transition properties of the protocol as far as they speak
// of stored rows, test/t/ResonateProperties.pm has all of them by their names.

// change is a step, as far as the rules have to know.
type change struct {
	before, after *store
	now           int64
	// isInternal: a step of background work, which nobody asked for.
	isInternal bool
	// delivers: messages may go; prunes: history may; unschedules: a schedule.
	delivers, prunes, unschedules bool
}

var taskEdges = map[string]string{
	"pending":   "pending acquired halted",
	"acquired":  "acquired pending suspended halted",
	"suspended": "suspended pending halted",
	"halted":    "halted pending",
}

var internalEdges = map[string]string{
	"pending":   "pending",
	"acquired":  "acquired pending",
	"suspended": "suspended pending",
	"halted":    "halted",
}

// violations lists the rules that a change breaks.
func (c *change) violations() []string {
	var found []string
	report := func(rule, key string) {
		found = append(found, rule+": "+strings.ReplaceAll(key, "\x00", " "))
	}
	if c.before[promises] != c.after[promises] {
		c.checkPromises(report)
	}
	c.checkTasks(report)
	c.checkObligations(report)
	c.checkMessages(report)
	c.checkSchedules(report)
	return found
}

func isPending(promise *row) bool { return promise.text("state") == "pending" }

var birthColumns = []string{
	"id", "created_at", "timeout_at", "timer", "external", "targeted", "tags", "param_headers",
	"param_data", "param_text", "idempotency_key_for_create",
}

func (c *change) checkPromises(report func(rule, key string)) {
	for _, id := range c.before[promises].keys {
		old, p := c.before[promises].rows[id], c.after[promises].rows[id]
		switch {
		case p == nil:
			// An internal promise that has lapsed is history as well.
			if !c.prunes || isPending(old) && (old.is("external") || old.number("timeout_at") > c.now) {
				report("a promise disappears", id)
			}
		case !isPending(old):
			if p.json != old.json {
				report("a settled promise changes", id)
			}
		default:
			c.checkPendingPromise(old, p, report)
		}
	}
	for _, id := range c.after[promises].keys {
		if c.before[promises].rows[id] == nil {
			c.checkBirth(c.after[promises].rows[id], report)
		}
	}
}

func (c *change) checkPendingPromise(old, p *row, report func(rule, key string)) {
	id := p.text("id")
	for _, column := range birthColumns {
		if !reflect.DeepEqual(p.columns[column], old.columns[column]) {
			report("what a promise was born with changes", id)
		}
	}
	if isPending(p) {
		if p.json != old.json {
			report("a pending promise changes", id)
		}
		return
	}
	c.checkSettlement(p, report)
	task := c.before[tasks].rows[id]
	// It may be acquired and settled by one call, but only by a fulfilment,
	// which presents the version that it has.
	if task != nil && p.number("task_version") != task.number("version") {
		report("a task is fulfilled in another version", id)
	}
}

func hasValue(p *row) bool {
	return p.has("value_headers") || p.has("value_data") || p.has("value_text")
}

func (c *change) checkSettlement(p *row, report func(rule, key string)) {
	id, settledAt, deadline := p.text("id"), p.number("settled_at"), p.number("timeout_at")
	if deadline > c.now {
		if settledAt != c.now || p.text("state") == "rejected_timedout" {
			report("a promise is settled in time, and not now", id)
		}
		if c.isInternal {
			report("nobody has asked for a settlement in time", id)
		}
		return
	}
	verdict := "rejected_timedout"
	if p.is("timer") {
		verdict = "resolved"
	}
	if settledAt != deadline || p.text("state") != verdict || hasValue(p) {
		report("a promise past its deadline is not settled by it", id)
	}
}

func (c *change) checkBirth(p *row, report func(rule, key string)) {
	id := p.text("id")
	if p.number("created_at") > c.now {
		report("a promise is born in the future", id)
	}
	// Only an occurrence of a schedule is born late.
	if !c.isInternal && p.number("created_at") != c.now && isPending(p) {
		report("a promise is not born now", id)
	}
	if isPending(p) && hasValue(p) || isPending(p) && p.number("timeout_at") <= p.number("created_at") {
		report("a promise is born wrong", id)
	}
	if !isPending(p) {
		c.checkSettlement(p, report)
	}
}

func (c *change) checkTasks(report func(rule, key string)) {
	edges := taskEdges
	if c.isInternal {
		edges = internalEdges
	}
	for _, id := range c.before[tasks].keys {
		old, task := c.before[tasks].rows[id], c.after[tasks].rows[id]
		if task == nil {
			if p := c.after[promises].rows[id]; p == nil || isPending(p) {
				report("a task ends without its promise", id)
			}
			continue
		}
		from, to := old.text("state"), task.text("state")
		if !strings.Contains(" "+edges[from]+" ", " "+to+" ") {
			report(fmt.Sprintf("a task goes from %s to %s", from, to), id)
		}
		acquisitions := int64(0)
		if from == "pending" && to == "acquired" {
			acquisitions = 1
		}
		if task.number("version") != old.number("version")+acquisitions {
			report("a version changes without an acquisition, or too far", id)
		}
		if from != to && old.number("timeout_at") <= c.now {
			report("a task past its deadline moves", id)
		}
	}
	for _, id := range c.after[tasks].keys {
		if c.before[tasks].rows[id] == nil {
			c.checkNewTask(id, report)
		}
	}
}

func (c *change) checkNewTask(id string, report func(rule, key string)) {
	task := c.after[tasks].rows[id]
	if c.before[promises].rows[id] != nil {
		report("a task is born after its promise", id)
	}
	switch task.text("state") {
	case "pending":
		if task.number("version") != 0 {
			report("a pending task is not born with version 0", id)
		}
	case "acquired":
		if task.number("version") != 1 || c.isInternal {
			report("an acquired task is not born with version 1", id)
		}
	default:
		report("a task is born "+task.text("state"), id)
	}
}

// checkObligations: who waits for a promise does so until it settles, and what
// was to be told then is a message.
func (c *change) checkObligations(report func(rule, key string)) {
	for _, key := range c.before[awaiters].keys {
		if c.isPruned(c.before[awaiters].rows[key].text("awaiter_id")) {
			continue
		}
		awaited := c.before[awaiters].rows[key].text("awaited_id")
		if p := c.after[promises].rows[awaited]; c.after[awaiters].rows[key] == nil && p != nil && isPending(p) {
			report("an awaiter of a pending promise is gone", key)
		}
	}
	for _, key := range c.before[callbacks].keys {
		old := c.before[callbacks].rows[key]
		if c.after[callbacks].rows[key] != nil {
			if c.after[callbacks].rows[key].json != old.json {
				report("a callback changes", key)
			}
			continue
		}
		if p := c.after[promises].rows[old.text("promise_id")]; p != nil && isPending(p) {
			report("a callback of a pending promise is gone", key)
		}
		if m := c.after[messages].rows[key]; m == nil || m.text("address") != old.text("address") {
			report("a callback is gone without a message", key)
		}
	}
}

// isPruned tells of a promise that has gone with all that waited because of it.
func (c *change) isPruned(id string) bool { return c.prunes && c.after[promises].rows[id] == nil }

func (c *change) checkMessages(report func(rule, key string)) {
	for _, key := range c.before[messages].keys {
		m := c.after[messages].rows[key]
		if m == nil {
			if !c.delivers && !c.isPruned(c.before[messages].rows[key].text("promise_id")) {
				report("a message is gone", key)
			}
			continue
		}
		old := c.before[messages].rows[key]
		if m.text("address") != old.text("address") || m.number("attempt") < old.number("attempt") ||
			m.number("created_at") != old.number("created_at") {
			report("a message changes", key)
		}
	}
	for _, key := range c.after[messages].keys {
		if c.before[messages].rows[key] == nil && c.before[callbacks].rows[key] == nil {
			report("a message comes from nowhere", key)
		}
	}
}

func (c *change) checkSchedules(report func(rule, key string)) {
	for _, id := range c.before[schedules].keys {
		old, schedule := c.before[schedules].rows[id], c.after[schedules].rows[id]
		if schedule == nil {
			if !c.unschedules {
				report("a schedule is gone", id)
			}
			continue
		}
		next, last := schedule.number("next_run_at"), schedule.number("last_run_at")
		moved := next != old.number("next_run_at")
		if moved && (!c.isInternal || old.number("next_run_at") > c.now || next <= old.number("next_run_at")) {
			report("a schedule moves on when it was not due", id)
		}
		if last < old.number("last_run_at") || last > c.now {
			report("the last run of a schedule is wrong", id)
		}
		if schedule.text("cron") != old.text("cron") || schedule.number("created_at") != old.number("created_at") {
			report("a schedule changes", id)
		}
	}
}
