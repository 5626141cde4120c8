package main

import "resonate/test/oracle"

// A batch takes effect as one with its commit.  But what it finds that it need not
// lock, it finds when it looks: an id that does not exist cannot be locked, and
// the answer to a create that comes too late needs no lock.  Others may change
// that before the batch commits, as anything that a transaction has read at
// READ COMMITTED.  So such an item is an operation of its own, in the same span
// of time, and all the others are one.

// batch is a request on several promises and the member that lists them.
var batches = map[string]string{
	"create_promises": "promises",
	"settle_promises": "settlements",
}

// settlers are the functions that do what an item of settle_promises does.
var settlers = map[string]string{
	"resolved": "resolve", "rejected": "reject", "rejected_canceled": "cancel",
}

// split gives the operations that a batch stands for; any other operation stands
// for itself.
func split(op *Op) []*Op {
	member, isBatch := batches[op.Request.Name]
	items, _ := op.Request.Args[member].([]any)
	if !isBatch || len(items) == 0 {
		return []*Op{op}
	}
	if op.Response == nil {
		var parts []*Op
		for _, item := range items {
			parts = append(parts, single(op, item, nil))
		}
		return parts
	}
	rows, _ := op.Response.Body.([]any)
	if op.Response.SQLState != "" || len(rows) != len(items) {
		return []*Op{op}
	}
	held := heldIDs(op.Request.Name, items, rows)
	var parts []*Op
	var heldItems, heldRows []any
	for i := range items {
		if held[idOf(items[i])] {
			heldItems, heldRows = append(heldItems, items[i]), append(heldRows, rows[i])
		} else {
			parts = append(parts, single(op, items[i], rows[i]))
		}
	}
	if len(heldItems) > 0 {
		whole := *op
		whole.Request.Args = map[string]any{member: heldItems}
		whole.Response = &oracle.Response{Body: heldRows}
		parts = append(parts, &whole)
	}
	return parts
}

// heldIDs are those whose rows the batch has locked or made.
func heldIDs(name string, items, rows []any) map[string]bool {
	held := map[string]bool{}
	for i, item := range items {
		status := statusOf(rows[i])
		if status == "2010" || name == "settle_promises" && status != "4040" {
			held[idOf(item)] = true
		}
	}
	return held
}

// single is an item as the operation of the function for one promise.
func single(op *Op, item, row any) *Op {
	part := *op
	args := map[string]any{}
	for name, value := range item.(map[string]any) {
		args[name] = value
	}
	part.Request.Name = "create_promise"
	if op.Request.Name == "settle_promises" {
		state, _ := args["state"].(string)
		part.Request.Name = settlers[state]
		delete(args, "state")
	}
	part.Request.Args = args
	if row != nil {
		part.Response = &oracle.Response{Body: []any{row}}
	}
	return &part
}

func idOf(item any) string {
	object, _ := item.(map[string]any)
	id, _ := object["id"].(string)
	return id
}
