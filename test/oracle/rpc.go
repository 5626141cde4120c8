package oracle

import (
	"math"
	"sort"
)

// The wire protocol.

var rpcHandlers map[string]handler

func init() {
	rpcHandlers = map[string]handler{
		"promise.get":               (*call).rpcPromiseGet,
		"promise.create":            (*call).rpcPromiseCreate,
		"promise.settle":            (*call).rpcPromiseSettle,
		"promise.register_callback": (*call).rpcRegisterCallback,
		"promise.register_listener": (*call).rpcRegisterListener,
		"promise.search":            (*call).rpcPromiseSearch,
		"task.get":                  (*call).rpcTaskGet,
		"task.create":               (*call).rpcTaskCreate,
		"task.acquire":              (*call).rpcTaskAcquire,
		"task.release":              (*call).rpcTaskRelease,
		"task.suspend":              (*call).rpcTaskSuspend,
		"task.fulfill":              (*call).rpcTaskFulfill,
		"task.fence":                (*call).rpcTaskFence,
		"task.heartbeat":            (*call).rpcTaskHeartbeat,
		"task.halt":                 (*call).rpcTaskHalt,
		"task.continue":             (*call).rpcTaskContinue,
		"task.search":               (*call).rpcTaskSearch,
		"schedule.get":              (*call).rpcScheduleGet,
		"schedule.create":           (*call).rpcScheduleCreate,
		"schedule.delete":           (*call).rpcScheduleDelete,
		"schedule.search":           (*call).rpcScheduleSearch,
		"debug.start":               (*call).rpcDebugNothing,
		"debug.stop":                (*call).rpcDebugNothing,
		"debug.reset":               (*call).rpcDebugReset,
		"debug.tick":                (*call).rpcDebugTick,
		"debug.snap":                (*call).rpcDebugSnap,
	}
}

func (c *call) fields() *fields { return &fields{object: c.Args} }

// refused is an answer that has only a text for people.
func (c *call) refused(status int) ([]outcome, error) {
	return one(c.before, status, someText{}), nil
}

// refusedIn is one after which a deadline has been stored, or not.
func refusedIn(status int, states ...*State) ([]outcome, error) {
	var result []outcome
	for _, s := range states {
		result = append(result, outcome{state: s, status: status, body: someText{}})
	}
	return result, nil
}

// maybeLapsed gives the state as it is, and with the deadlines of some promises
// stored, where nobody says which of the two it is.
func (c *call) maybeLapsed(s *State, ids ...string) []*State {
	states := []*State{s}
	for _, id := range ids {
		p := s.promises[id]
		if p == nil || !p.isLapsed(c.Now) {
			continue
		}
		for _, old := range states {
			d := old.draft()
			if p := d.promises[id]; p.isLapsed(c.Now) {
				d.lapse(p, c.Now)
				states = append(states, d)
			}
		}
	}
	return states
}

// record gives a promise as the protocol has it, as it is now.
func (p *promise) record(now int64) map[string]any { return p.view(now).storedRecord() }

func (p *promise) storedRecord() map[string]any {
	result := map[string]any{
		"id": p.id, "state": p.state, "param": p.param.record(), "value": p.value.record(),
		"tags": stringMap(p.tags), "timeoutAt": p.timeoutAt, "createdAt": p.createdAt,
	}
	if p.state != pending {
		result["settledAt"] = p.settledAt
	}
	return result
}

func (p *promise) taskRecord(now int64) map[string]any { return p.view(now).storedTaskRecord() }

func (p *promise) storedTaskRecord() map[string]any {
	t := p.task
	result := map[string]any{"id": p.id, "state": t.state, "version": t.version, "resumes": t.resumes}
	if t.state == acquired {
		result["pid"], result["ttl"] = t.pid, t.ttl
	}
	return result
}

func (c *call) promiseAnswer(s *State, p *promise) ([]outcome, error) {
	return one(s, 200, map[string]any{"promise": p.record(c.Now)}), nil
}

func empty() map[string]any { return map[string]any{} }

