package main

import (
	"encoding/json"
	"fmt"

	"resonate/test/oracle"
)

// The most background steps that a drain may take.
const maxDrainSteps = 2_000

// never is the deadline of a promise that has none.
const never = 1<<63 - 1

// drain ends a run: once every deadline has passed and background work has been
// done, nobody waits for anything any more.
func (d *driver) drain() error {
	d.unanswered, d.followUps = nil, nil
	for _, id := range d.stored[schedules].keys {
		if err := d.must("rpc", "schedule.delete", with(id)); err != nil {
			return err
		}
	}
	for _, id := range d.stored[promises].keys {
		if p := d.stored[promises].rows[id]; isPending(p) && p.number("timeout_at") == never {
			if err := d.must("sql", "resolve", with(id)); err != nil {
				return err
			}
		}
	}
	d.now = d.lastDeadline() + 1
	if err := d.sweepAll(); err != nil {
		return err
	}
	if err := d.takeMessages(); err != nil {
		return err
	}
	return d.checkDrained()
}

func (d *driver) must(surface, name string, args map[string]any) error {
	d.tick++
	return d.perform(step{request: oracle.Request{Surface: surface, Name: name, Args: args, Now: d.now}})
}

func (d *driver) lastDeadline() int64 {
	last := d.now
	see := func(at int64) {
		if at > last && at != never {
			last = at
		}
	}
	for _, id := range d.stored[promises].keys {
		see(d.stored[promises].rows[id].number("timeout_at"))
	}
	for _, key := range d.stored[messages].keys {
		see(d.stored[messages].rows[key].number("due_at"))
	}
	return last
}

// sweepAll does background work until there is none.
func (d *driver) sweepAll() error {
	for n := 0; n < maxDrainSteps; n++ {
		before := d.coverage.answers["sql worker_step"]["idle"]
		if err := d.must("sql", "worker_step", map[string]any{}); err != nil {
			return err
		}
		if d.coverage.answers["sql worker_step"]["idle"] > before {
			return nil
		}
	}
	return fmt.Errorf("background work does not end in %d steps", maxDrainSteps)
}

// takeMessages acknowledges what nobody has taken.
func (d *driver) takeMessages() error {
	for _, key := range d.stored[messages].keys {
		m := d.stored[messages].rows[key]
		err := d.must("sql", "acknowledge", map[string]any{
			"promise_id": m.text("promise_id"), "callback_id": m.text("callback_id"), "kind": m.text("kind"),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// checkDrained wants nothing left that waits, and every promise settled for
// whoever asks.
func (d *driver) checkDrained() error {
	for _, i := range []int{tasks, callbacks, messages, awaiters, schedules} {
		for _, key := range d.stored[i].keys {
			return fmt.Errorf("after the end there is still one of %s: %s", tableNames[i], d.stored[i].rows[key].json)
		}
	}
	if err := d.compare(); err != nil {
		return err
	}
	for _, id := range d.stored[promises].keys {
		if isOpen(d.stored[promises].rows[id]) {
			return fmt.Errorf("after the end a promise is open: %s", d.stored[promises].rows[id].json)
		}
	}
	for _, id := range d.stored[promises].keys {
		if !isPending(d.stored[promises].rows[id]) {
			continue
		}
		if err := d.must("rpc", "promise.get", with(id)); err != nil {
			return err
		}
		if isPending(d.stored[promises].rows[id]) {
			args, _ := json.Marshal(id)
			return fmt.Errorf("promise %s is past its deadline, and a look at it does not settle it", args)
		}
	}
	return nil
}
