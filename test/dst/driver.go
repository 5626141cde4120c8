package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"resonate/test/client"
	"resonate/test/oracle"
)

// The instant at which every run begins, far from any time of day.
const start = 4_102_444_800_000

const nsessions = 3

// The most states that the model may be in at once, because nobody knows which.
const maxStates = 256

// Every so many ticks, and whenever the model does not know better, what is stored
// is compared with it.  What is wrong there stays wrong, so this finds it as well
// as more would, and takes much less time.
const compareEvery = 8

// So many ticks lie between two VACUUMs.
const vacuumEvery = 250

// driver makes one run.  Whatever it does follows from the seed and from what
// the extension answers.
type driver struct {
	*random
	seed     uint64
	scenario scenario
	// hasNoModel: only what is stored is checked.
	hasNoModel bool
	target     *target
	tick       int
	now        int64

	sessions  [nsessions]*client.Session
	invariant string // the statement of check_invariants()

	states    []*oracle.State
	stored    *store
	reader    reader
	followUps []oracle.Request
	// What the client has lost the reply of, to be sent again.
	unanswered *oracle.Request
	restartAt  map[int]bool

	log      bytes.Buffer
	coverage *coverage
}

// step is a call with all that is to happen to it.
type step struct {
	request  oracle.Request
	session  int
	fault    string // a fault point, or empty
	isLost   bool   // the reply does not arrive
	isUndone bool   // the transaction is rolled back
}

// run makes a whole run of so many ticks.
func (d *driver) run(ticks int) error {
	if err := d.begin(ticks); err != nil {
		return err
	}
	defer d.closeSessions()
	for d.tick = 0; d.tick < ticks; d.tick++ {
		if err := d.disturb(); err != nil {
			return err
		}
		if d.tick%vacuumEvery == vacuumEvery-1 {
			if err := d.vacuum(); err != nil {
				return err
			}
		}
		d.advance()
		if err := d.perform(d.nextStep()); err != nil {
			return err
		}
	}
	return d.drain()
}

func (d *driver) begin(ticks int) error {
	d.now, d.states, d.stored = start, []*oracle.State{oracle.New()}, emptyStore()
	d.restartAt = map[int]bool{}
	if d.scenario.restarts > 0 {
		for n := 1 + d.below(d.scenario.restarts); n > 0; n-- {
			d.restartAt[d.below(ticks)] = true
		}
	}
	for i := range d.sessions {
		if err := d.connect(i); err != nil {
			return err
		}
	}
	_, err := d.sessions[0].Query(context.Background(), "TRUNCATE resonate.promises, resonate.tasks, "+
		"resonate.callbacks, resonate.messages, resonate.awaiters, resonate.schedules")
	return err
}

// vacuum does what autovacuum is not left to, because nobody could say when.  The
// search for the siblings of a task looks at so many entries of an index at most, dead
// ones too, and the model knows of none.
func (d *driver) vacuum() error {
	if d.sessions[0] == nil {
		return nil
	}
	_, err := d.sessions[0].Query(context.Background(), "VACUUM resonate.promises")
	return err
}

// connect opens a session with all that it needs.
func (d *driver) connect(i int) error {
	session, err := d.target.open()
	if err != nil {
		return err
	}
	d.sessions[i] = session
	_, err = session.Query(context.Background(), d.target.prologue)
	return err
}

func (d *driver) closeSessions() {
	for _, session := range d.sessions {
		if session != nil {
			session.Close()
		}
	}
}

// nextStep decides what happens next.
func (d *driver) nextStep() step {
	s := step{session: d.below(nsessions)}
	switch {
	case d.unanswered != nil && d.chance(700):
		s.request = *d.unanswered
		d.unanswered = nil
	case len(d.followUps) > 0 && d.chance(300):
		s.request = d.takeFollowUp()
	default:
		s.request = d.drawKind().draft(d)
	}
	s.request.Now = d.now
	switch {
	case s.request.Name == "debug.tick":
		s.request.Args = map[string]any{"time": d.now}
	case s.request.Name == "worker_step" && d.hasHistory():
		// Which part of history goes is not said.
		s.request.Args = map[string]any{}
	}
	switch {
	case d.chance(d.scenario.faults):
		s.fault = d.faultPoint()
	case d.canBeLost(s.request) && d.chance(d.scenario.lost):
		s.isLost = true
	case d.chance(d.scenario.undone):
		s.isUndone = true
	}
	return s
}

// canBeLost: background work has nobody to answer, a page of a search cannot be
// guessed from where it begins, and of many offers any few may have been taken,
// which makes more states than the model can be in.
func (d *driver) canBeLost(request oracle.Request) bool {
	switch request.Name {
	case "worker_step":
		return false
	case "dequeue_execute", "dequeue_unblock", "receive":
		return len(d.stored[tasks].keys)+len(d.stored[messages].keys) <= 8
	}
	return request.Args["cursor"] == nil
}

