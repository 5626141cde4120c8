package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"sync"
	"sync/atomic"
	"time"

	"resonate/test/client"
	"resonate/test/oracle"
)

// The virtual clock starts far in the future, so that nothing that goes by the
// time of day, such as the worker, ever finds anything due.
const startMS = 4_000_000_000_000

// What share of the operations loses its reply, in thousands.
const (
	cutShare    = 15
	killedShare = 15
)

// How often, in percent, the rows are read between two phases.  The more often,
// the less remains open; but what lies about for several phases, due and not
// done, must come up, too.
const inspectShare = 60

// settings are what a history is made of, besides the seed.
type settings struct {
	sessions, ops, phases int
}

// recorder collects the operations of one history.
type recorder struct {
	server  *server
	start   time.Time
	phase   int
	floor   int64 // the time of day when the phase began
	boards  map[string]*board
	pending sync.WaitGroup // watchers of lost operations
	clients int32

	mu   sync.Mutex
	ops  []*Op
	fail error
}

// session is one driver of operations; it has a connection at a time.
type session struct {
	*recorder
	number   int
	client   int
	settings string
	after    string // a statement in the transaction of each operation, or empty
	gen      *generator
	conn     *client.Session
	backend  string
}

// record runs a history and returns it.  Sessions run freely within a phase.
// Between phases, when none has anything under way, the clock moves: so every
// operation has one instant, and the clock never goes back for anyone.  In some
// histories the clock is the time of day instead, and deadlines pass while
// operations wait for each other.
func record(s *server, seed int64, set settings) (*History, error) {
	r := rand.New(rand.NewSource(seed))
	h := &History{Seed: seed, Sessions: set.sessions, Slow: r.Intn(4) != 0,
		Wall: r.Intn(5) == 0}
	if err := s.reset(); err != nil {
		return nil, err
	}
	rec := &recorder{server: s, start: time.Now(), boards: map[string]*board{}}
	boards := makeBoards(2+r.Intn(4), h.Wall)
	for _, b := range boards {
		rec.boards[b.name] = b
		h.Graphs = append(h.Graphs, b.name)
	}
	sessions, err := rec.openSessions(r, h, boards)
	if err != nil {
		return nil, err
	}
	now := int64(startMS)
	for rec.phase = 0; rec.phase < set.phases && rec.fail == nil; rec.phase++ {
		now += 1 + r.Int63n(stepMS)
		rec.runPhase(sessions, now, share(set.ops, set.phases, rec.phase))
		if rec.fail == nil && (rec.phase == set.phases-1 || r.Intn(100) < inspectShare) {
			rec.fail = rec.inspect(sessions[0], now)
		}
	}
	for _, one := range sessions {
		one.conn.Close()
	}
	h.Ops = rec.ops
	return h, rec.fail
}

// makeBoards gives the graphs of a history: few, so that sessions share objects.
func makeBoards(n int, isWall bool) []*board {
	cycle := kindCycle
	if isWall {
		cycle = wallKindCycle
	}
	boards := make([]*board, n)
	for i := range boards {
		boards[i] = newBoard(fmt.Sprintf("g%d", i+1), cycle)
	}
	return boards
}

// share is the size of part i of n parts of a whole.
func share(whole, n, i int) int { return whole*(i+1)/n - whole*i/n }

func (rec *recorder) openSessions(r *rand.Rand, h *History, boards []*board) ([]*session, error) {
	sessions := make([]*session, h.Sessions)
	hasSchedules := r.Intn(2) == 0
	step := int64(stepMS)
	if h.Wall {
		step = wallStepMS
	}
	for i := range sessions {
		one := &session{recorder: rec, number: i,
			gen: &generator{r: rand.New(rand.NewSource(r.Int63())), boards: boards,
				step: step, isWall: h.Wall,
				serial: i * 1_000_000, hasSchedules: hasSchedules}}
		if h.Slow {
			one.after = linger
		}
		if r.Intn(2) == 0 {
			one.settings += fmt.Sprintf("SET test.linger_ms = %d; ", 1+r.Intn(4))
		}
		if r.Intn(8) == 0 {
			one.settings += "SET default_transaction_isolation = 'repeatable read'; "
		}
		if err := one.open(); err != nil {
			return nil, err
		}
		sessions[i] = one
	}
	return sessions, nil
}

func (one *session) open() error {
	conn, backend, err := one.server.openSession(one.settings)
	one.conn, one.backend = conn, backend
	one.client = int(atomic.AddInt32(&one.clients, 1)) - 1
	return err
}

// runPhase has all sessions make n operations together, and waits until nothing
// is under way any more.
func (rec *recorder) runPhase(sessions []*session, now int64, n int) {
	var running sync.WaitGroup
	left := int32(n)
	rec.floor = time.Now().UnixMilli()
	for _, one := range sessions {
		running.Add(1)
		go func(one *session) {
			defer running.Done()
			one.gen.now = now
			for isFirst := true; atomic.AddInt32(&left, -1) >= 0; isFirst = false {
				if err := one.step(isFirst); err != nil {
					rec.failed(fmt.Errorf("session %d: %w", one.number, err))
					return
				}
			}
		}(one)
	}
	running.Wait()
	rec.pending.Wait()
}

func (rec *recorder) failed(err error) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if rec.fail == nil {
		rec.fail = err
	}
}

