package oracle

import (
	"fmt"
	"math"
	"sort"
)

// The typed functions.

var sqlHandlers map[string]handler

func init() {
	sqlHandlers = map[string]handler{
		"create_promise":              (*call).sqlCreatePromise,
		"create_promises":             (*call).sqlCreatePromises,
		"create_promise_and_callback": (*call).sqlCreatePromiseAndCallback,
		"create_promise_and_task":     (*call).sqlCreatePromiseAndTask,
		"get_promise":                 (*call).sqlGetPromise,
		"await_promise":               (*call).sqlAwaitPromise,
		"resolve":                     func(c *call) ([]outcome, error) { return c.sqlSettle(resolved) },
		"reject":                      func(c *call) ([]outcome, error) { return c.sqlSettle(rejected) },
		"cancel":                      func(c *call) ([]outcome, error) { return c.sqlSettle(canceled) },
		"settle_promises":             (*call).sqlSettlePromises,
		"search_promises":             (*call).sqlSearchPromises,
		"create_callback":             (*call).sqlCreateCallback,
		"receive":                     (*call).sqlReceive,
		"acknowledge":                 (*call).sqlAcknowledge,
		"get_task":                    (*call).sqlGetTask,
		"acquire_task":                (*call).sqlAcquireTask,
		"release_task":                (*call).sqlReleaseTask,
		"suspend_task":                (*call).sqlSuspendTask,
		"fulfill_task":                (*call).sqlFulfillTask,
		"fence_task":                  (*call).sqlFenceTask,
		"heartbeat_tasks":             (*call).sqlHeartbeatTasks,
		"halt_task":                   func(c *call) ([]outcome, error) { return c.sqlAdministrate((*call).halt) },
		"continue_task":               func(c *call) ([]outcome, error) { return c.sqlAdministrate((*call).continueTask) },
		"search_tasks":                (*call).sqlSearchTasks,
		"create_schedule":             (*call).sqlCreateSchedule,
		"get_schedule":                (*call).sqlGetSchedule,
		"delete_schedule":             (*call).sqlDeleteSchedule,
		"search_schedules":            (*call).sqlSearchSchedules,
		"process_timeouts":            (*call).sqlProcessTimeouts,
		"dequeue_execute":             (*call).sqlDequeueExecute,
		"dequeue_unblock":             (*call).sqlDequeueUnblock,
		"outbox_channel":              (*call).sqlOutboxChannel,
		"prune":                       (*call).sqlPrune,
	}
}

// scalar is the answer of a function that returns one value.
func scalar(name string, value any) any { return []any{map[string]any{name: value}} }

// scalarOf reads such an answer.
func scalarOf(body any) any {
	rows, _ := body.([]any)
	if len(rows) == 1 {
		if row, ok := rows[0].(map[string]any); ok {
			for _, value := range row {
				return value
			}
		}
	}
	return nil
}

// shownSpan is an interval of that length, or NULL for one that an interval cannot
// hold.
func shownSpan(ms int64) any {
	if ms > math.MaxInt64/1000 {
		return nil
	}
	return span(ms)
}

// The last instant that all client libraries can read; later ones are NULL.
const lastShown = 253402214400000

func shownInstant(ms int64) any {
	if ms > lastShown {
		return nil
	}
	return instant(ms)
}

var promiseColumnNames = []string{
	"state", "value", "value_headers", "value_data", "param", "param_headers", "param_data", "tags",
	"idempotency_key_for_create", "idempotency_key_for_complete", "timeout_at", "created_at", "settled_at",
	"timeout_at_ms",
}

