package main

import (
	"fmt"
	"io"
	"sort"
	"time"
)

// stats sums up what histories have contained.
type stats struct {
	histories, walls    int
	ops                 int
	quiet, inspections  int
	busy, wall          int64 // nanoseconds
	sharedOps, namedOps int
	kinds               map[string]map[string]int
	fates               map[string]int
	expiredPromises     int
	expiredLeases       int64
	recording, checking time.Duration
	slowestCheck        time.Duration
}

func newStats() *stats {
	return &stats{kinds: map[string]map[string]int{}, fates: map[string]int{}}
}

// add counts a history.
func (s *stats) add(h *History) {
	s.histories++
	if h.Wall {
		s.walls++
	}
	users := map[string]map[int]bool{}
	spans := map[int]*span{}
	expired := map[string]bool{}
	for _, op := range h.Ops {
		if op.Request.Name == nameRows {
			s.inspections++
		}
		if op.Quiet {
			s.quiet++
			noteExpired(op, expired)
			continue
		}
		s.addOp(op)
		if spans[op.Phase] == nil {
			spans[op.Phase] = &span{op.Call, op.Return}
		}
		spans[op.Phase].include(op)
		for _, id := range op.ids() {
			if users[id] == nil {
				users[id] = map[int]bool{}
			}
			users[id][op.Session] = true
		}
	}
	for _, phase := range spans {
		s.wall += phase.end - phase.start
	}
	s.expiredPromises += len(expired)
	s.addShared(h, users)
}

// span is the time that a phase took.
type span struct{ start, end int64 }

func (p *span) include(op *Op) {
	if op.Call < p.start {
		p.start = op.Call
	}
	if op.Return > p.end {
		p.end = op.Return
	}
}

func (s *stats) addOp(op *Op) {
	s.ops++
	s.fates[op.Fate]++
	s.busy += op.Return - op.Call
	if s.kinds[op.kind()] == nil {
		s.kinds[op.kind()] = map[string]int{}
	}
	s.kinds[op.kind()][op.status()]++
}

// addShared counts the operations that name objects, and those among them that
// name one which another session names, too.
func (s *stats) addShared(h *History, users map[string]map[int]bool) {
	for _, op := range h.Ops {
		ids := op.ids()
		if op.Quiet {
			continue
		}
		if len(ids) > 0 {
			s.namedOps++
		}
		for _, id := range ids {
			if len(users[id]) > 1 {
				s.sharedOps++
				break
			}
		}
	}
}

// noteExpired finds the promises that were settled by their deadline in what was
// read at a quiet moment.
func noteExpired(op *Op, expired map[string]bool) {
	var records []map[string]any
	if len(op.Rows) > 0 {
		records = op.Rows[0]
	} else if op.Response != nil {
		rows, _ := op.Response.Body.([]any)
		for _, row := range rows {
			record, _ := row.(map[string]any)
			records = append(records, record)
		}
	}
	for _, record := range records {
		id, _ := record["id"].(string)
		if record["settled_at"] != nil && record["settled_at"] == record["timeout_at"] {
			expired[id] = true
		}
	}
}

func (s *stats) print(out io.Writer) {
	fmt.Fprintf(out, "%d histories (%d by the time of day), %d operations (%.0f a history)\n",
		s.histories, s.walls, s.ops, float64(s.ops)/float64(s.histories))
	fmt.Fprintf(out, "and %d operations at quiet moments, %d of which compare all rows\n",
		s.quiet, s.inspections)
	fmt.Fprintf(out, "in flight at the same time, on average: %.1f\n",
		float64(s.busy)/float64(s.wall))
	fmt.Fprintf(out, "on objects that several sessions use: %.1f %%\n",
		100*float64(s.sharedOps)/float64(s.namedOps))
	fmt.Fprintf(out, "replies lost: %d (connection closed %d, backend terminated %d)\n",
		s.fates[fateCut]+s.fates[fateKilled], s.fates[fateCut], s.fates[fateKilled])
	fmt.Fprintf(out, "taken back by the server (40001, 40P01): %d\n", s.fates[fateAborted])
	fmt.Fprintf(out, "expired: %d promises, %d leases\n",
		s.expiredPromises, s.expiredLeases)
	fmt.Fprintf(out, "time: %.1f s running, %.1f s checking (slowest %.2f s)\n",
		s.recording.Seconds(), s.checking.Seconds(), s.slowestCheck.Seconds())
	for _, kind := range sortedKeys(s.kinds) {
		fmt.Fprintf(out, "  %-34s", kind)
		for _, status := range sortedCounts(s.kinds[kind]) {
			fmt.Fprintf(out, " %s:%d", status, s.kinds[kind][status])
		}
		fmt.Fprintln(out)
	}
}

func sortedKeys(m map[string]map[string]int) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

func sortedCounts(m map[string]int) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