// step makes one operation.  At the beginning of a phase, when much is due,
// several sessions sweep at the same time.
func (one *session) step(isFirst bool) error {
	if one.gen.isWall {
		one.gen.now = time.Now().UnixMilli()
	}
	op := &Op{Client: one.client, Session: one.number, Phase: one.phase}
	if (isFirst && one.gen.percent(30)) || one.gen.percent(3) {
		op.Request = one.gen.sweep()
	} else if one.gen.percent(2) {
		op.Request = one.gen.survey()
	} else {
		op.Graph, op.Request = one.gen.next()
	}
	err := one.perform(op, one.fault())
	if err != nil {
		return fmt.Errorf("%s: %w", op.describe(), err)
	}
	if b := one.boards[op.Graph]; b != nil {
		b.learn(op)
	}
	return nil
}

func (rec *recorder) elapsed() int64 { return int64(time.Since(rec.start)) }

// keep adds an operation, whose return may still be open.
func (rec *recorder) keep(op *Op) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	op.ID = len(rec.ops)
	rec.ops = append(rec.ops, op)
}

// fault chooses how the reply to an operation is to be lost; mostly it is not.
func (one *session) fault() string {
	switch n := one.gen.r.Intn(1000); {
	case n < cutShare:
		return fateCut
	case n < cutShare+killedShare:
		return fateKilled
	}
	return ""
}

// perform makes an operation and keeps it, with what became of it.
func (one *session) perform(op *Op, intended string) error {
	var fault sync.WaitGroup
	delay := time.Duration(one.gen.r.Int63n(int64(4 * time.Millisecond)))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	op.Call = one.elapsed()
	if one.gen.isWall {
		op.From, op.Floor = time.Now().UnixMilli(), one.floor
	}
	if intended != "" {
		fault.Add(1)
		go func() {
			defer fault.Done()
			one.harm(intended, delay)
		}()
	}
	response, _, err := one.conn.DoBetween(ctx, "", op.Request, one.after)
	op.Return = one.elapsed()
	if one.gen.isWall {
		op.To = time.Now().UnixMilli()
	}
	one.keep(op)
	fault.Wait()

	if err == nil {
		op.Response = response
		op.Fate = fateAnswered
		if isAbort(response) {
			op.Fate = fateAborted
		}
	} else if intended != "" && errors.Is(err, client.ErrLost) {
		op.Fate = intended
		op.Return = -1
	} else {
		return err
	}
	if intended == "" {
		return nil
	}
	return one.replace(op)
}

// isAbort tells whether the server has taken everything back, for reasons that
// have nothing to do with the request.
func isAbort(response *oracle.Response) bool {
	return response.SQLState == "40001" || response.SQLState == "40P01"
}

// harm ends the connection, or its backend, after a delay.
func (one *session) harm(how string, delay time.Duration) {
	time.Sleep(delay)
	if how == fateCut {
		one.conn.Break()
		return
	}
	if err := one.server.kill(one.backend); err != nil {
		one.failed(fmt.Errorf("cannot end a backend: %w", err))
	}
}

// replace gives the session another connection.  Meanwhile the old backend may
// still be at work; the operation returns when it is gone.
func (one *session) replace(op *Op) error {
	backend := one.backend
	one.conn.Close()
	one.pending.Add(1)
	go func() {
		defer one.pending.Done()
		if err := one.awaitEnd(backend); err != nil {
			one.failed(err)
		}
		if op.isLost() {
			op.Return = one.elapsed()
		}
		if op.isLost() && one.gen.isWall {
			op.To = time.Now().UnixMilli()
		}
	}()
	return one.open()
}

func (rec *recorder) awaitEnd(backend string) error {
	for limit := time.Now().Add(patience); time.Now().Before(limit); {
		gone, err := rec.server.isGone(backend)
		if gone || err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("the backend %s does not end", backend)
}

// inspect adds the rows that are there at a quiet moment to the history, so that
// they must be those of the model, and checks the invariants.
func (rec *recorder) inspect(one *session, now int64) error {
	if err := one.storeDeadlines(); err != nil {
		return err
	}
	clock := fmt.Sprint(now)
	if one.gen.isWall {
		clock = ""
	}
	violations, err := rec.server.query(fmt.Sprintf("SET resonate.test_clock = '%s'; "+
		"SELECT * FROM resonate.check_invariants()", clock))
	if err != nil {
		return err
	}
	for _, row := range violations[0].Rows {
		return fmt.Errorf("invariant violated: %v", row)
	}
	if one.gen.isWall {
		// What becomes due between one look and the next has no fixed state.
		return nil
	}
	op := &Op{Client: one.client, Session: one.number, Phase: rec.phase, Fate: fateAnswered,
		Quiet: true, Request: oracle.Request{Name: nameRows, Now: now}}
	op.Call = rec.elapsed()
	if op.Rows, err = rec.server.dump(); err != nil {
		return err
	}
	op.Return = rec.elapsed()
	rec.keep(op)
	return nil
}

// storeDeadlines has all deadlines that have passed stored: by a sweep, and those
// of internal promises by a look at them.  By the time of day it is a look at all.
func (one *session) storeDeadlines() error {
	kinds := string(internal)
	ops := []*Op{{Request: one.gen.rpc("debug.tick", map[string]any{"time": one.gen.now})}}
	if one.gen.isWall {
		kinds, ops = one.gen.boards[0].cycle, nil
	}
	for _, b := range one.gen.boards {
		for _, id := range b.find(0, kinds, anything) {
			ops = append(ops, &Op{Graph: b.name,
				Request: one.gen.sql("get_promise", map[string]any{"id": id})})
		}
	}
	for _, op := range ops {
		op.Client, op.Session, op.Phase, op.Quiet = one.client, one.number, one.phase, true
		if err := one.perform(op, ""); err != nil {
			return err
		}
	}
	return nil
}