// columns adds those of the promise to a row; they are NULL without one.
func (p *promise) columns(row map[string]any, id string, now int64) {
	row["id"] = id
	for _, name := range promiseColumnNames {
		row[name] = nil
	}
	if p == nil {
		return
	}
	p = p.view(now)
	row["state"] = p.state
	row["param"], row["param_data"] = p.param.typedValue(), p.param.typedData()
	row["param_headers"] = stringMap(p.param.headers)
	row["tags"] = stringMap(p.tags)
	row["timeout_at"], row["created_at"] = shownInstant(p.timeoutAt), shownInstant(p.createdAt)
	row["timeout_at_ms"] = p.timeoutAt
	if p.keyForCreate != nil {
		row["idempotency_key_for_create"] = *p.keyForCreate
	}
	if p.keyForComplete != nil {
		row["idempotency_key_for_complete"] = *p.keyForComplete
	}
	if p.state != pending {
		row["value"], row["value_data"] = p.value.typedValue(), p.value.typedData()
		row["value_headers"] = stringMap(p.value.headers)
		row["settled_at"] = shownInstant(p.settledAt)
	}
}

func (c *call) promiseRow(status int, id string, p *promise) map[string]any {
	row := map[string]any{"status": status}
	p.columns(row, id, c.Now)
	return row
}

func (c *call) promiseRows(s *State, status int, id string, p *promise) ([]outcome, error) {
	return one(s, 0, []any{c.promiseRow(status, id, p)}), nil
}

func (c *call) sqlCreatePromise() ([]outcome, error) {
	a := c.arguments()
	want := a.creation(c.Now)
	if a.isBad() {
		return c.raisedBy(a)
	}
	d := c.before.draft()
	status, p := d.create(want, c.Now)
	return c.promiseRows(d, status, want.id, p)
}

func (c *call) sqlCreatePromises() ([]outcome, error) {
	a := c.arguments()
	d := c.before.draft()
	rows := []any{}
	for _, item := range a.batch("promises", createMembers) {
		want := a.itemCreation(item, c.Now)
		if !a.isBad() {
			status, p := d.create(want, c.Now)
			rows = append(rows, c.promiseRow(status, want.id, p))
		}
	}
	if a.isBad() {
		return c.raisedBy(a)
	}
	return one(d, 0, rows), nil
}

func (c *call) sqlSettlePromises() ([]outcome, error) {
	a := c.arguments()
	d := c.before.draft()
	rows := []any{}
	for _, item := range a.batch("settlements", settleMembers) {
		want := a.itemSettlement(item)
		if !a.isBad() {
			status, p := d.complete(want, c.Now)
			rows = append(rows, c.promiseRow(status, want.id, p))
		}
	}
	if a.isBad() {
		return c.raisedBy(a)
	}
	return one(d, 0, rows), nil
}

func (c *call) sqlGetPromise() ([]outcome, error) {
	a := c.arguments()
	id := a.id("id")
	if a.isBad() {
		return c.raisedBy(a)
	}
	d := c.before.draft()
	p := d.lookUp(id, c.Now)
	if p == nil {
		return c.promiseRows(d, 4040, id, nil)
	}
	return c.promiseRows(d, 2000, id, p)
}

// sqlAwaitPromise is only for who does not have to wait: the clock stands still.
func (c *call) sqlAwaitPromise() ([]outcome, error) {
	a := c.arguments()
	id := a.id("id")
	a.length("timeout", c.Now, 0)
	if a.isBad() {
		return c.raisedBy(a)
	}
	d := c.before.draft()
	p := d.lookUp(id, c.Now)
	status := 2000
	if p == nil {
		status = 4040
	} else if p.state == pending {
		status = 4080
	}
	return c.promiseRows(d, status, id, p)
}

func (c *call) sqlSettle(state string) ([]outcome, error) {
	a := c.arguments()
	want := a.settlement(state)
	if a.isBad() {
		return c.raisedBy(a)
	}
	d := c.before.draft()
	status, p := d.complete(want, c.Now)
	return c.promiseRows(d, status, want.id, p)
}

func (a *arguments) callback() callback {
	address, ok := a.text("address")
	if !ok {
		a.fail("22004")
	} else if !isAddress(address) {
		a.fail("22023")
	}
	return callback{kind: "callback", id: a.name("callback_id", 255), address: address}
}

