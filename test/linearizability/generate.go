package main

import (
	"encoding/base64"
	"fmt"
	"math/rand"
	"strconv"

	"resonate/test/oracle"
)

// Deadlines and leases are short compared with this, or very long.  The clock
// moves by up to as much between phases.  The other one is for the time of day.
const (
	stepMS     = 30_000
	wallStepMS = 15
)

const farMS = 1_000_000_000

// generator makes the requests of one session.
type generator struct {
	r      *rand.Rand
	boards []*board
	now    int64
	step   int64
	serial int
	// isWall tells that the clock is the time of day.  Then there are no tasks
	// and nobody waits: the instants at which a lease began or a message was
	// made are not in any answer, and there would be too many to choose from.
	isWall bool
	// hasSchedules tells whether this history has any.  Then debug.tick, which
	// the model has fire all of them, even those that others are firing, is
	// left out.
	hasSchedules bool
}

// choice is a kind of request and how often it is made.
type choice struct {
	weight int
	make   func(*generator, *board) oracle.Request
}

var choices = []choice{
	{5, (*generator).createRPC},
	{5, (*generator).createSQL},
	{2, (*generator).createWithCallback},
	{4, (*generator).createTaskRPC},
	{4, (*generator).createTaskSQL},
	{4, (*generator).getPromise},
	{6, (*generator).getTask},
	{4, (*generator).settleRPC},
	{6, (*generator).settleSQL},
	{4, (*generator).registerCallback},
	{3, (*generator).registerListener},
	{3, (*generator).createCallback},
	{12, (*generator).acquire},
	{6, (*generator).heartbeat},
	{9, (*generator).suspend},
	{5, (*generator).fulfill},
	{5, (*generator).release},
	{4, (*generator).halt},
	{5, (*generator).continueTask},
	{8, (*generator).fence},
	{3, (*generator).searchPromises},
	{4, (*generator).createBatch},
	{3, (*generator).settleBatch},
	{3, (*generator).dequeueTasks},
	{2, (*generator).dequeueMessages},
	{2, (*generator).receive},
	{2, (*generator).acknowledge},
	{2, (*generator).createSchedule},
	{1, (*generator).deleteSchedule},
}

// wallChoices are those whose instant is in their answer, or does not matter.
var wallChoices = []choice{
	{8, (*generator).createRPC},
	{8, (*generator).createSQL},
	{2, (*generator).createBatch},
	{8, (*generator).getPromise},
	{8, (*generator).settleRPC},
	{12, (*generator).settleSQL},
	{2, (*generator).settleBatch},
	{2, (*generator).searchPromises},
}

// next makes a request to one graph.
func (g *generator) next() (string, oracle.Request) {
	from := choices
	if g.isWall {
		from = wallChoices
	}
	total := 0
	for _, c := range from {
		total += c.weight
	}
	n := g.r.Intn(total)
	b := g.boards[g.r.Intn(len(g.boards))]
	for _, c := range from {
		if n < c.weight {
			return b.name, c.make(g, b)
		}
		n -= c.weight
	}
	panic("unreachable")
}

// sweep makes a request that does what is due in all graphs.
func (g *generator) sweep() oracle.Request {
	if !g.hasSchedules && !g.isWall && g.either() {
		return g.rpc("debug.tick", map[string]any{"time": g.now})
	}
	return g.sql("process_timeouts", map[string]any{})
}

// survey makes a request that looks at all graphs.
func (g *generator) survey() oracle.Request {
	args := map[string]any{"limit": 1000}
	if g.percent(70) {
		args["state"] = []string{"pending", "acquired", "suspended", "halted",
			"fulfilled"}[g.r.Intn(5)]
	}
	if g.either() {
		return g.rpc("task.search", args)
	}
	return g.sql("search_tasks", args)
}

func (g *generator) request(surface, name string, args map[string]any) oracle.Request {
	request := oracle.Request{Surface: surface, Name: name, Now: g.now,
		Args: normal(args).(map[string]any)}
	if g.isWall {
		request.Now = -1
	}
	return request
}

func (g *generator) rpc(name string, args map[string]any) oracle.Request {
	return g.request("rpc", name, args)
}

func (g *generator) sql(name string, args map[string]any) oracle.Request {
	return g.request("sql", name, args)
}

// either is true half of the time.
func (g *generator) either() bool { return g.r.Intn(2) == 0 }

// percent is true that often.
func (g *generator) percent(n int) bool { return g.r.Intn(100) < n }

