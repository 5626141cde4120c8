package oracle

import (
	"math"
	"sort"
	"strings"
)

// The rules of promises and tasks, which both interfaces share.

func saturatingAdd(a, b int64) int64 {
	if b > 0 && a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// isLapsed tells whether a promise is past its deadline without anybody having
// stored that.
func (p *promise) isLapsed(now int64) bool {
	return p.state == pending && p.timeoutAt != never && now >= p.timeoutAt
}

func (p *promise) isTimer() bool { return p.tags["resonate:timer"] == "true" }

// hasTask tells whether a promise with these tags has a task: a timer has none,
// even if it has a target.
func hasTask(tags map[string]string) bool {
	_, hasTarget := tags["resonate:target"]
	return hasTarget && tags["resonate:timer"] != "true"
}

func (p *promise) isTargeted() bool { return hasTask(p.tags) }

// deadlineState is what a promise is after its deadline.
func deadlineState(tags map[string]string) string {
	if tags["resonate:timer"] == "true" {
		return resolved
	}
	return timedOut
}

// view gives the promise as it is now, and its task with it.
func (p *promise) view(now int64) *promise {
	if !p.isLapsed(now) {
		return p
	}
	seen := *p
	seen.state, seen.settledAt = deadlineState(p.tags), p.timeoutAt
	if p.task != nil {
		seen.task = &task{state: fulfilled, version: p.task.version}
	}
	return &seen
}

// creation is what a request wants to create.
type creation struct {
	id        string
	timeoutAt int64
	param     payload
	tags      map[string]string
	key       *string
	strict    bool
}

// lease is who wants a task.
type lease struct {
	pid string
	ttl int64
}

func isExternal(tags map[string]string) bool {
	return hasTask(tags) || tags["resonate:external"] == "true" || tags["resonate:timer"] == "true" ||
		tags["resonate:scope"] == "global"
}

// originOf is the call graph of a promise with that id and these tags.
func originOf(id string, tags map[string]string) string {
	if origin, ok := tags["resonate:origin"]; ok {
		return origin
	}
	origin, _, _ := strings.Cut(id, ":")
	return origin
}

// origin is the call graph that a promise belongs to, or would by its id.
func (s *State) origin(id string) string {
	if p := s.promises[id]; p != nil {
		return originOf(id, p.tags)
	}
	return originOf(id, nil)
}

// areOriginsApart tells whether a task may not await or fence a promise because
// it is of another call graph: in the profile strict only.
func (s *State) areOriginsApart(task, origin string) bool {
	return s.options.Strict && s.origin(task) != origin
}

// insert makes a promise that does not exist yet; its task is the holder's, if
// there is one.
func (s *State) insert(c creation, holder *lease, now int64) *promise {
	p := &promise{
		id: c.id, state: pending, param: c.param, tags: c.tags, timeoutAt: c.timeoutAt, createdAt: now,
		external: isExternal(c.tags), keyForCreate: c.key,
	}
	isAlive := c.timeoutAt > now || c.timeoutAt == never
	if !isAlive {
		p.createdAt, p.settledAt = c.timeoutAt, c.timeoutAt
		p.state = deadlineState(c.tags)
	}
	if p.isTargeted() {
		switch {
		case !isAlive:
			p.task = &task{state: fulfilled}
		case holder != nil:
			p.task = (&task{}).acquire(*holder, now)
		default:
			clock := now
			if delay, ok := delayOf(c.tags); ok && delay > now {
				clock = delay
			}
			p.task = s.preferring(p, task{state: pending, clock: clock, clockMax: clock})
		}
	}
	s.put(p)
	return p
}

func (t *task) acquire(holder lease, now int64) *task {
	end := saturatingAdd(now, holder.ttl)
	return &task{
		state: acquired, version: t.version + 1, pid: holder.pid, ttl: holder.ttl, clock: end, clockMax: end,
		setbacks: t.setbacks,
	}
}

// settlement is how a request wants to settle.
type settlement struct {
	id     string
	state  string
	value  payload
	key    *string
	strict bool
}

// settle settles a pending promise and does all that follows from it.
func (s *State) settle(p *promise, state string, value payload, key *string, settledAt, now int64) *promise {
	done := *p
	done.state, done.value, done.keyForComplete, done.settledAt = state, value, key, settledAt
	done.awaiters, done.callbacks = nil, nil
	if p.task != nil {
		done.task = &task{state: fulfilled, version: p.task.version}
	}
	s.put(&done)
	for _, c := range p.callbacks {
		s.putMessage(messageKey{p.id, c.kind, c.id}, &message{address: c.address, due: now})
	}
	for _, id := range p.awaiters {
		s.resume(id, now)
	}
	return &done
}

// settleNow does so on request; nothing is settled before its birth, whatever
// the clock says.
func (s *State) settleNow(p *promise, want settlement, now int64) *promise {
	at := now
	if at < p.createdAt {
		at = p.createdAt
	}
	return s.settle(p, want.state, want.value, want.key, at, now)
}

// lapse stores a deadline that has passed.
func (s *State) lapse(p *promise, now int64) *promise {
	if !p.isLapsed(now) {
		return p
	}
	return s.settle(p, deadlineState(p.tags), payload{}, nil, p.timeoutAt, now)
}

// resume tells a task that something it waits for has settled.
func (s *State) resume(id string, now int64) {
	p := s.promises[id]
	if p == nil || p.task == nil || p.state != pending || p.isLapsed(now) {
		return
	}
	t := *p.task
	t.resumes++
	if t.state == suspended {
		t = *s.preferring(p, task{state: pending, version: t.version, resumes: 1, clock: now, clockMax: now})
	}
	s.putTask(p, &t)
}

func (s *State) putTask(p *promise, t *task) {
	changed := *p
	changed.task = t
	s.put(&changed)
}

// lookUp gives the promise of that id after storing a deadline that has passed,
// nil if there is none.
func (s *State) lookUp(id string, now int64) *promise {
	p := s.promises[id]
	if p == nil {
		return nil
	}
	return s.lapse(p, now)
}

// decideCreate answers a create for a promise that exists and is up to date.
func decideCreate(p *promise, want creation) int {
	if keysMatch(p.keyForCreate, want.key) && (p.state == pending || !want.strict) {
		return 2000
	}
	return 4090
}

func keysMatch(stored, given *string) bool {
	return stored != nil && given != nil && *stored == *given
}

var alreadySettled = map[string]int{resolved: 4030, rejected: 4031, canceled: 4032, timedOut: 4033}

// complete answers a settlement by the rules of the typed functions.
func (s *State) complete(want settlement, now int64) (int, *promise) {
	p := s.lookUp(want.id, now)
	switch {
	case p == nil:
		return 4040, nil
	case p.state == pending:
		return 2010, s.settleNow(p, want, now)
	case p.state == timedOut && !want.strict:
		return 2000, p
	case keysMatch(p.keyForComplete, want.key) && (!want.strict || p.state == want.state):
		return 2000, p
	}
	return alreadySettled[p.state], p
}

// create answers a create by the rules of the typed functions.
func (s *State) create(want creation, now int64) (int, *promise) {
	if p := s.lookUp(want.id, now); p != nil {
		return decideCreate(p, want), p
	}
	return 2010, s.insert(want, nil, now)
}

func (s *State) addAwaiter(id, awaiter string) {
	p := s.promises[id]
	at := sort.SearchStrings(p.awaiters, awaiter)
	if at < len(p.awaiters) && p.awaiters[at] == awaiter {
		return
	}
	changed := *p
	changed.awaiters = append(append(append([]string(nil), p.awaiters[:at]...), awaiter), p.awaiters[at:]...)
	s.put(&changed)
}

func (c callback) isBefore(other callback) bool {
	return c.kind < other.kind || c.kind == other.kind && c.id < other.id
}

// addCallback tells whether it is new.
func (s *State) addCallback(id string, c callback) bool {
	p := s.promises[id]
	at := sort.Search(len(p.callbacks), func(i int) bool { return !p.callbacks[i].isBefore(c) })
	if at < len(p.callbacks) && p.callbacks[at].kind == c.kind && p.callbacks[at].id == c.id {
		return false
	}
	changed := *p
	changed.callbacks = append(append(append([]callback(nil), p.callbacks[:at]...), c), p.callbacks[at:]...)
	s.put(&changed)
	return true
}

// setBack gives a task that lost its holder: it is offered at once the first
// time, and then after a wait that grows.
func (s *State) setBack(p *promise, now int64) *task {
	o, t := s.options, p.task
	back := s.preferring(p, task{
		state: pending, version: t.version, resumes: t.resumes, setbacks: t.setbacks + 1, clock: now, clockMax: now,
	})
	if back.setbacks < 2 || o.Strict {
		return back
	}
	back.clock, back.clockMax = o.growingWait(back.setbacks-2, now)
	if !isNotify(p.tags["resonate:target"]) {
		s.withhold(back, now)
	} else {
		back = s.preferring(p, *back)
	}
	// From here on the wait is the longest, however many follow.
	if back.clockMax == saturatingAdd(now, o.RetryTimeoutMax) && o.RetryBackoff > 1 {
		back.setbacks = maxSetbacks(o)
	}
	return back
}

// growingWait tells when a wait is over that follows n others, at the earliest and at
// the latest: all but the first are shorter by an unspecified part of up to a fifth.
func (o *Options) growingWait(n int, now int64) (int64, int64) {
	wait := math.Min(float64(o.RetryTimeout)*math.Pow(o.RetryBackoff, float64(n)), float64(o.RetryTimeoutMax))
	latest := saturatingAdd(now, int64(wait))
	if n == 0 {
		return latest, latest
	}
	return saturatingAdd(now, int64(wait*0.8)), latest
}

// withhold has only those wait who gave the task back; the others do so for less,
// which the documents specify for the first setbacks only.
func (s *State) withhold(t *task, now int64) {
	step := s.options.RetryTimeout / 50
	t.others = saturatingAdd(now, step*int64(t.setbacks-2))
	t.othersMax = t.others
	if t.setbacks >= maxSetbacks(s.options) || t.setbacks > 10 || t.others >= t.clock {
		t.othersMax = t.clockMax
	}
	if t.others > t.clock {
		t.others = t.clock
	}
}

// groupOf is where others may have a task: where the group asks, if it is for one
// process of that.
func groupOf(target string) string {
	if rest := strings.TrimPrefix(target, "poll://any@"); rest != target {
		if group, id, _ := strings.Cut(rest, "/"); group != "" && id != "" {
			return "poll://any@" + group
		}
	}
	return target
}

// preferring gives others a pending task that is for one process of a group, when
// that has not taken it for the retry timeout.
func (s *State) preferring(p *promise, t task) *task {
	if target := p.tags["resonate:target"]; groupOf(target) != target {
		t.others = saturatingAdd(t.clock, s.options.RetryTimeout)
		t.othersMax = saturatingAdd(t.clockMax, s.options.RetryTimeout)
	}
	return &t
}

// maxSetbacks is how many setbacks lead to the longest wait.
func maxSetbacks(o *Options) int {
	return 2 + int(math.Ceil(math.Log(float64(o.RetryTimeoutMax)/float64(o.RetryTimeout))/math.Log(o.RetryBackoff)))
}

func containsTags(tags, wanted map[string]string) bool {
	for name, value := range wanted {
		if got, ok := tags[name]; !ok || got != value {
			return false
		}
	}
	return true
}