// callbackRow is a row of callback_result; recorded is nil if none was.
func (c *call) callbackRow(status int, id string, p *promise, recorded *callback) []any {
	row := c.promiseRow(status, id, p)
	row["callback_id"], row["address"], row["callback_created_at"] = nil, nil, nil
	if recorded != nil {
		row["callback_id"], row["address"] = recorded.id, recorded.address
		row["callback_created_at"] = shownInstant(c.Now)
	}
	return []any{row}
}

func (c *call) sqlCreateCallback() ([]outcome, error) {
	a := c.arguments()
	id := a.id("promise_id")
	want := a.callback()
	if a.isBad() {
		return c.raisedBy(a)
	}
	d := c.before.draft()
	p := d.lookUp(id, c.Now)
	switch {
	case p == nil:
		return one(d, 0, c.callbackRow(4040, id, nil, nil)), nil
	case !p.external:
		return one(d, 0, c.callbackRow(4220, id, p, nil)), nil
	case p.state != pending || !d.addCallback(id, want):
		return one(d, 0, c.callbackRow(2000, id, p, nil)), nil
	}
	return one(d, 0, c.callbackRow(2010, id, p, &want)), nil
}

func (c *call) sqlCreatePromiseAndCallback() ([]outcome, error) {
	a := c.arguments()
	want := a.creation(c.Now)
	wanted := a.callback()
	if a.isBad() {
		return c.raisedBy(a)
	}
	if !isExternal(want.tags) {
		return one(c.before, 0, c.callbackRow(4220, want.id, nil, nil)), nil
	}
	d := c.before.draft()
	status, p := d.create(want, c.Now)
	if status != 2010 || p.state != pending {
		return one(d, 0, c.callbackRow(status, want.id, p, nil)), nil
	}
	d.addCallback(want.id, wanted)
	return one(d, 0, c.callbackRow(status, want.id, p, &wanted)), nil
}

// taskRow is a row of task_result: the task of owner, if it is not nil, and the
// promise, if that is part of the answer.
func (c *call) taskRow(status int, id string, owner, p *promise) []any {
	row := c.promiseRow(status, id, p)
	for _, name := range []string{"task_state", "version", "resumes", "pid", "ttl"} {
		row[name] = nil
	}
	for _, name := range clockColumns {
		row[name] = nil
	}
	if owner != nil && owner.task != nil {
		t := owner.view(c.Now).task
		row["task_state"], row["version"], row["resumes"] = t.state, t.version, t.resumes
		if t.state == acquired {
			row["pid"], row["ttl"] = t.pid, shownSpan(t.ttl)
		}
		t.addClocks(row)
	}
	return []any{row}
}

var clockColumns = []string{"setbacks", "offers", "next_offer_at", "lease_until"}

// addClocks adds the columns that say when something becomes of a task, as far as
// that is specified.
func (t *task) addClocks(row map[string]any) {
	switch {
	case t.state == halted:
		row["setbacks"] = within(0, math.MaxInt32)
	case t.setbacks > 0:
		row["setbacks"] = within(1, math.MaxInt32)
	default:
		row["setbacks"] = int64(0)
	}
	switch t.state {
	case pending:
		row["offers"], row["next_offer_at"] = within(0, math.MaxInt32), shownInstant(t.clock)
		if t.clockMax > t.clock {
			row["next_offer_at"] = someText{}
		}
	case acquired:
		row["lease_until"] = shownInstant(t.clock)
	}
}