func (c *call) rpcPromiseGet() ([]outcome, error) {
	f := c.fields()
	id := f.text("id")
	if f.bad {
		return c.refused(400)
	}
	d := c.before.draft()
	p := d.lookUp(id, c.Now)
	if p == nil {
		return c.refused(404)
	}
	return c.promiseAnswer(d, p)
}

func (c *call) rpcPromiseCreate() ([]outcome, error) {
	f := c.fields()
	want := f.creation()
	if f.bad || !c.before.options.areTagsRight(want.tags, want.timeoutAt, true) {
		return c.refused(400)
	}
	d := c.before.draft()
	_, p := d.create(want, c.Now)
	return c.promiseAnswer(d, p)
}

func (c *call) rpcPromiseSettle() ([]outcome, error) {
	f := c.fields()
	want := f.settlement()
	if f.bad || !isSettable(want.state) {
		return c.refused(400)
	}
	d := c.before.draft()
	_, p := d.complete(want, c.Now)
	if p == nil {
		return c.refused(404)
	}
	return c.promiseAnswer(d, p)
}

func (c *call) rpcRegisterCallback() ([]outcome, error) {
	f := c.fields()
	awaitedID, awaiterID := f.text("awaited"), f.text("awaiter")
	if f.bad || awaitedID == awaiterID {
		return c.refused(400)
	}
	if c.before.areOriginsApart(awaiterID, c.before.origin(awaitedID)) {
		return c.refused(400)
	}
	awaited, awaiter := c.before.promises[awaitedID], c.before.promises[awaiterID]
	if awaited == nil {
		return c.refused(404)
	}
	if awaiter == nil || awaiter.task == nil || !awaited.external {
		return refusedIn(422, c.maybeLapsed(c.before, awaitedID, awaiterID)...)
	}
	d := c.before.draft()
	awaited = d.lookUp(awaitedID, c.Now)
	if awaited.state == pending && awaiter.view(c.Now).state == pending {
		d.addAwaiter(awaitedID, awaiterID)
	}
	var result []outcome
	for _, s := range c.maybeLapsed(d, awaiterID) {
		result = append(result, one(s, 200, map[string]any{"promise": awaited.record(c.Now)})...)
	}
	return result, nil
}

func (c *call) rpcRegisterListener() ([]outcome, error) {
	f := c.fields()
	id, address := f.text("awaited"), f.text("address")
	if f.bad || !isListenerAddress(address) {
		return c.refused(400)
	}
	p := c.before.promises[id]
	if p == nil {
		return c.refused(404)
	}
	if !p.external && (c.before.options.Strict || p.view(c.Now).state == pending) {
		return refusedIn(422, c.maybeLapsed(c.before, id)...)
	}
	d := c.before.draft()
	p = d.lookUp(id, c.Now)
	if p.state == pending {
		d.addCallback(id, callback{kind: "listener", id: address, address: address})
	}
	return c.promiseAnswer(d, p)
}

// preload is what is sent to who takes a task, or is to run it again: the other
// promises of its branch.
func (c *call) preload(s *State, p *promise) any {
	branch, ok := p.tags["resonate:branch"]
	var records []any
	for _, id := range s.promiseIDs() {
		other := s.promises[id]
		if !ok || id == p.id || other.tags["resonate:branch"] != branch {
			continue
		}
		if len(records) < s.options.BranchLimit {
			records = append(records, other.record(c.Now))
		}
	}
	if s.options.Partition == "" && !s.options.Concurrent && len(records) < s.options.BranchLimit {
		return append([]any{}, records...)
	}
	return check(func(seen any) string { return s.checkPreload(branch, p.id, seen) })
}

