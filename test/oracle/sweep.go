package oracle

import (
	"fmt"
	"math"
	"sort"
)

// What becomes due: deadlines, the ends of leases, occurrences of schedules.

// progress is a sweep under way: a state, and how many rows were done.
type progress struct {
	state *State
	count int
}

// The most ways in which a sweep may have skipped rows that are considered.
const maxChoices = 4096

// each does something to each of the rows that are due, or, where others may have
// locked some of them, to each subset.
func (c *call) each(starts []progress, due func(s *State) []string, do func(s *State, id string)) ([]progress, error) {
	var result []progress
	for _, start := range starts {
		ids := due(start.state)
		if len(ids) > c.before.options.BatchSize {
			return nil, fmt.Errorf("more than a batch is due: %w", ErrNotModelled)
		}
		branches := []progress{start}
		for _, id := range ids {
			var skipped []progress
			if c.before.options.Concurrent {
				skipped = append(skipped, branches...)
			}
			for i := range branches {
				d := branches[i].state.draft()
				do(d, id)
				branches[i] = progress{d, branches[i].count + 1}
			}
			branches = append(branches, skipped...)
			if len(branches) > maxChoices {
				return nil, fmt.Errorf("too many rows are due: %w", ErrNotModelled)
			}
		}
		result = append(result, branches...)
	}
	return result, nil
}

// duePromises are the ids of those whose deadline is armed and has passed.
func (s *State) duePromises(now int64) []string {
	var ids []string
	for _, id := range s.promiseIDs() {
		if p := s.promises[id]; p.external && p.isLapsed(now) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (s *State) dueLeases(now int64) []string {
	var ids []string
	for _, id := range s.promiseIDs() {
		p := s.promises[id]
		if t := p.view(now).task; t != nil && t.state == acquired && t.clock <= now {
			ids = append(ids, id)
		}
	}
	return ids
}

func (c *call) sweepPromises(starts []progress, now int64) ([]progress, error) {
	return c.each(starts,
		func(s *State) []string { return s.duePromises(now) },
		func(s *State, id string) { s.lapse(s.promises[id], now) })
}

func (c *call) sweepLeases(starts []progress, now int64) ([]progress, error) {
	return c.each(starts,
		func(s *State) []string { return s.dueLeases(now) },
		func(s *State, id string) {
			p := s.promises[id]
			s.putTask(p, s.setBack(p, now))
		})
}

// dueSchedules are those whose next run has come, the earliest first, in order of
// their ids where that is the same.
func (s *State) dueSchedules(now int64) []string {
	var ids []string
	for _, id := range s.scheduleIDs() {
		if s.schedules[id].nextRunAt <= now {
			ids = append(ids, id)
		}
	}
	sort.SliceStable(ids, func(i, j int) bool { return s.schedules[ids[i]].nextRunAt < s.schedules[ids[j]].nextRunAt })
	return ids
}

// sweepSchedules fires the schedules that are due, or, where others may have
// locked some of them, each subset.
func (c *call) sweepSchedules(s *State, now int64) ([]progress, error) {
	subsets := []map[string]bool{{}}
	for _, id := range s.dueSchedules(now) {
		for _, subset := range subsets {
			with := map[string]bool{id: true}
			for other := range subset {
				with[other] = true
			}
			subsets = append(subsets, with)
		}
		if !c.before.options.Concurrent && c.before.options.Partition == "" {
			subsets = subsets[len(subsets)-1:]
		}
		if len(subsets) > maxChoices {
			return nil, fmt.Errorf("too many schedules are due: %w", ErrNotModelled)
		}
	}
	var result []progress
	for _, subset := range subsets {
		d := s.draft()
		count, err := d.fireDue(func(id string) bool { return subset[id] }, now, c.before.options.BatchSize)
		if err != nil {
			return nil, err
		}
		result = append(result, progress{d, count})
	}
	return result, nil
}

func (c *call) sqlProcessTimeouts() ([]outcome, error) {
	branches, err := c.sweepSchedules(c.before, c.Now)
	if err == nil {
		branches, err = c.sweepPromises(branches, c.Now)
	}
	if err == nil {
		branches, err = c.sweepLeases(branches, c.Now)
	}
	if err != nil {
		return nil, err
	}
	var result []outcome
	for _, b := range branches {
		result = append(result, outcome{state: b.state, body: c.countOf("process_timeouts", int64(b.count))})
	}
	return result, nil
}

// countOf is the answer of a function that counts rows of all graphs.
func (c *call) countOf(name string, count int64) any {
	if c.before.options.Partition == "" {
		return scalar(name, count)
	}
	return check(func(seen any) string {
		total, ok := integer(scalarOf(seen))
		if !ok || total < count {
			return fmt.Sprintf("expected at least %d, got %s", count, show(seen))
		}
		return ""
	})
}

func (c *call) rpcDebugNothing() ([]outcome, error) { return one(c.before, 200, empty()), nil }

func (c *call) rpcDebugReset() ([]outcome, error) {
	return one(NewWith(*c.before.options), 200, empty()), nil
}

// fireAll fires all schedules that are due, in any order: which of two that have
// the same id for a promise creates it is not said.
func fireAll(branches []progress, now int64) ([]progress, error) {
	for isDue := true; isDue; {
		isDue = false
		var next []progress
		for _, b := range branches {
			ids := b.state.dueSchedules(now)
			if len(ids) == 0 {
				next = append(next, b)
			}
			for _, id := range ids {
				isDue = true
				d := b.state.draft()
				if _, err := d.fire(id, now, math.MaxInt32); err != nil {
					return nil, err
				}
				next = append(next, progress{d, b.count})
			}
		}
		if branches = distinctProgress(next); len(branches) > maxChoices {
			return nil, fmt.Errorf("too many schedules are due: %w", ErrNotModelled)
		}
	}
	return branches, nil
}

func distinctProgress(branches []progress) []progress {
	seen := map[string]bool{}
	result := branches[:0]
	for _, b := range branches {
		if key := b.state.Key(); !seen[key] {
			seen[key] = true
			result = append(result, b)
		}
	}
	return result
}

// rpcDebugTick sweeps everything that is due at the given time.
func (c *call) rpcDebugTick() ([]outcome, error) {
	f := c.fields()
	now := f.integer("time", 0, math.MaxInt64)
	if f.bad {
		return c.refused(400)
	}
	branches, err := c.sweepPromises([]progress{{c.before, 0}}, now)
	if err == nil {
		branches, err = c.sweepLeases(branches, now)
	}
	if err == nil {
		branches, err = fireAll(branches, now)
	}
	if err == nil {
		branches, err = c.sweepPromises(branches, now)
	}
	if err != nil {
		return nil, err
	}
	var result []outcome
	for _, b := range branches {
		result = append(result, outcome{state: b.state, status: 200, body: []any{}})
	}
	return result, nil
}