func (c *call) sqlCreatePromiseAndTask() ([]outcome, error) {
	a := c.arguments()
	want := a.creation(c.Now)
	holder := a.holder(c.Now)
	if !hasTask(want.tags) {
		a.fail("22023")
	}
	if a.isBad() {
		return c.raisedBy(a)
	}
	d := c.before.draft()
	p := d.lookUp(want.id, c.Now)
	if p == nil {
		p = d.insert(want, &holder, c.Now)
		return one(d, 0, c.taskRow(2010, want.id, p, p)), nil
	}
	if decideCreate(p, want) != 2000 {
		return one(d, 0, c.taskRow(4090, want.id, nil, p)), nil
	}
	switch {
	case p.task == nil:
		return one(d, 0, c.taskRow(4220, want.id, nil, p)), nil
	case p.task.state == pending:
		d.putTask(p, p.task.acquire(holder, c.Now))
		p = d.promises[want.id]
		return one(d, 0, c.taskRow(2000, want.id, p, p)), nil
	case p.task.state == fulfilled:
		return one(d, 0, c.taskRow(2000, want.id, p, p)), nil
	}
	return one(d, 0, c.taskRow(4090, want.id, p, p)), nil
}

func (c *call) sqlGetTask() ([]outcome, error) {
	a := c.arguments()
	id := a.id("id")
	if a.isBad() {
		return c.raisedBy(a)
	}
	d := c.before.draft()
	p := d.lookUp(id, c.Now)
	if p == nil || p.task == nil {
		return c.taskRefused(404, id, c.maybeLapsed(c.before, id))
	}
	return one(d, 0, c.taskRow(2000, id, p, p)), nil
}

// taskRefused answers with the task only; status is one of the protocol.
func (c *call) taskRefused(status int, id string, states []*State) ([]outcome, error) {
	var result []outcome
	for _, s := range states {
		result = append(result, outcome{state: s, body: c.taskRow(status*10, id, s.promises[id], nil)})
	}
	return result, nil
}

func (c *call) sqlAcquireTask() ([]outcome, error) {
	a := c.arguments()
	id, version := a.id("id"), a.version()
	holder := a.holder(c.Now)
	if a.isBad() {
		return c.raisedBy(a)
	}
	if status := c.before.guard(id, pending, version, c.Now); status != 0 {
		return c.taskRefused(status, id, c.maybeLapsed(c.before, id))
	}
	d := c.before.draft()
	d.putTask(d.promises[id], d.promises[id].task.acquire(holder, c.Now))
	return one(d, 0, c.taskRow(2000, id, d.promises[id], d.promises[id])), nil
}

func (c *call) sqlReleaseTask() ([]outcome, error) {
	a := c.arguments()
	id, version := a.id("id"), a.version()
	if a.isBad() {
		return c.raisedBy(a)
	}
	if status := c.before.guard(id, acquired, version, c.Now); status != 0 {
		return c.taskRefused(status, id, c.maybeLapsed(c.before, id))
	}
	d := c.before.draft()
	d.putTask(d.promises[id], d.setBack(d.promises[id], c.Now))
	return one(d, 0, c.taskRow(2000, id, d.promises[id], nil)), nil
}

func (c *call) sqlSuspendTask() ([]outcome, error) {
	a := c.arguments()
	id, version := a.id("id"), a.version()
	awaited := a.texts("awaited")
	seen := map[string]bool{id: true}
	for _, other := range awaited {
		if seen[other] {
			a.fail("22023")
		}
		seen[other] = true
	}
	if awaited != nil && len(awaited) == 0 {
		a.fail("22023")
	}
	if a.isBad() {
		return c.raisedBy(a)
	}
	status, states := c.suspend(id, version, awaited)
	return c.taskRefused(status, id, states)
}

func (c *call) sqlFulfillTask() ([]outcome, error) {
	a := c.arguments()
	version := a.version()
	state, ok := a.text("state")
	if !ok {
		state = resolved
	}
	want := settlement{id: a.id("id"), state: state, value: a.payload("value")}
	if !isSettable(state) {
		a.fail("22023")
	}
	if a.isBad() {
		return c.raisedBy(a)
	}
	if status := c.before.guard(want.id, acquired, version, c.Now); status != 0 {
		return c.taskRefused(status, want.id, c.maybeLapsed(c.before, want.id))
	}
	d := c.before.draft()
	p := d.settleNow(d.promises[want.id], want, c.Now)
	return one(d, 0, c.taskRow(2000, want.id, p, p)), nil
}