// checkPreload checks what holds at any moment: what is sent along may be a bit
// older, and leaving something out is always safe.
func (s *State) checkPreload(branch, own string, seen any) string {
	list, ok := seen.([]any)
	if !ok || len(list) > s.options.BranchLimit {
		return "expected an array, got " + show(seen)
	}
	last := ""
	for i, item := range list {
		record, _ := item.(map[string]any)
		id, _ := record["id"].(string)
		tags, _ := record["tags"].(map[string]any)
		if id == own || tags["resonate:branch"] != branch || i > 0 && id <= last {
			return "not to be in a preload: " + show(item)
		}
		last = id
		if p := s.promises[id]; p != nil {
			birth := p.record(p.createdAt)
			for _, name := range []string{"param", "tags", "timeoutAt", "createdAt"} {
				if found := differences(name, birth[name], record[name], nil); len(found) > 0 {
					return found[0]
				}
			}
		}
	}
	return ""
}

func (c *call) taskAnswer(s *State, p *promise, hasPreload bool) []outcome {
	var preload any = []any{}
	if hasPreload {
		preload = c.preload(s, p)
	}
	return one(s, 200, map[string]any{"task": p.taskRecord(c.Now), "promise": p.record(c.Now), "preload": preload})
}

// guard answers for a task that has to be in a state and a version: 0 if it is.
func (s *State) guard(id, state string, version, now int64) int {
	p := s.promises[id]
	if p == nil || p.task == nil {
		return 404
	}
	if t := p.view(now).task; t.state != state || t.version != version {
		return 409
	}
	return 0
}

func (c *call) rpcTaskGet() ([]outcome, error) {
	f := c.fields()
	id := f.text("id")
	if f.bad {
		return c.refused(400)
	}
	d := c.before.draft()
	p := d.lookUp(id, c.Now)
	if p == nil {
		return c.refused(404)
	}
	if p.task == nil {
		return refusedIn(404, c.maybeLapsed(c.before, id)...)
	}
	return one(d, 200, map[string]any{"task": p.taskRecord(c.Now)}), nil
}

func (c *call) rpcTaskCreate() ([]outcome, error) {
	f := c.fields()
	holder := lease{pid: f.text("pid"), ttl: f.integer("ttl", 1, math.MaxInt64)}
	data := f.member("action").action()
	want := data.creation()
	if f.bad || data.bad || !hasTask(want.tags) || !c.before.options.areTagsRight(want.tags, want.timeoutAt, true) {
		return c.refused(400)
	}
	d := c.before.draft()
	p := d.lookUp(want.id, c.Now)
	if p == nil {
		p = d.insert(want, &holder, c.Now)
		return c.taskAnswer(d, p, p.state == pending), nil
	}
	if p.task == nil {
		return refusedIn(422, c.maybeLapsed(c.before, want.id)...)
	}
	switch p.task.state {
	case fulfilled:
		return c.taskAnswer(d, p, false), nil
	case pending:
		d.putTask(p, p.task.acquire(holder, c.Now))
		return c.taskAnswer(d, d.promises[want.id], true), nil
	}
	return c.refused(409)
}

func (c *call) rpcTaskAcquire() ([]outcome, error) {
	f := c.fields()
	id, version := f.text("id"), f.version()
	holder := lease{pid: f.text("pid"), ttl: f.integer("ttl", 1, math.MaxInt64)}
	if f.bad {
		return c.refused(400)
	}
	if status := c.before.guard(id, pending, version, c.Now); status != 0 {
		return refusedIn(status, c.maybeLapsed(c.before, id)...)
	}
	d := c.before.draft()
	d.putTask(d.promises[id], d.promises[id].task.acquire(holder, c.Now))
	return c.taskAnswer(d, d.promises[id], true), nil
}

func (c *call) rpcTaskRelease() ([]outcome, error) {
	f := c.fields()
	id, version := f.text("id"), f.version()
	if f.bad {
		return c.refused(400)
	}
	if status := c.before.guard(id, acquired, version, c.Now); status != 0 {
		return refusedIn(status, c.maybeLapsed(c.before, id)...)
	}
	d := c.before.draft()
	d.putTask(d.promises[id], d.setBack(d.promises[id], c.Now))
	return one(d, 200, empty()), nil
}

