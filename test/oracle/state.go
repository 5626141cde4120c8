package oracle

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"sort"
	"strconv"
	"strings"
)

// never is the deadline of a promise without one.
const never = math.MaxInt64

// Options are the settings that the model has to know.
type Options struct {
	// Strict is resonate.profile = strict; the default is sdk.
	Strict bool
	// Worker tells that requests come from a role that is only a worker.
	Worker bool
	// Partition is the call graph whose part of the database this is, if it
	// is not all of it.  Of what touches all graphs, only this part is
	// checked.
	Partition string
	// Concurrent tells that others work at the same time, so that what skips
	// rows locked by others may do less, and the siblings that are sent along with
	// a task need not be current.
	Concurrent bool
	// The settings of the same names; zero is their default.
	DefaultTimeout    int64
	RetryTimeout      int64
	RetryTimeoutMax   int64
	RetryBackoff      float64
	VisibilityTimeout int64
	ScheduleGrace     int64
	BranchLimit       int
	BatchSize         int
}

func orElse(value, standard int64) int64 {
	if value == 0 {
		return standard
	}
	return value
}

func (o Options) withDefaults() *Options {
	o.DefaultTimeout = orElse(o.DefaultTimeout, 86_400_000)
	o.RetryTimeout = orElse(o.RetryTimeout, 5_000)
	o.RetryTimeoutMax = orElse(o.RetryTimeoutMax, 300_000)
	o.VisibilityTimeout = orElse(o.VisibilityTimeout, 30_000)
	o.ScheduleGrace = orElse(o.ScheduleGrace, 60_000)
	o.BranchLimit = int(orElse(int64(o.BranchLimit), 100))
	o.BatchSize = int(orElse(int64(o.BatchSize), 1000))
	if o.RetryBackoff == 0 {
		o.RetryBackoff = 2
	}
	return &o
}

// State is the persistent data as the model has it.  All that it leads to is
// never changed: a change makes new records and a new State.
type State struct {
	options   *Options
	promises  map[string]*promise
	messages  map[messageKey]*message
	schedules map[string]*schedule

	// Which of the maps belong to this State alone, while it is being made.
	ownsPromises, ownsMessages, ownsSchedules bool

	// The sum of the digests of all rows.
	sum digest
}

// digest stands for a row; sums of different sets of rows do not collide in
// practice.
type digest [2]uint64

func digestOf(text string) digest {
	h := fnv.New128a()
	_, _ = h.Write([]byte(text))
	sum := h.Sum(nil)
	return digest{binary.BigEndian.Uint64(sum), binary.BigEndian.Uint64(sum[8:])}
}

func (d *digest) add(other digest) {
	d[0] += other[0]
	d[1] += other[1]
}

func (d *digest) subtract(other digest) {
	d[0] -= other[0]
	d[1] -= other[1]
}

// States of promises and of tasks, as both interfaces name them.
const (
	pending  = "pending"
	resolved = "resolved"
	rejected = "rejected"
	canceled = "rejected_canceled"
	timedOut = "rejected_timedout"

	acquired  = "acquired"
	suspended = "suspended"
	halted    = "halted"
	fulfilled = "fulfilled"
)

// promise is a promise as it is stored, with its task and everything that
// waits for it.
type promise struct {
	id        string
	state     string
	param     payload
	value     payload
	tags      map[string]string
	timeoutAt int64
	createdAt int64
	settledAt int64
	external  bool
	// The idempotency keys, nil if there is none.
	keyForCreate   *string
	keyForComplete *string

	task      *task      // nil if it has no target
	awaiters  []string   // ids of tasks, in order
	callbacks []callback // in order of their keys

	// The row for a dump, and its digest; put() makes them.
	text   string
	digest digest
}

// callback is who is told by a message: of the typed functions, or a listener,
// whose id is its address.
type callback struct {
	kind    string
	id      string
	address string
}

type task struct {
	state   string
	version int64
	resumes int64
	pid     string
	ttl     int64
	// The next offer of a pending task, or the end of the lease of an acquired
	// one.  After repeated setbacks the wait is not exactly specified; then it
	// is somewhere from clock to clockMax.
	clock    int64
	clockMax int64
	// From when others may have a pending task, than the one process that it is
	// for and than those who gave it back: somewhere from others to othersMax;
	// zero is never.
	others, othersMax int64
	setbacks          int
	// Offers of a pending task that nobody has taken.
	offers int
}

type messageKey struct{ promise, kind, id string }

type message struct {
	address string
	due     int64
	attempt int64

	text   string
	digest digest
}

type schedule struct {
	id         string
	cron       string
	timeZone   *string
	catchUp    string
	template   string
	timeout    int64
	param      payload
	tags       map[string]string
	createdAt  int64
	nextRunAt  int64
	lastRunAt  int64
	hasLastRun bool

	fired, missed int64
	lastMissedAt  int64 // if any was

	text   string
	digest digest
}

// New gives the state of an empty database.
func New() *State { return NewWith(Options{}) }

// NewWith gives the state of an empty database that has other settings.
func NewWith(options Options) *State {
	return &State{
		options:   options.withDefaults(),
		promises:  map[string]*promise{},
		messages:  map[messageKey]*message{},
		schedules: map[string]*schedule{},
	}
}

// draft gives a state to change.
func (s *State) draft() *State {
	return &State{
		options: s.options, promises: s.promises, messages: s.messages, schedules: s.schedules, sum: s.sum,
	}
}

func (s *State) ownPromises() {
	if s.ownsPromises {
		return
	}
	promises := make(map[string]*promise, len(s.promises)+1)
	for id, old := range s.promises {
		promises[id] = old
	}
	s.promises, s.ownsPromises = promises, true
}