func (c *call) sqlFenceTask() ([]outcome, error) {
	a := c.arguments()
	id, version := a.id("id"), a.version()
	action, ok := a.text("action")
	if !ok || a.values["promise"] == nil {
		a.fail("22004")
	}
	var create creation
	var settle settlement
	switch action {
	case "create":
		create = a.itemCreation(a.item(a.values["promise"], createMembers), c.Now)
	case "settle":
		settle = a.itemSettlement(a.item(a.values["promise"], settleMembers))
		create.id = settle.id
	default:
		a.fail("22023")
	}
	if create.id == id {
		a.fail("22023")
	}
	if a.isBad() {
		return c.raisedBy(a)
	}
	if status := c.before.guard(id, acquired, version, c.Now); status != 0 {
		var result []outcome
		row := c.promiseRow(status*10, create.id, nil)
		row["inner_status"] = nil
		for _, s := range c.maybeLapsed(c.before, id, create.id) {
			result = append(result, outcome{state: s, body: []any{row}})
		}
		return result, nil
	}
	d := c.before.draft()
	var inner int
	var p *promise
	if action == "create" {
		inner, p = d.create(create, c.Now)
	} else {
		inner, p = d.complete(settle, c.Now)
	}
	row := c.promiseRow(2000, create.id, p)
	row["inner_status"] = inner
	return one(d, 0, []any{row}), nil
}

// leases reads what heartbeat_tasks is to extend, nil for all.
func (a *arguments) leases() map[string][]int64 {
	if a.values["ids"] == nil && a.values["versions"] == nil {
		return nil
	}
	ids := a.texts("ids")
	versions, ok := asList(a.values["versions"])
	if a.values["versions"] == nil {
		a.fail("22004")
		return nil
	}
	if !ok || len(versions) != len(ids) {
		a.fail("22023")
		return nil
	}
	result := map[string][]int64{}
	for i, id := range ids {
		version, ok := integer(versions[i])
		if versions[i] == nil {
			a.fail("22004")
		} else if !ok || version < 0 || version > math.MaxInt32 {
			a.fail("22023")
		}
		result[id] = append(result[id], version)
	}
	return result
}

func hasRepeated(versions map[string][]int64) bool {
	for _, list := range versions {
		if len(list) > 1 {
			return true
		}
	}
	return false
}

func (c *call) sqlHeartbeatTasks() ([]outcome, error) {
	a := c.arguments()
	pid := a.id("pid")
	versions := a.leases()
	if a.isBad() {
		return c.raisedBy(a)
	}
	d := c.before.draft()
	count := d.heartbeat(pid, versions, c.Now)
	if versions == nil {
		return one(d, 0, c.countOf("heartbeat_tasks", count)), nil
	}
	refs := int64(0)
	for _, list := range versions {
		refs += int64(len(list))
	}
	return one(d, 0, check(func(seen any) string {
		// Whether a task that is named twice counts twice is not said.
		if n, ok := integer(scalarOf(seen)); !ok || n < count || n > count && !hasRepeated(versions) || n > refs {
			return fmt.Sprintf("expected %d, got %s", count, show(seen))
		}
		return ""
	})), nil
}

func (c *call) sqlAdministrate(command func(c *call, id string) (int, []*State)) ([]outcome, error) {
	a := c.arguments()
	id := a.id("id")
	if c.before.options.Worker {
		return c.raised("42501")
	}
	if a.isBad() {
		return c.raisedBy(a)
	}
	status, states := command(c, id)
	return c.taskRefused(status, id, states)
}

// newestFirst sorts ids of promises.
func (s *State) newestFirst(ids []string) {
	sort.Slice(ids, func(i, j int) bool {
		a, b := s.promises[ids[i]], s.promises[ids[j]]
		if a.createdAt != b.createdAt {
			return a.createdAt > b.createdAt
		}
		return a.id > b.id
	})
}
