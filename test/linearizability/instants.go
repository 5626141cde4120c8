package main

import (
	"encoding/json"
	"time"
)

// By the time of day an operation may have happened at any millisecond between
// its call and its return.  One whose reply was lost may lead to as many states,
// and several of them to the product.  But what has an effect leaves its instant
// in a record, where it stays, and all records are looked at in the end.  So of
// such an operation only those instants count that have been seen, and two more
// for those without an effect of their own: the first, and the last, at which
// most deadlines have passed.

// instants are those at which the operation may have happened.
func (op *Op) instants() []int64 {
	if op.From == 0 {
		return []int64{op.Request.Now}
	}
	var result []int64
	for t := op.From; t <= op.To; t++ {
		if !op.isLost() || t == op.From || t == op.To || op.seen[t] {
			result = append(result, t)
		}
	}
	return result
}

// noteInstants has the operations of a history know which instants were seen.
func noteInstants(h *History) {
	seen := map[int64]bool{}
	for _, op := range h.Ops {
		op.seen = seen
		if op.Response != nil {
			collectInstants(op.Response.Body, seen)
		}
	}
}

var instantNames = []string{"createdAt", "settledAt", "created_at", "settled_at"}

func collectInstants(value any, seen map[int64]bool) {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			collectInstants(item, seen)
		}
	case map[string]any:
		for _, name := range instantNames {
			if t, ok := instantOf(v[name]); ok {
				seen[t] = true
			}
		}
		for _, item := range v {
			collectInstants(item, seen)
		}
	}
}

// instantOf reads an instant of either interface.
func instantOf(value any) (int64, bool) {
	switch v := value.(type) {
	case json.Number:
		t, err := v.Int64()
		return t, err == nil
	case string:
		t, err := time.Parse(time.RFC3339Nano, v)
		return t.UnixMilli(), err == nil
	}
	return 0, false
}