// suspension is what a suspend leads to: a status of the protocol, and the
// states in which it may leave things.
func (c *call) suspend(id string, version int64, awaited []string) (int, []*State) {
	sorted := append([]string(nil), awaited...)
	sort.Strings(sorted)
	if status := c.before.guard(id, acquired, version, c.Now); status != 0 {
		return status, c.maybeLapsed(c.before, append(sorted, id)...)
	}
	status := 200
	for _, other := range sorted {
		p := c.before.promises[other]
		if p == nil || !p.external {
			return 422, c.maybeLapsed(c.before, sorted...)
		}
		if p.view(c.Now).state != pending {
			status = 300
		}
	}
	d := c.before.draft()
	t := *d.promises[id].task
	t.resumes = 0
	if status == 200 {
		for _, other := range sorted {
			d.addAwaiter(other, id)
		}
		t = task{state: suspended, version: t.version}
	}
	d.putTask(d.promises[id], &t)
	if status == 300 {
		return status, c.maybeLapsedBefore(id, &t, sorted)
	}
	return status, []*State{d}
}

// maybeLapsedBefore is for a suspension that finds something settled: that is
// stored before the resumes of the task are taken.
func (c *call) maybeLapsedBefore(id string, t *task, awaited []string) []*State {
	var result []*State
	for _, s := range c.maybeLapsed(c.before, awaited...) {
		d := s.draft()
		d.putTask(d.promises[id], t)
		result = append(result, d)
	}
	return result
}

func (c *call) rpcTaskSuspend() ([]outcome, error) {
	f := c.fields()
	id, version := f.text("id"), f.version()
	actions := f.list("actions")
	awaited := make([]string, len(actions))
	seen := map[string]bool{id: true}
	for i, action := range actions {
		data := action.action()
		awaited[i] = data.text("awaited")
		if data.text("awaiter") != id || seen[awaited[i]] || data.bad ||
			c.before.areOriginsApart(id, c.before.origin(awaited[i])) {
			f.fail()
		}
		seen[awaited[i]] = true
	}
	if f.bad || len(actions) == 0 {
		return c.refused(400)
	}
	status, states := c.suspend(id, version, awaited)
	var result []outcome
	for _, s := range states {
		var body any = someText{}
		switch status {
		case 200:
			body = empty()
		case 300:
			body = map[string]any{"preload": c.preload(s, s.promises[id])}
		}
		result = append(result, outcome{state: s, status: status, body: body})
	}
	return result, nil
}

func (c *call) rpcTaskFulfill() ([]outcome, error) {
	f := c.fields()
	id, version := f.text("id"), f.version()
	data := f.member("action").action()
	want := data.settlement()
	if f.bad || data.bad || want.id != id || !isSettable(want.state) {
		return c.refused(400)
	}
	if status := c.before.guard(id, acquired, version, c.Now); status != 0 {
		return refusedIn(status, c.maybeLapsed(c.before, id)...)
	}
	d := c.before.draft()
	return c.promiseAnswer(d, d.settleNow(d.promises[id], want, c.Now))
}

// fenced reads the action of a fence: what is to be done, and whether it is
// such as can be done at all.
func (f *fields) fenced(o *Options) (kind string, create creation, settle settlement, isRight bool) {
	action := f.member("action")
	data := action.member("data")
	kind, _ = action.object["kind"].(string)
	switch kind {
	case "promise.create":
		create = data.creation()
		isRight = o.areTagsRight(create.tags, create.timeoutAt, true)
	case "promise.settle":
		settle = data.settlement()
		create.id = settle.id
		isRight = isSettable(settle.state)
	default:
		f.fail()
	}
	f.bad = f.bad || action.bad || data.bad
	return kind, create, settle, isRight
}

