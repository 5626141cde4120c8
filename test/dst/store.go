package main

import (
	"fmt"
	"sort"
	"strconv"

	"resonate/test/client"
)

// row is a stored row: the text of its JSON, and what that holds.
type row struct {
	json    string
	columns map[string]any
}

func (r *row) text(column string) string {
	text, _ := r.columns[column].(string)
	return text
}

func (r *row) number(column string) int64 { return toInt(r.columns[column]) }

func (r *row) is(column string) bool { return r.columns[column] == true }

func (r *row) has(column string) bool { return r.columns[column] != nil }

// table is what a table holds, by key.  It is not changed once it is made.
type table struct {
	rows map[string]*row
	keys []string // in byte order
}

func makeTable(rows map[string]*row) *table {
	t := &table{rows: rows, keys: make([]string, 0, len(rows))}
	for key := range rows {
		t.keys = append(t.keys, key)
	}
	sort.Strings(t.keys)
	return t
}

// all gives the rows in the order of their keys.
func (t *table) all() []map[string]any {
	rows := make([]map[string]any, len(t.keys))
	for i, key := range t.keys {
		rows[i] = t.rows[key].columns
	}
	return rows
}

// The tables, in the order in which they are read.
const (
	promises = iota
	tasks
	callbacks
	messages
	awaiters
	schedules
	ntables
)

var tableNames = [ntables]string{
	"promises", "tasks", "callbacks", "messages", "awaiters", "schedules",
}

// The columns that make a key that no other row has.
var tableKeys = [ntables][]string{
	{"id"}, {"id"},
	{"promise_id", "kind", "callback_id"}, {"promise_id", "kind", "callback_id"},
	{"awaited_id", "awaiter_id"}, {"id"},
}

// store is everything that is stored at an instant.
type store [ntables]*table

func emptyStore() *store {
	s := &store{}
	for i := range s {
		s[i] = makeTable(nil)
	}
	return s
}

// The setting that tells the statements below what to read: the transaction
// whose writes are wanted, everythingWritten, or nothingWritten.
const (
	writtenSetting    = "dst.written"
	everythingWritten = "0"
	nothingWritten    = "-1"
)

// prepareReading makes the statements that read what a transaction has written.
// History grows and is rarely written, so of the promises only the new versions
// are read, which all have the number of the transaction or a later one, and
// how many there are; of all other tables everything, unless nothing was
// written at all.
func prepareReading() string {
	statements := fmt.Sprintf(`SET %[1]s = '%[2]s';
PREPARE read_promises AS SELECT to_jsonb(p) FROM resonate.promises AS p
	WHERE current_setting('%[1]s') <> '%[3]s' AND xmin::text::bigint >= current_setting('%[1]s')::bigint;
PREPARE count_promises AS SELECT CASE WHEN current_setting('%[1]s') = '%[3]s' THEN -1
	ELSE (SELECT count(*) FROM resonate.promises) END;
`, writtenSetting, everythingWritten, nothingWritten)
	for i := tasks; i < ntables; i++ {
		statements += fmt.Sprintf("PREPARE read_%[1]s AS SELECT to_jsonb(t) FROM resonate.%[1]s AS t WHERE current_setting('%[2]s') <> '%[3]s';\n",
			tableNames[i], writtenSetting, nothingWritten)
	}
	return statements
}

// noteWritten is the statement that has the others read what its transaction has
// written.
func noteWritten() string {
	return fmt.Sprintf("SELECT set_config('%s', coalesce(pg_current_xact_id_if_assigned()::text, '%s'), false)",
		writtenSetting, nothingWritten)
}

// reading is the statements that read, which have nReadings results.
func reading() string {
	statements := "EXECUTE count_promises"
	for _, name := range tableNames {
		statements += "; EXECUTE read_" + name
	}
	return statements
}

const nReadings = ntables + 1

// reader makes stores of what was read.  It remembers rows, because most of those
// that are read have not changed.
type reader struct{ known map[string]*row }

// The most rows to remember.
const maxKnown = 5_000

// update gives what is stored now, from what was before and what was read; false
// if the rows have to be read all, because promises are gone.
func (r *reader) update(s *store, results []client.Result) (*store, bool, error) {
	count := results[0].Rows[0][0].(int64)
	if count < 0 {
		return s, true, nil
	}
	next := &store{}
	for i := range next {
		rows := map[string]*row{}
		if i == promises {
			if len(results[1].Rows) == 0 && int(count) == len(s[i].rows) {
				next[i] = s[i]
				continue
			}
			for key, old := range s[i].rows {
				rows[key] = old
			}
		}
		if err := r.add(rows, tableKeys[i], results[i+1]); err != nil {
			return nil, false, err
		}
		next[i] = makeTable(rows)
	}
	return next, int(count) == len(next[promises].rows), nil
}

func (r *reader) add(rows map[string]*row, key []string, result client.Result) error {
	for _, columns := range result.Rows {
		found, err := r.decode(columns[0].(string))
		if err != nil {
			return err
		}
		name := found.text(key[0])
		for _, column := range key[1:] {
			name += "\x00" + found.text(column)
		}
		rows[name] = found
	}
	return nil
}

func (r *reader) decode(text string) (*row, error) {
	if found := r.known[text]; found != nil {
		return found, nil
	}
	value, err := client.DecodeJSON(text)
	if err != nil {
		return nil, err
	}
	if r.known == nil || len(r.known) == maxKnown {
		r.known = map[string]*row{}
	}
	found := &row{json: text, columns: value.(map[string]any)}
	r.known[text] = found
	return found, nil
}

// difference tells the first row that two stores differ in.
func (s *store) difference(other *store) string {
	for i := range s {
		for _, key := range s[i].keys {
			if found, ok := other[i].rows[key]; !ok {
				return fmt.Sprintf("%s: %s is gone", tableNames[i], s[i].rows[key].json)
			} else if found.json != s[i].rows[key].json {
				return fmt.Sprintf("%s: %s has become %s", tableNames[i], s[i].rows[key].json, found.json)
			}
		}
		for _, key := range other[i].keys {
			if _, ok := s[i].rows[key]; !ok {
				return fmt.Sprintf("%s: %s is new", tableNames[i], other[i].rows[key].json)
			}
		}
	}
	return ""
}

func format(n int64) string { return strconv.FormatInt(n, 10) }
