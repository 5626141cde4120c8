// Package client calls the extension over sessions of its own: connections,
// requests of either interface as SQL, and the decoding of what they answer.
package client

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/lib/pq"
)

// ErrLost tells that the connection is gone, so that nobody knows whether the
// last call has happened.  The session cannot be used any more.
var ErrLost = errors.New("connection lost")

// Error is an error that the server has raised; the session goes on.
type Error struct {
	SQLState string
	Message  string
}

func (e *Error) Error() string { return e.SQLState + ": " + e.Message }

// Result is what one statement has answered: a row is a list of columns, each
// nil, int64, float64, bool, string or time.Time.
type Result struct {
	Columns []string
	Rows    [][]any
}

// Session is one connection.  Only Break may be called while another call runs.
type Session struct {
	conn    driver.Conn
	corrID  int
	warning error

	mu     sync.Mutex
	socket net.Conn
}

// dialer remembers the socket, for Break.
type dialer struct{ session *Session }

func (d dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialTimeout(network, address, 10*time.Second)
}

func (d dialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	socket, err := net.DialTimeout(network, address, timeout)
	if err == nil {
		d.session.mu.Lock()
		d.session.socket = socket
		d.session.mu.Unlock()
	}
	return socket, err
}

// Open connects, over a local socket.  The DSN is a list of key=value; the
// environment (PGHOST and so on) fills in what it leaves out.
func Open(dsn string) (*Session, error) {
	s := &Session{}
	conn, err := pq.DialOpen(dialer{s}, "sslmode=disable "+dsn)
	if err != nil {
		return nil, err
	}
	s.conn = conn
	pq.SetNoticeHandler(conn, s.notice)
	_, err = s.Query(context.Background(),
		"SET client_min_messages = warning; SET TimeZone = 'UTC'; SET IntervalStyle = 'postgres'")
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// notice keeps a warning that has no SQLSTATE of its own, as those of the server
// about itself: of what was left open at the end of a transaction, or of memory
// that was overwritten.
func (s *Session) notice(notice *pq.Error) {
	if notice.Severity == "WARNING" && notice.Code == "01000" {
		s.warning = fmt.Errorf("the server warns: %s", notice.Message)
	}
}

// Close ends the session.
func (s *Session) Close() {
	_ = s.conn.Close()
}

// Break cuts the connection, as a network would, so that a call that is under
// way loses its reply.
func (s *Session) Break() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.socket != nil {
		_ = s.socket.Close()
	}
}

// Query sends statements, separated by semicolons, in one message and gives the
// results of those that have columns.  They are one transaction unless there is
// a COMMIT among them.  The error is an *Error, or wraps ErrLost, or tells what the
// server warned of; the results of the statements before it come with it.
func (s *Session) Query(ctx context.Context, statements string) ([]Result, error) {
	s.warning = nil
	results, err := s.query(ctx, statements)
	if s.warning != nil {
		err = s.warning
	}
	return results, err
}

func (s *Session) query(ctx context.Context, statements string) ([]Result, error) {
	rows, err := s.conn.(driver.QueryerContext).QueryContext(ctx, statements, nil)
	if err != nil {
		return nil, classify(err)
	}
	defer rows.Close()
	var results []Result
	for {
		result, err := readResult(rows)
		if len(result.Columns) > 0 {
			results = append(results, result)
		}
		if err != nil {
			return results, classify(err)
		}
		if err = rows.(driver.RowsNextResultSet).NextResultSet(); err == io.EOF {
			return results, nil
		} else if err != nil {
			return results, classify(err)
		}
	}
}

func readResult(rows driver.Rows) (Result, error) {
	result := Result{Columns: append([]string(nil), rows.Columns()...)}
	for {
		values := make([]driver.Value, len(result.Columns))
		err := rows.Next(values)
		if err == io.EOF {
			return result, nil
		}
		if err != nil {
			return result, err
		}
		row := make([]any, len(values))
		for i, value := range values {
			if text, ok := value.([]byte); ok {
				row[i] = string(text)
			} else {
				row[i] = value
			}
		}
		result.Rows = append(result.Rows, row)
	}
}

// classify tells errors that end the session from those that do not.
func classify(err error) error {
	var raised *pq.Error
	if errors.As(err, &raised) && !raised.Fatal() && raised.Severity != "PANIC" {
		return &Error{SQLState: string(raised.Code), Message: raised.Message}
	}
	return fmt.Errorf("%w: %v", ErrLost, err)
}