func (c *call) rpcTaskFence() ([]outcome, error) {
	f := c.fields()
	id, version := f.text("id"), f.version()
	kind, create, settle, isRight := f.fenced(c.before.options)
	origin := c.before.origin(create.id)
	if kind == "promise.create" {
		origin = originOf(create.id, create.tags)
	}
	if f.bad || create.id == id || c.before.areOriginsApart(id, origin) {
		return c.refused(400)
	}
	if status := c.before.guard(id, acquired, version, c.Now); status != 0 {
		return refusedIn(status, c.maybeLapsed(c.before, id, create.id)...)
	}
	d := c.before.draft()
	var p *promise
	status := 400
	if isRight && kind == "promise.create" {
		_, p = d.create(create, c.Now)
	} else if isRight {
		_, p = d.complete(settle, c.Now)
		status = 404
	}
	var data any = someText{}
	if p != nil {
		status, data = 200, map[string]any{"promise": p.record(c.Now)}
	}
	return one(d, 200, map[string]any{
		"action": map[string]any{
			"kind": kind, "data": data,
			"head": map[string]any{"corrId": check(isText), "status": status, "version": "2026-04-01"},
		},
		"preload": []any{},
	}), nil
}

func isText(seen any) string {
	if _, ok := seen.(string); ok {
		return ""
	}
	return "expected text, got " + show(seen)
}

// heartbeat extends leases; nil stands for all of the process.
func (s *State) heartbeat(pid string, versions map[string][]int64, now int64) int64 {
	count := int64(0)
	for _, id := range s.promiseIDs() {
		p := s.promises[id]
		t := p.view(now).task
		if t == nil || t.state != acquired || t.pid != pid {
			continue
		}
		isNamed := versions == nil
		for _, version := range versions[id] {
			isNamed = isNamed || version == t.version
		}
		if isNamed {
			extended := *t
			extended.clock = saturatingAdd(now, t.ttl)
			extended.clockMax = extended.clock
			s.putTask(p, &extended)
			count++
		}
	}
	return count
}

func (c *call) rpcTaskHeartbeat() ([]outcome, error) {
	f := c.fields()
	pid := f.text("pid")
	refs := f.list("tasks")
	versions := map[string][]int64{}
	for _, ref := range refs {
		id, version := ref.text("id"), ref.integer("version", math.MinInt64, math.MaxInt64)
		versions[id] = append(versions[id], version)
		f.bad = f.bad || ref.bad
	}
	if f.bad {
		return c.refused(400)
	}
	d := c.before.draft()
	if len(refs) == 0 && !d.options.Strict {
		versions = nil
	}
	d.heartbeat(pid, versions, c.Now)
	return one(d, 200, empty()), nil
}

// halt answers with a status of the protocol.
func (c *call) halt(id string) (int, []*State) {
	p := c.before.promises[id]
	switch {
	case p == nil || p.task == nil:
		return 404, c.maybeLapsed(c.before, id)
	case p.view(c.Now).task.state == fulfilled:
		return 409, c.maybeLapsed(c.before, id)
	case p.task.state == halted:
		return 200, []*State{c.before}
	}
	d := c.before.draft()
	d.putTask(p, &task{state: halted, version: p.task.version, resumes: p.task.resumes})
	return 200, []*State{d}
}

func (c *call) continueTask(id string) (int, []*State) {
	p := c.before.promises[id]
	switch {
	case p == nil || p.task == nil:
		return 404, c.maybeLapsed(c.before, id)
	case p.view(c.Now).task.state != halted:
		return 409, c.maybeLapsed(c.before, id)
	}
	d := c.before.draft()
	d.putTask(p, d.preferring(p, task{
		state: pending, version: p.task.version, resumes: p.task.resumes, clock: c.Now, clockMax: c.Now,
	}))
	return 200, []*State{d}
}

func (c *call) rpcTaskHalt() ([]outcome, error)     { return c.rpcAdministrate((*call).halt) }
func (c *call) rpcTaskContinue() ([]outcome, error) { return c.rpcAdministrate((*call).continueTask) }

func (c *call) rpcAdministrate(command func(c *call, id string) (int, []*State)) ([]outcome, error) {
	f := c.fields()
	id := f.text("id")
	if c.before.options.Worker {
		return c.refused(403)
	}
	if f.bad {
		return c.refused(400)
	}
	status, states := command(c, id)
	if status != 200 {
		return refusedIn(status, states...)
	}
	return one(states[0], 200, empty()), nil
}
