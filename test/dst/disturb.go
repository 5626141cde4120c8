package main

import (
	"context"
	"errors"
	"fmt"

	"resonate/test/client"
	"resonate/test/oracle"
)

// disturb ends a session or the server, if it is time.  What was answered is
// there afterwards, and nothing else.
func (d *driver) disturb() error {
	if d.restartAt[d.tick] {
		return d.crashServer()
	}
	if d.chance(d.scenario.kills) {
		return d.terminateSession()
	}
	return nil
}

func (d *driver) terminateSession() error {
	victim := d.below(nsessions)
	other := (victim + 1) % nsessions
	pid, err := backendPID(d.sessions[victim])
	if err != nil {
		return err
	}
	results, err := d.sessions[other].Query(context.Background(),
		fmt.Sprintf("SELECT pg_terminate_backend(%d, 60000)", pid))
	if err != nil {
		return err
	}
	if results[0].Rows[0][0] != true {
		return fmt.Errorf("session %d does not end", victim)
	}
	d.coverage.kills++
	fmt.Fprintf(&d.log, "%d session %d is terminated\n", d.tick, victim)
	d.sessions[victim].Close()
	if err := d.connect(victim); err != nil {
		return err
	}
	return d.readUnchanged(victim, "a session has ended between calls")
}

func (d *driver) crashServer() error {
	how := pick(d.random, "immediate", "sigkill", "panic")
	d.coverage.crashes[how]++
	fmt.Fprintf(&d.log, "%d crash: %s\n", d.tick, how)
	var err error
	switch how {
	case "immediate":
		err = d.target.crash()
	case "sigkill":
		var pid int
		if pid, err = backendPID(d.sessions[0]); err == nil {
			if err = killProcess(pid); err == nil {
				err = awaitCrash(d.sessions[1])
			}
		}
	case "panic":
		err = d.panicInCall()
	}
	if err != nil {
		return err
	}
	return d.recover("the server has crashed: " + how)
}

// panicInCall takes the server down at one of the two writes of a creation, or in
// its commit.
func (d *driver) panicInCall() error {
	place := pick(d.random, "before 1", "after 1", "before 2", "after 2", "commit 1")
	s := step{session: d.below(nsessions), fault: "panic " + place}
	s.request = oracle.Request{Surface: "rpc", Name: "promise.create", Now: d.now, Args: map[string]any{
		"id": fmt.Sprintf("p%d.panic", d.tick), "timeoutAt": d.now + 1_000,
		"tags": map[string]any{"resonate:target": pick(d.random, targets...)},
	}}
	d.logRequest(s)
	if _, _, err := d.call(s); !errors.Is(err, client.ErrLost) {
		return fmt.Errorf("the server has survived %q: %v", s.fault, err)
	}
	d.log.WriteString("  = the server has ended\n")
	d.coverage.faults[faultName(s.fault)]++
	return awaitCrash(d.sessions[(s.session+1)%nsessions])
}

// recover connects again and looks whether all is as it was.
func (d *driver) recover(why string) error {
	d.closeSessions()
	if err := d.target.awaitStart(); err != nil {
		return err
	}
	for i := range d.sessions {
		if err := d.connect(i); err != nil {
			return err
		}
	}
	return d.readUnchanged(0, why)
}