// put stores a record, which must not be changed afterwards.
func (s *State) put(p *promise) {
	s.deletePromise(p.id)
	p.text = p.describe()
	p.digest = digestOf(p.text)
	s.sum.add(p.digest)
	s.promises[p.id] = p
}

func (s *State) deletePromise(id string) {
	s.ownPromises()
	if old := s.promises[id]; old != nil {
		s.sum.subtract(old.digest)
	}
	delete(s.promises, id)
}

func (s *State) ownMessages() {
	if s.ownsMessages {
		return
	}
	messages := make(map[messageKey]*message, len(s.messages)+1)
	for key, old := range s.messages {
		messages[key] = old
	}
	s.messages, s.ownsMessages = messages, true
}

func (s *State) putMessage(key messageKey, m *message) {
	s.deleteMessage(key)
	m.text = fmt.Sprintf("message %s %q of %q to %q due %d attempt %d",
		key.kind, key.id, key.promise, m.address, m.due, m.attempt)
	m.digest = digestOf(m.text)
	s.sum.add(m.digest)
	s.messages[key] = m
}

func (s *State) deleteMessage(key messageKey) {
	s.ownMessages()
	if old := s.messages[key]; old != nil {
		s.sum.subtract(old.digest)
	}
	delete(s.messages, key)
}

func (s *State) ownSchedules() {
	if s.ownsSchedules {
		return
	}
	schedules := make(map[string]*schedule, len(s.schedules)+1)
	for id, old := range s.schedules {
		schedules[id] = old
	}
	s.schedules, s.ownsSchedules = schedules, true
}

func (s *State) putSchedule(row *schedule) {
	s.deleteSchedule(row.id)
	row.text = row.describe()
	row.digest = digestOf(row.text)
	s.sum.add(row.digest)
	s.schedules[row.id] = row
}

func (s *State) deleteSchedule(id string) {
	s.ownSchedules()
	if old := s.schedules[id]; old != nil {
		s.sum.subtract(old.digest)
	}
	delete(s.schedules, id)
}

// promiseIDs gives the ids in byte order.
func (s *State) promiseIDs() []string {
	ids := make([]string, 0, len(s.promises))
	for id := range s.promises {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	return ids
}

func (s *State) scheduleIDs() []string {
	ids := make([]string, 0, len(s.schedules))
	for id := range s.schedules {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	return ids
}

func (s *State) messageKeys() []messageKey {
	keys := make([]messageKey, 0, len(s.messages))
	for key := range s.messages {
		keys = append(keys, key)
	}
	sort.Slice(keys, func(i, j int) bool {
		a, b := keys[i], keys[j]
		if a.promise != b.promise {
			return a.promise < b.promise
		}
		if a.kind != b.kind {
			return a.kind < b.kind
		}
		return a.id < b.id
	})
	return keys
}

// Key is a canonical string: equal states have equal keys.
func (s *State) Key() string {
	return strconv.FormatUint(s.sum[0], 36) + "." + strconv.FormatUint(s.sum[1], 36)
}

// String is a dump for reports, with one line for each row.
func (s *State) String() string {
	var b strings.Builder
	for _, id := range s.promiseIDs() {
		b.WriteString(s.promises[id].text + "\n")
	}
	for _, key := range s.messageKeys() {
		b.WriteString(s.messages[key].text + "\n")
	}
	for _, id := range s.scheduleIDs() {
		b.WriteString(s.schedules[id].text + "\n")
	}
	return b.String()
}

func (row *schedule) describe() string {
	return fmt.Sprintf("schedule %q %q %s %s template %q timeout %d param %s tags %s created %d next %d last %s fired %d missed %d until %d",
		row.id, row.cron, optional(row.timeZone), row.catchUp, row.template, row.timeout, row.param.describe(),
		describeTags(row.tags), row.createdAt, row.nextRunAt, row.lastRun(), row.fired, row.missed, row.lastMissedAt)
}

func (row *schedule) lastRun() string {
	if !row.hasLastRun {
		return "none"
	}
	return strconv.FormatInt(row.lastRunAt, 10)
}

func optional(text *string) string {
	if text == nil {
		return "none"
	}
	return strconv.Quote(*text)
}

func describeTags(tags map[string]string) string {
	names := make([]string, 0, len(tags))
	for name := range tags {
		names = append(names, name)
	}
	sort.Strings(names)
	for i, name := range names {
		names[i] = strconv.Quote(name) + "=" + strconv.Quote(tags[name])
	}
	return "{" + strings.Join(names, " ") + "}"
}

func (p *promise) describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "promise %q %s created %d timeout %d settled %d", p.id, p.state, p.createdAt, p.timeoutAt,
		p.settledAt)
	fmt.Fprintf(&b, " external %t keys %s %s param %s value %s tags %s", p.external, optional(p.keyForCreate),
		optional(p.keyForComplete), p.param.describe(), p.value.describe(), describeTags(p.tags))
	if t := p.task; t != nil {
		fmt.Fprintf(&b, " task %s v%d resumes %d pid %q ttl %d clock %d..%d others %d..%d setbacks %d offers %d", t.state,
			t.version, t.resumes, t.pid, t.ttl, t.clock, t.clockMax, t.others, t.othersMax, t.setbacks, t.offers)
	}
	if len(p.awaiters) > 0 {
		fmt.Fprintf(&b, " awaiters %q", p.awaiters)
	}
	for _, c := range p.callbacks {
		fmt.Fprintf(&b, " %s %q to %q", c.kind, c.id, c.address)
	}
	return b.String()
}