func (g *generator) pid(b *board) string {
	return fmt.Sprintf("%s.w%d", b.name, g.r.Intn(3))
}

func (g *generator) ttl() int64 {
	if g.percent(60) {
		return 1 + g.r.Int63n(g.step*3/2)
	}
	return farMS
}

// deadline is near, far, or over.
func (g *generator) deadline() int64 {
	switch n := g.r.Intn(100); {
	case n < 4:
		return g.now - g.r.Int63n(g.step)
	case n < 60:
		return g.now + 1 + g.r.Int63n(g.step*3)
	}
	return g.now + farMS
}

func (g *generator) target(b *board) string { return "poll://any@" + b.name }

func (g *generator) address(b *board) string {
	return fmt.Sprintf("poll://uni@%s/%d", b.name, g.r.Intn(3))
}

func (g *generator) tags(b *board, id string) map[string]any {
	tags := map[string]any{"graph": b.name}
	switch kindOf(id) {
	case targeted:
		tags["resonate:target"] = g.target(b)
		if g.percent(10) {
			tags["resonate:delay"] = strconv.FormatInt(g.now+g.r.Int63n(g.step), 10)
		}
	case external:
		tags["resonate:external"] = "true"
	case timer:
		tags["resonate:timer"] = "true"
	}
	return tags
}

// number is a value that no other request has.
func (g *generator) number() string {
	g.serial++
	return strconv.Itoa(g.serial)
}

// data is a value of the protocol, and of SQL at the same time.
func (g *generator) data() map[string]any {
	if g.percent(20) {
		return map[string]any{}
	}
	return map[string]any{"headers": map[string]any{"h": g.number()},
		"data": base64.StdEncoding.EncodeToString([]byte(g.number()))}
}

// key adds an idempotency key and strictness, or neither.
func (g *generator) key(args map[string]any) map[string]any {
	if g.percent(60) {
		args["idempotency_key"] = []string{"k1", "k2"}[g.r.Intn(2)]
	}
	if g.percent(40) {
		args["strict"] = g.either()
	}
	return args
}

func (g *generator) createArgsRPC(b *board, id string) map[string]any {
	return map[string]any{"id": id, "timeoutAt": g.deadline(), "param": g.data(),
		"tags": g.tags(b, id)}
}

func (g *generator) createArgsSQL(b *board, id string) map[string]any {
	args := map[string]any{"id": id, "tags": g.tags(b, id), "param": g.r.Intn(1000)}
	if deadline := g.deadline(); g.either() || deadline <= g.now {
		args["timeout_at"] = deadline
	} else {
		args["timeout"] = deadline - g.now
	}
	return g.key(args)
}

func (g *generator) createRPC(b *board) oracle.Request {
	return g.rpc("promise.create", g.createArgsRPC(b, b.pickNew(g.r, "temi")))
}

func (g *generator) createSQL(b *board) oracle.Request {
	return g.sql("create_promise", g.createArgsSQL(b, b.pickNew(g.r, "temi")))
}

func (g *generator) createWithCallback(b *board) oracle.Request {
	args := g.createArgsSQL(b, b.pickNew(g.r, "temi"))
	args["callback_id"] = fmt.Sprint("c", g.r.Intn(3))
	args["address"] = g.address(b)
	return g.sql("create_promise_and_callback", args)
}

func action(kind string, data map[string]any) map[string]any {
	return map[string]any{"kind": kind, "head": map[string]any{}, "data": data}
}

func (g *generator) createTaskRPC(b *board) oracle.Request {
	id := b.pickNew(g.r, "t")
	return g.rpc("task.create", map[string]any{"pid": g.pid(b), "ttl": g.ttl(),
		"action": action("promise.create", g.createArgsRPC(b, id))})
}

func (g *generator) createTaskSQL(b *board) oracle.Request {
	args := g.createArgsSQL(b, b.pickNew(g.r, "t"))
	args["pid"] = g.pid(b)
	args["ttl"] = g.ttl()
	return g.sql("create_promise_and_task", args)
}

func (g *generator) getPromise(b *board) oracle.Request {
	args := map[string]any{"id": b.pick(g.r, "temi", existing)}
	if g.either() {
		return g.rpc("promise.get", args)
	}
	return g.sql("get_promise", args)
}

func (g *generator) getTask(b *board) oracle.Request {
	args := map[string]any{"id": b.pick(g.r, "t", existing)}
	if g.either() {
		return g.rpc("task.get", args)
	}
	return g.sql("get_task", args)
}

