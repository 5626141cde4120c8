package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"resonate/test/client"
)

// How long the server may take to come back, or to notice that it has crashed.
const patience = 300 * time.Second

// target is a server of its own for one run at a time.
type target struct {
	port     string
	data     string // its directory
	prologue string // what every session begins with
}

// parseTarget reads port=directory.
func parseTarget(text string) (*target, error) {
	port, data, ok := strings.Cut(text, "=")
	if !ok {
		return nil, fmt.Errorf("%q is not port=directory", text)
	}
	return &target{port: port, data: data}, nil
}

func (t *target) open() (*client.Session, error) { return client.Open("port=" + t.port) }

// prepare makes the extension and the prologue.  To plan the query behind
// check_invariants() takes ten times as long as to run it, and an SQL function
// is planned with each call, so its body is prepared as a statement.
func (t *target) prepare() error {
	session, err := t.open()
	if err != nil {
		return err
	}
	defer session.Close()
	if _, err = session.Query(context.Background(), "CREATE EXTENSION IF NOT EXISTS resonate"); err != nil {
		return err
	}
	results, err := session.Query(context.Background(),
		"SELECT prosrc FROM pg_proc WHERE oid = 'resonate.check_invariants()'::regprocedure")
	if err != nil {
		return err
	}
	t.prologue = "LOAD 'resonate'; SET search_path = pg_catalog, pg_temp; SET jit = off; SET log_min_messages = fatal; " +
		"SET resonate.debug = on; PREPARE invariants AS " + results[0].Rows[0][0].(string) + ";" + prepareReading()
	return nil
}

// crash stops the server at once and starts it again.
func (t *target) crash() error {
	for _, command := range []string{"-m immediate stop", "-l " + t.data + ".log start"} {
		args := append([]string{"-D", t.data, "-w", "-s", "-t", "300"}, strings.Fields(command)...)
		if output, err := exec.Command("pg_ctl", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("pg_ctl %s: %v: %s", command, err, output)
		}
	}
	return nil
}

// awaitCrash waits until a session that only looked on has noticed that the
// server takes all sessions down.
func awaitCrash(witness *client.Session) error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if _, err := witness.Query(context.Background(), "SELECT 1"); errors.Is(err, client.ErrLost) {
			return nil
		}
	}
	return errors.New("the server does not notice the crash")
}

// awaitStart waits until the server takes connections again.
func (t *target) awaitStart() error {
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		var session *client.Session
		if session, err = t.open(); err == nil {
			session.Close()
			return nil
		}
	}
	return fmt.Errorf("the server does not come back: %w", err)
}

// backendPID tells the process of a session.
func backendPID(session *client.Session) (int, error) {
	results, err := session.Query(context.Background(), "SELECT pg_backend_pid()")
	if err != nil {
		return 0, err
	}
	return int(results[0].Rows[0][0].(int64)), nil
}

func killProcess(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) }
