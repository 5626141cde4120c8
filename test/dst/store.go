package main

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

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
	others := make([]string, 0, ntables)
	for i := tasks; i < ntables; i++ {
		others = append(others, fmt.Sprintf("SELECT %d, to_jsonb(t) FROM resonate.%s AS t", i, tableNames[i]))
	}
	return fmt.Sprintf(`SET %[1]s = '%[2]s';
PREPARE count_promises AS SELECT count(*) FROM resonate.promises WHERE current_setting('%[1]s') <> '%[3]s';
PREPARE read_rows AS SELECT %[4]d, to_jsonb(p) FROM resonate.promises AS p
	WHERE current_setting('%[1]s') <> '%[3]s' AND xmin::text::bigint >= current_setting('%[1]s')::bigint
	UNION ALL SELECT * FROM (%[5]s) AS t WHERE current_setting('%[1]s') <> '%[3]s'
`, writtenSetting, everythingWritten, nothingWritten, promises, strings.Join(others, " UNION ALL "))
}

// noteWritten is the statement that has the others read what its transaction has
// written.
func noteWritten() string {
	return fmt.Sprintf("SELECT set_config('%s', coalesce(pg_current_xact_id_if_assigned()::text, '%s'), false)",
		writtenSetting, nothingWritten)
}

// reading is the statements that read, which have nReadings results.
const (
	reading   = "SHOW " + writtenSetting + "; EXECUTE count_promises; EXECUTE read_rows"
	nReadings = 3
)

// reader makes stores of what was read.  It remembers rows, because most of those
// that are read have not changed.
type reader struct{ known map[string]*row }

// The most rows to remember.
const maxKnown = 5_000

// update gives what is stored now, from what was before and what was read; false
// if the rows have to be read all, because promises are gone.
func (r *reader) update(s *store, results []client.Result) (*store, bool, error) {
	if results[0].Rows[0][0] == nothingWritten {
		return s, true, nil
	}
	count := int(results[1].Rows[0][0].(int64))
	var rows [ntables]map[string]*row
	for i := range rows {
		rows[i] = map[string]*row{}
	}
	for _, columns := range results[2].Rows {
		found, err := r.decode(columns[1].(string))
		if err != nil {
			return nil, false, err
		}
		i := columns[0].(int64)
		rows[i][found.key(tableKeys[i])] = found
	}
	next := &store{promises: s[promises]}
	for i := tasks; i < ntables; i++ {
		next[i] = makeTable(rows[i])
	}
	if len(rows[promises]) > 0 {
		next[promises] = s[promises].with(rows[promises])
	}
	return next, count == len(next[promises].rows), nil
}

// with gives the table with new versions of rows.
func (t *table) with(changed map[string]*row) *table {
	rows := make(map[string]*row, len(t.rows)+len(changed))
	for key, old := range t.rows {
		rows[key] = old
	}
	for key, r := range changed {
		rows[key] = r
	}
	return makeTable(rows)
}

func (r *row) key(columns []string) string {
	key := r.text(columns[0])
	for _, column := range columns[1:] {
		key += "\x00" + r.text(column)
	}
	return key
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
