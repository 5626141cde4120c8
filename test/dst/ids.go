package main

import "fmt"

// Small pools, so that requests collide.
var (
	keys      = []any{nil, "k0", "k1"}
	pids      = []string{"w0", "w1", "w2"}
	targets   = []string{"poll://any@g", "poll://uni@g/w0", "poll://any@h", "poll://any@h/w1", "notify://work", "bare"}
	listeners = []string{"poll://uni@g/w0", "poll://uni@g/w1", "http://host/path"}
	addresses = []string{"poll://uni@g/w0", "poll://any@g", "notify://done", "https://host/other", "sqs://queue"}
	branches  = []string{"b0", "b1"}
	// Half a million years later there is no timestamptz.
	crons = []cron{
		{"* * * * *", 60_000}, {"*/15 * * * *", 900_000}, {"0 * * * *", 3_600_000}, {"30 4 * * *", day},
		{"@daily", day}, {"0 12 * * 1-5", day}, {"@weekly", 7 * day}, {"0 0 1 * *", 28 * day},
		{"*/20 * * * * *", 20_000},
	}
	scheduleIDs  = []string{"s0", "s1", "s2"}
	callbackIDs  = []string{"c0", "c1", "c2"}
	jsonPayloads = []any{
		"text", 7, map[string]any{"a": 1, "b": []any{true, nil}}, []any{}, "ünïcödé \"x\"", false, "",
	}
	dataPayloads = []string{"MQ==", "InN0cmluZyI=", "eyJhIjogMX0=", "not base64", "", "aGk=", "ImFcdTAwMDBiIg==", "MWU0MDAwMDA="}
)

const day = 86_400_000

// cron is a rule and the least time between two of its occurrences.
type cron struct {
	rule   string
	period int64
}

func periodOf(rule string) int64 {
	for _, c := range crons {
		if c.rule == rule {
			return c.period
		}
	}
	return 1_000
}

// promiseID is one of a dozen ids, which move on with time, because each of them
// is settled sooner or later and is dull from then on.
func (d *driver) promiseID() string {
	if d.chance(30) {
		return pick(d.random, "x:notify:poll://uni@g/w0", "a.b", "ü", "s0.1")
	}
	return fmt.Sprintf("p%d", d.tick/30+d.below(12))
}

// knownPromise is mostly one that fits.
func (d *driver) knownPromise(fits func(p *row) bool) string {
	var ids []string
	for _, id := range d.stored[promises].keys {
		if fits(d.stored[promises].rows[id]) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 || d.chance(60) {
		return d.promiseID()
	}
	return pick(d.random, ids...)
}

func isOpen(p *row) bool { return isPending(p) && p.is("external") }

// openPromise is mostly one that can be waited for, and now and then any that is
// pending, to be refused.
func (d *driver) openPromise() string {
	if d.chance(100) {
		return d.knownPromise(isPending)
	}
	return d.knownPromise(isOpen)
}

func (d *driver) anyPromise() string { return d.knownPromise(func(*row) bool { return true }) }

func (d *driver) pendingPromise() string {
	if d.chance(250) {
		return d.anyPromise()
	}
	return d.knownPromise(isPending)
}

// knownTask is mostly one in one of the states, and then often one that is past
// its deadline.
func (d *driver) knownTask(states ...string) string {
	var ids, dead []string
	for _, id := range d.stored[tasks].keys {
		task := d.stored[tasks].rows[id]
		for _, state := range states {
			if task.text("state") == state {
				ids = append(ids, id)
				if task.number("timeout_at") <= d.now {
					dead = append(dead, id)
				}
			}
		}
	}
	switch {
	case len(ids) == 0 || d.chance(60):
		return d.knownPromise(func(p *row) bool { return p.is("targeted") })
	case len(dead) > 0 && d.chance(300):
		return pick(d.random, dead...)
	}
	return pick(d.random, ids...)
}

// versionOf is mostly the version that the task has, sometimes one beside it.
func (d *driver) versionOf(id string) int64 {
	version := int64(0)
	if task := d.stored[tasks].rows[id]; task != nil {
		version = task.number("version")
	} else if p := d.stored[promises].rows[id]; p != nil {
		version = p.number("task_version")
	}
	if d.chance(120) {
		version += pick(d.random, int64(-1), -1, 1, 2)
	}
	if version < 0 {
		version = 0
	}
	return version
}

// pidOf is mostly who has the task.
func (d *driver) pidOf(id string) string {
	if task := d.stored[tasks].rows[id]; task != nil && task.text("pid") != "" && !d.chance(120) {
		return task.text("pid")
	}
	return pick(d.random, pids...)
}

func (d *driver) ttl() int64 {
	if d.scenario.isLazy {
		return d.upTo(1, 500)
	}
	return pick(d.random, d.upTo(1, 100), d.upTo(1, 5_000), 60_000)
}

// deadline is an instant that many share, so that they pass together; half of
// them have passed soon.
func (d *driver) deadline() int64 {
	if d.scenario.isLazy {
		return d.now + draw(d.random, []weighted[int64]{{1, -50}, {1, 0}, {2, 1}, {10, d.upTo(1, 300)}, {3, 5_000}})
	}
	later := draw(d.random, []weighted[int64]{
		{2, -100}, {2, 0}, {2, 1}, {4, 50}, {6, 2_000}, {16, 20_000}, {10, 500_000}, {3, 30 * day},
	})
	at := d.now + later
	if later >= 20_000 {
		at += 20_000 - at%20_000
	}
	return at
}

func (d *driver) headers() map[string]any {
	return pick(d.random, map[string]any{}, map[string]any{"h": "1"}, map[string]any{"h": "2", "ü": ""})
}

// payload is a param or value of the protocol.
func (d *driver) payload() map[string]any {
	payload := map[string]any{}
	if d.chance(600) {
		payload["data"] = pick(d.random, dataPayloads...)
	}
	if d.chance(250) {
		payload["headers"] = d.headers()
	}
	return payload
}

func (d *driver) tags(wantsTarget bool) map[string]any {
	tags := map[string]any{}
	if d.chance(300) {
		tags["resonate:branch"] = pick(d.random, branches...)
	}
	if d.chance(100) {
		tags["resonate:origin"] = d.promiseID()
	}
	if d.chance(200) {
		tags["kind"] = pick(d.random, "x", "y")
	}
	if d.chance(400) {
		tags["resonate:external"] = pick(d.random, "true", "true", "true", "false")
	}
	if d.chance(120) {
		tags["resonate:scope"] = pick(d.random, "global", "local")
	}
	if d.chance(150) && (!wantsTarget || d.chance(40)) {
		tags["resonate:timer"] = pick(d.random, "true", "true", "false")
	}
	if wantsTarget || d.chance(300) {
		if tags["resonate:timer"] != "true" || d.chance(300) {
			tags["resonate:target"] = pick(d.random, targets...)
		}
		if d.chance(10) {
			tags["resonate:target"] = ""
		}
		if d.chance(100) {
			tags["resonate:delay"] = format(d.now + pick(d.random, int64(-100), 1, 40, 3_000, 900_000))
		}
	}
	return tags
}

func (d *driver) settledState() string {
	return draw(d.random, []weighted[string]{
		{12, "resolved"}, {6, "rejected"}, {6, "rejected_canceled"}, {1, "pending"}, {1, "rejected_timedout"},
	})
}