func (g *generator) verdict() string {
	return []string{"resolved", "rejected", "rejected_canceled"}[g.r.Intn(3)]
}

func (g *generator) settleRPC(b *board) oracle.Request {
	return g.rpc("promise.settle", map[string]any{"id": b.pick(g.r, "emit", existing),
		"state": g.verdict(), "value": g.data()})
}

func (g *generator) settleSQL(b *board) oracle.Request {
	args := g.key(map[string]any{"id": b.pick(g.r, "emi", existing), "value": g.r.Intn(1000)})
	return g.sql([]string{"resolve", "reject", "cancel"}[g.r.Intn(3)], args)
}

func (g *generator) registerCallback(b *board) oracle.Request {
	return g.rpc("promise.register_callback", map[string]any{
		"awaited": b.pick(g.r, "emt", unsettled), "awaiter": b.pick(g.r, "t", existing)})
}

func (g *generator) registerListener(b *board) oracle.Request {
	return g.rpc("promise.register_listener", map[string]any{
		"awaited": b.pick(g.r, "emt", unsettled), "address": g.address(b)})
}

func (g *generator) createCallback(b *board) oracle.Request {
	return g.sql("create_callback", map[string]any{
		"promise_id": b.pick(g.r, "emt", unsettled), "callback_id": fmt.Sprint("c", g.r.Intn(3)), "address": g.address(b)})
}

func (g *generator) acquire(b *board) oracle.Request {
	id, version := b.task(g.r, "pending")
	args := map[string]any{"id": id, "version": version, "pid": g.pid(b), "ttl": g.ttl()}
	if g.either() {
		return g.rpc("task.acquire", args)
	}
	return g.sql("acquire_task", args)
}

// heartbeat is for a task, or for all of a process, which is one of this graph.
func (g *generator) heartbeat(b *board) oracle.Request {
	if g.percent(20) {
		if g.either() {
			return g.sql("heartbeat_tasks", map[string]any{"pid": g.pid(b)})
		}
		return g.rpc("task.heartbeat", map[string]any{"pid": g.pid(b), "tasks": []any{}})
	}
	id, version := b.task(g.r, "acquired")
	if g.either() {
		return g.rpc("task.heartbeat", map[string]any{"pid": g.pid(b),
			"tasks": []any{map[string]any{"id": id, "version": version}}})
	}
	return g.sql("heartbeat_tasks", map[string]any{"pid": g.pid(b),
		"ids": []any{id}, "versions": []any{version}})
}

// other picks a promise that a task may have to do with: rarely its own.
func (g *generator) other(b *board, id string) string {
	for {
		picked := b.pick(g.r, "emt", unsettled)
		if picked != id || g.percent(2) {
			return picked
		}
	}
}

func (g *generator) suspend(b *board) oracle.Request {
	id, version := b.task(g.r, "acquired")
	awaited := []any{g.other(b, id)}
	if second := g.other(b, id); g.percent(40) && second != awaited[0] {
		awaited = append(awaited, second)
	}
	if g.either() {
		return g.sql("suspend_task", map[string]any{"id": id, "version": version,
			"awaited": awaited})
	}
	actions := make([]any, len(awaited))
	for i := range awaited {
		actions[i] = action("promise.register_callback",
			map[string]any{"awaiter": id, "awaited": awaited[i]})
	}
	return g.rpc("task.suspend", map[string]any{"id": id, "version": version,
		"actions": actions})
}

func (g *generator) fulfill(b *board) oracle.Request {
	id, version := b.task(g.r, "acquired")
	if g.either() {
		return g.sql("fulfill_task", map[string]any{"id": id, "version": version,
			"state": g.verdict(), "value": g.r.Intn(1000)})
	}
	return g.rpc("task.fulfill", map[string]any{"id": id, "version": version,
		"action": action("promise.settle", map[string]any{"id": id,
			"state": g.verdict(), "value": g.data()})})
}

func (g *generator) release(b *board) oracle.Request {
	id, version := b.task(g.r, "acquired")
	args := map[string]any{"id": id, "version": version}
	if g.either() {
		return g.rpc("task.release", args)
	}
	return g.sql("release_task", args)
}

func (g *generator) halt(b *board) oracle.Request {
	id, _ := b.task(g.r, "acquired")
	if g.either() {
		return g.rpc("task.halt", map[string]any{"id": id})
	}
	return g.sql("halt_task", map[string]any{"id": id})
}

