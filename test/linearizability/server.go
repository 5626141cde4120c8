package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"resonate/test/client"
	"resonate/test/oracle"
)

// patience is for what happens soon, unless the server hangs.
const patience = 300 * time.Second

const setup = `CREATE EXTENSION IF NOT EXISTS resonate`

// linger keeps a transaction for a moment before it commits, with all its locks, in
// sessions that ask for it: where a slow disk would keep it.
const linger = `SELECT FROM pg_sleep(CASE WHEN random() < 0.5 THEN 0
	ELSE random() * coalesce(current_setting('test.linger_ms', true)::float, 0) / 1000 END)`

// server is the session that prepares, watches and inspects.
type server struct {
	dsn string

	mu      sync.Mutex
	session *client.Session
}

func openServer(dsn string) (*server, error) {
	session, err := client.Open(dsn)
	if err != nil {
		return nil, err
	}
	s := &server{dsn: dsn, session: session}
	if _, err := s.query(setup); err != nil {
		return nil, fmt.Errorf("set-up: %w", err)
	}
	return s, nil
}

func (s *server) query(statements string) ([]client.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.session.Query(ctx, statements)
}

// number asks for one integer.
func (s *server) number(statement string) (int64, error) {
	results, err := s.query(statement)
	if err != nil {
		return 0, err
	}
	n, ok := results[0].Rows[0][0].(int64)
	if !ok {
		return 0, fmt.Errorf("%s: no integer", statement)
	}
	return n, nil
}

// reset empties the database and keeps the worker out of the history; its clock
// is not that of the history.
func (s *server) reset() error {
	statements := "SET resonate.debug = on"
	for _, kind := range []string{"debug.start", "debug.reset"} {
		statements += fmt.Sprintf(`; SELECT resonate.resonate_rpc('{"kind": "%s",
			"head": {"corrId": "0", "version": "2026-04-01"}, "data": {}}')`, kind)
	}
	_, err := s.query(statements)
	return err
}

// isGone tells whether a backend has ended, with all that it did.
func (s *server) isGone(backend string) (bool, error) {
	n, err := s.number(fmt.Sprintf(
		"SELECT count(*) FROM pg_stat_activity WHERE %s = '%s'", backendName, backend))
	return n == 0, err
}

// kill ends a backend that is still the one meant.
func (s *server) kill(backend string) error {
	_, err := s.query(fmt.Sprintf(
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE %s = '%s'",
		backendName, backend))
	return err
}

// backendName tells a backend from those that had its process id before.
const backendName = "pid || '@' || extract(epoch FROM backend_start)"

// openSession opens a connection and tells the name of its backend.
func (s *server) openSession(settings string) (*client.Session, string, error) {
	session, err := client.Open(s.dsn)
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	results, err := session.Query(ctx, "SET resonate.debug = on; "+settings+
		"SELECT "+backendName+" FROM pg_stat_activity WHERE pid = pg_backend_pid()")
	if err != nil {
		session.Close()
		return nil, "", err
	}
	return session, results[0].Rows[0][0].(string), nil
}

// dump reads all that is stored, table by table.
func (s *server) dump() ([][]map[string]any, error) {
	results, err := s.query(strings.Join(oracle.DumpSQL[:], "; "))
	if err != nil {
		return nil, err
	}
	tables := make([][]map[string]any, len(results))
	for i, result := range results {
		for _, row := range result.Rows {
			object, err := client.DecodeJSON(row[0].(string))
			if err != nil {
				return nil, err
			}
			tables[i] = append(tables[i], object.(map[string]any))
		}
	}
	return tables, nil
}