func (d *driver) drawKind() kind {
	groups := []weighted[[]weighted[kind]]{{50, rpcKinds}, {32, sqlKinds}, {9, deliveryKinds}, {9, sweepKinds}}
	if d.scenario.isLazy {
		groups = groups[:3]
	}
	return draw(d.random, draw(d.random, groups))
}

func (d *driver) faultPoint() string {
	action := "error"
	if d.chance(100) {
		action = "exit"
	}
	place := draw(d.random, []weighted[string]{{4, "before"}, {4, "after"}, {3, "commit"}})
	nth := 1
	if place != "commit" {
		nth += d.below(1 + d.below(6))
	}
	return fmt.Sprintf("%s %s %d", action, place, nth)
}

// perform makes a step and checks what comes of it.
func (d *driver) perform(s step) error {
	d.logRequest(s)
	response, results, err := d.call(s)
	switch {
	case err != nil && s.fault == "":
		return err
	case err != nil:
		return d.lostSession(s, err)
	case response.SQLState == faultSQLState && s.fault != "":
		return d.failed(s, response)
	case response.SQLState != "":
		return d.raised(s, response)
	}
	d.logAnswer(s, response)
	return d.answered(s, response, results)
}

// The SQLSTATE of fault points.
const faultSQLState = "53100"

// call sends a request, with what has to come before and after it.
func (d *driver) call(s step) (*oracle.Response, []client.Result, error) {
	before := ""
	if s.fault != "" {
		before = "SET resonate.fault_point = '" + s.fault + "'"
	}
	end := noteWritten() + "; COMMIT"
	if s.isUndone {
		end = "ROLLBACK; SET " + writtenSetting + " = '" + everythingWritten + "'"
	}
	if s.fault != "" {
		end += "; SET resonate.fault_point = ''"
	}
	clock := fmt.Sprintf("; SET resonate.test_clock = '%d'; ", d.now)
	return d.sessions[s.session].DoBetween(context.Background(), before, s.request,
		end+clock+"EXECUTE invariants; "+reading)
}

// answered checks a call that has returned.
func (d *driver) answered(s step, response *oracle.Response, results []client.Result) error {
	if !s.isUndone {
		results = results[1:] // of noteWritten
	}
	before := d.stored
	if err := d.readStored(s.session, results); err != nil {
		return err
	}
	if s.isUndone {
		return d.unchanged(before, "it was rolled back")
	}
	d.coverage.count(s.request, response)
	if err := d.checkTransition(before, s.request); err != nil {
		return err
	}
	if s.isLost {
		d.unanswered = &s.request
		d.coverage.lost++
		return d.model(s.request, nil, false)
	}
	d.followUp(s.request, response)
	return d.model(s.request, response, true)
}

// failed checks a call that has met its fault: nothing may have happened.
func (d *driver) failed(s step, response *oracle.Response) error {
	d.coverage.faults[faultName(s.fault)]++
	if d.chance(700) {
		d.unanswered = &s.request
	}
	d.logAnswer(s, response)
	return d.readUnchanged(s.session, "the call has failed")
}

// raised checks a call that has raised an error: nothing may have happened,
// either, and the model must have expected it.
func (d *driver) raised(s step, response *oracle.Response) error {
	d.logAnswer(s, response)
	d.coverage.count(s.request, response)
	if s.fault != "" {
		if _, err := d.sessions[s.session].Query(context.Background(), "SET resonate.fault_point = ''"); err != nil {
			return err
		}
	}
	if err := d.readUnchanged(s.session, "the call has raised "+response.SQLState); err != nil {
		return err
	}
	if s.isUndone {
		return nil
	}
	return d.model(s.request, response, true)
}

// lostSession goes on after the fault that ends the session.
func (d *driver) lostSession(s step, err error) error {
	if !strings.HasPrefix(s.fault, "exit") {
		return fmt.Errorf("the session has ended: %w", err)
	}
	d.coverage.faults[faultName(s.fault)]++
	d.sessions[s.session].Close()
	fmt.Fprintf(&d.log, "  = session %d has ended\n", s.session)
	if d.chance(700) {
		d.unanswered = &s.request
	}
	if err := d.connect(s.session); err != nil {
		return err
	}
	return d.readUnchanged(s.session, "the session has ended in a call")
}

// readStored takes over what was read after a call, invariants first.
func (d *driver) readStored(session int, results []client.Result) error {
	if len(results) != 1+nReadings {
		return fmt.Errorf("%d results instead of %d", len(results), 1+nReadings)
	}
	for _, violated := range results[0].Rows {
		return fmt.Errorf("invariant %v is violated", violated[0])
	}
	next, isComplete, err := d.reader.update(d.stored, results[1:])
	if err != nil {
		return err
	}
	if isComplete {
		d.stored = next
		return nil
	}
	return d.readAll(session)
}

