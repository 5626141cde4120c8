package main

// advance moves the virtual clock: mostly a little or not at all, sometimes to
// an instant at which something is due or one millisecond beside it, sometimes
// by days.
func (d *driver) advance() {
	if d.chance(60) {
		if at, ok := d.dueInstant(); ok {
			d.now = at
			return
		}
	}
	by := draw(d.random, []weighted[int64]{
		{500, 0}, {300, d.upTo(1, 50)}, {140, d.upTo(100, 1_100)}, {35, d.upTo(5_000, 10_000)},
		{10, d.upTo(60_000, 80_000)}, {6, d.upTo(3_600_000, 7_200_000)}, {6, d.upTo(day, 20*day)},
	})
	d.now += d.bearable(by)
}

// dueInstant is a deadline, the clock of a task, a schedule or a message.
func (d *driver) dueInstant() (int64, bool) {
	source := pick(d.random, promises, promises, tasks, tasks, messages, schedules)
	column := [ntables]string{"timeout_at", "clock_at", "", "due_at", "", "next_run_at"}[source]
	var instants []int64
	for _, key := range d.stored[source].keys {
		r := d.stored[source].rows[key]
		at := r.number(column)
		if at > d.now && at < d.now+day && (source != promises || isPending(r)) {
			instants = append(instants, at)
		}
	}
	if len(instants) == 0 {
		return 0, false
	}
	at := pick(d.random, instants...) + pick(d.random, int64(0), 0, 0, -1, 1)
	return d.now + d.bearable(at-d.now), true
}

// The most occurrences of a schedule that a jump may leave behind: those that are
// made up for, and those that are only counted, which takes the model a while.
const (
	maxMissed  = 40
	maxSkipped = 400
)

// bearable shortens a jump, so that no schedule falls behind too far.
func (d *driver) bearable(by int64) int64 {
	for _, id := range d.stored[schedules].keys {
		schedule := d.stored[schedules].rows[id]
		missed := int64(maxSkipped)
		if schedule.text("catch_up") == "all" {
			missed = maxMissed
		}
		limit := schedule.number("next_run_at") + missed*periodOf(schedule.text("cron")) - d.now
		if by > limit {
			by = limit
		}
	}
	if by < 0 {
		return 0
	}
	return by
}