func (g *generator) continueTask(b *board) oracle.Request {
	id, _ := b.task(g.r, "halted")
	if g.either() {
		return g.rpc("task.continue", map[string]any{"id": id})
	}
	return g.sql("continue_task", map[string]any{"id": id})
}

func (g *generator) fence(b *board) oracle.Request {
	id, version := b.task(g.r, "acquired")
	if g.either() {
		return g.fenceSQL(b, id, version)
	}
	inner := action("promise.settle", map[string]any{"id": g.other(b, id),
		"state": g.verdict(), "value": g.data()})
	if g.either() {
		inner = action("promise.create",
			g.createArgsRPC(b, b.pickNew(g.r, "temi")))
	}
	return g.rpc("task.fence", map[string]any{"id": id, "version": version,
		"action": inner})
}

func (g *generator) fenceSQL(b *board, id string, version int64) oracle.Request {
	args := map[string]any{"id": id, "version": version, "action": "create",
		"promise": g.createArgsSQL(b, b.pickNew(g.r, "temi"))}
	if g.either() {
		args["action"] = "settle"
		args["promise"] = g.key(map[string]any{"id": g.other(b, id),
			"state": g.verdict(), "value": g.r.Intn(1000)})
	}
	return g.sql("fence_task", args)
}

func (g *generator) searchPromises(b *board) oracle.Request {
	args := map[string]any{}
	if g.percent(60) {
		args["state"] = []string{"pending", "resolved", "rejected", "rejected_canceled", "rejected_timedout"}[g.r.Intn(5)]
	}
	if g.either() {
		args["tags"] = map[string]any{"graph": b.name}
		args["limit"] = 1000
		return g.rpc("promise.search", args)
	}
	args["pattern"] = b.name + ".*"
	return g.sql("search_promises", args)
}

func (g *generator) createBatch(b *board) oracle.Request {
	items := make([]any, 2+g.r.Intn(2))
	for i := range items {
		items[i] = g.createArgsSQL(b, b.pickNew(g.r, "temi"))
	}
	return g.sql("create_promises", map[string]any{"promises": items})
}

func (g *generator) settleBatch(b *board) oracle.Request {
	items := make([]any, 2+g.r.Intn(2))
	for i := range items {
		items[i] = g.key(map[string]any{"id": b.pick(g.r, "emi", existing),
			"state": g.verdict(), "value": g.r.Intn(1000)})
	}
	return g.sql("settle_promises", map[string]any{"settlements": items})
}

func (g *generator) dequeueTasks(b *board) oracle.Request {
	return g.sql("dequeue_execute", map[string]any{"address": g.target(b),
		"limit": 1 + g.r.Intn(4)})
}

func (g *generator) dequeueMessages(b *board) oracle.Request {
	return g.sql("dequeue_unblock", map[string]any{"address": g.address(b),
		"limit": 1 + g.r.Intn(4)})
}

func (g *generator) receive(b *board) oracle.Request {
	args := map[string]any{"address": g.address(b), "limit": 1 + g.r.Intn(4)}
	if g.either() {
		args["visibility"] = 1 + g.r.Int63n(g.step)
	}
	return g.sql("receive", args)
}

func (g *generator) acknowledge(b *board) oracle.Request {
	args := map[string]any{"promise_id": b.pick(g.r, "emt", existing), "kind": "listener",
		"callback_id": g.address(b)}
	if g.either() {
		args["kind"], args["callback_id"] = "callback", fmt.Sprint("c", g.r.Intn(3))
	}
	return g.sql("acknowledge", args)
}

func (g *generator) scheduleID(b *board) string {
	return fmt.Sprintf("%s.s%d", b.name, g.r.Intn(2))
}

// createSchedule makes a rule that fires between most phases.
func (g *generator) createSchedule(b *board) oracle.Request {
	if !g.hasSchedules {
		return g.createSQL(b)
	}
	tags := g.tags(b, b.name+"."+[]string{"t", "e", "m"}[g.r.Intn(3)])
	delete(tags, "resonate:delay")
	return g.sql("create_schedule", map[string]any{"id": g.scheduleID(b),
		"cron": "* * * * *", "timeout": g.step + g.r.Int63n(g.step*4), "tags": tags})
}

func (g *generator) deleteSchedule(b *board) oracle.Request {
	return g.sql("delete_schedule", map[string]any{"id": g.scheduleID(b)})
}