// readAll reads everything and checks the invariants.
func (d *driver) readAll(session int) error {
	results, err := d.sessions[session].Query(context.Background(), fmt.Sprintf(
		"SET %s = '%s'; SET resonate.test_clock = '%d'; EXECUTE invariants; %s",
		writtenSetting, everythingWritten, d.now, reading))
	if err != nil {
		return err
	}
	d.stored = emptyStore()
	return d.readStored(session, results)
}

// readUnchanged reads everything, which must be as it was.
func (d *driver) readUnchanged(session int, why string) error {
	before := d.stored
	if err := d.readAll(session); err != nil {
		return err
	}
	return d.unchanged(before, why)
}

func (d *driver) unchanged(before *store, why string) error {
	if difference := before.difference(d.stored); difference != "" {
		return fmt.Errorf("%s, but %s", why, difference)
	}
	return nil
}

// checkTransition applies the rules to what a call has changed.
func (d *driver) checkTransition(before *store, request oracle.Request) error {
	if before == d.stored {
		return nil
	}
	d.coverage.countEdges(before, d.stored)
	c := &change{before: before, after: d.stored, now: d.now}
	switch request.Name {
	case "process_timeouts", "debug.tick", "dequeue_execute", "receive":
		c.isInternal = true
	case "worker_step":
		c.isInternal, c.delivers, c.prunes = true, true, true
	case "prune":
		c.isInternal, c.prunes = true, true
	case "dequeue_unblock", "acknowledge":
		c.isInternal, c.delivers = true, true
	case "schedule.delete", "delete_schedule":
		c.unschedules = true
	}
	if found := c.violations(); len(found) > 0 {
		return fmt.Errorf("what is stored has changed as it must not:\n  %s", strings.Join(found, "\n  "))
	}
	return nil
}

// model has the model follow; nobody may know in which of its states it is.
// Where the client knows that the call has happened, what is stored tells.
func (d *driver) model(request oracle.Request, response *oracle.Response, isKnown bool) error {
	if d.hasNoModel {
		return nil
	}
	var next []*oracle.State
	var fault error
	seen := map[string]bool{}
	for _, state := range d.states {
		states, err := state.Step(request, response)
		if err != nil {
			fault = err
			continue
		}
		for _, s := range states {
			if len(d.states)+len(states) > 2 {
				if key := s.Key(); seen[key] {
					continue
				} else {
					seen[key] = true
				}
			}
			next = append(next, s)
		}
	}
	if len(next) == 0 {
		return fmt.Errorf("the model disagrees: %w", fault)
	}
	d.states = next
	d.coverage.see(len(d.stored[promises].keys), len(next))
	if isKnown && (len(next) > 1 || d.tick%compareEvery == 0) {
		return d.compare()
	}
	if len(next) > maxStates {
		return fmt.Errorf("the model may be in %d states", len(next))
	}
	return nil
}

// compare leaves the states of the model that are what is stored.
func (d *driver) compare() error {
	if d.hasNoModel {
		return nil
	}
	rows := make([][]map[string]any, ntables)
	for i := range rows {
		rows[i] = d.stored[i].all()
	}
	// To the model, an awaiter is a callback.
	rows[callbacks] = append(rows[callbacks], rows[awaiters]...)
	var next []*oracle.State
	var fault error
	for _, state := range d.states {
		err := state.Diff(d.now, rows[promises], rows[tasks], rows[callbacks], rows[messages])
		if err == nil {
			next = append(next, state)
		} else {
			fault = err
		}
	}
	if len(next) == 0 {
		return fmt.Errorf("the model has something else stored: %w", fault)
	}
	d.states = next
	return nil
}

func (d *driver) logRequest(s step) {
	args, _ := json.Marshal(s.request.Args)
	fmt.Fprintf(&d.log, "%d %+d s%d %s %s %s", d.tick, d.now-start, s.session, s.request.Surface, s.request.Name, args)
	if s.fault != "" {
		fmt.Fprintf(&d.log, " [%s]", s.fault)
	}
	if s.isUndone {
		d.log.WriteString(" [rolled back]")
	}
	d.log.WriteByte('\n')
}

func (d *driver) logAnswer(s step, response *oracle.Response) {
	switch {
	case response.SQLState != "":
		fmt.Fprintf(&d.log, "  = %s\n", response.SQLState)
	default:
		body, _ := json.Marshal(response.Body)
		fmt.Fprintf(&d.log, "  = %d %s", response.Status, body)
		if s.isLost {
			d.log.WriteString(" [lost]")
		}
		d.log.WriteByte('\n')
	}
}
