package oracle

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"sort"
	"strings"
)

// DumpSQL are the statements whose rows Diff takes, in the order of its
// arguments; each gives a JSON object a row.
var DumpSQL = [4]string{
	"SELECT to_jsonb(p) FROM resonate.promises p",
	"SELECT to_jsonb(t) FROM resonate.tasks t",
	`SELECT to_jsonb(c) FROM resonate.callbacks c
	 UNION ALL SELECT to_jsonb(a) FROM resonate.awaiters a`,
	"SELECT to_jsonb(m) FROM resonate.messages m",
}

// Diff compares the model with the rows of the tables, as DumpSQL reads them in
// one snapshot: what is stored, so a deadline that the model takes for stored
// has to be.  Callbacks are those of the typed functions, listeners, and awaiters.
// Only the rows of the partition are looked at, if the model is one.  now is not
// needed for that.
func (s *State) Diff(now int64, promises, tasks, callbacks, messages []map[string]any) error {
	d := &diff{state: s, wanted: map[string]map[string]any{}}
	d.expect()
	for _, row := range promises {
		d.see("promise "+quoted(row["id"]), row["id"], promiseFromRow(row))
	}
	for _, row := range tasks {
		d.see("task "+quoted(row["id"]), row["id"], taskFromRow(row))
	}
	for _, row := range callbacks {
		if row["awaited_id"] != nil {
			d.see("awaiter "+quoted(row["awaiter_id"])+" of "+quoted(row["awaited_id"]), row["awaited_id"], nil)
			continue
		}
		d.see(messageName(row), row["promise_id"], map[string]any{"address": row["address"]})
	}
	for _, row := range messages {
		d.see("message of "+messageName(row), row["promise_id"], map[string]any{
			"address": row["address"], "due": row["due_at"], "attempt": row["attempt"],
		})
	}
	return d.result()
}

func quoted(value any) string { return show(value) }

func messageName(row map[string]any) string {
	return fmt.Sprintf("%v %s of %s", row["kind"], quoted(row["callback_id"]), quoted(row["promise_id"]))
}

// diff collects what is there by its name.
type diff struct {
	state  *State
	wanted map[string]map[string]any
	faults []string
}

func (d *diff) see(name string, id any, row map[string]any) {
	text, _ := id.(string)
	if own := d.state.options.Partition; own != "" && graphOf(text) != own {
		return
	}
	wanted, ok := d.wanted[name]
	if !ok {
		d.faults = append(d.faults, name+": stored, but not expected")
		return
	}
	delete(d.wanted, name)
	if wanted == nil {
		wanted = map[string]any{}
	}
	if row == nil {
		row = map[string]any{}
	}
	d.faults = differences(name, wanted, row, d.faults)
}

func (d *diff) result() error {
	for name := range d.wanted {
		d.faults = append(d.faults, name+": expected, but not stored")
	}
	if len(d.faults) == 0 {
		return nil
	}
	sort.Strings(d.faults)
	return errors.New(strings.Join(d.faults, "\n"))
}

func (d *diff) expect() {
	for id, p := range d.state.promises {
		d.wanted["promise "+quoted(id)] = p.stored()
		if p.task != nil && p.task.state != fulfilled {
			d.wanted["task "+quoted(id)] = p.task.stored(p)
		}
		for _, awaiter := range p.awaiters {
			d.wanted["awaiter "+quoted(awaiter)+" of "+quoted(id)] = nil
		}
		for _, c := range p.callbacks {
			row := map[string]any{"kind": c.kind, "callback_id": c.id, "promise_id": id}
			d.wanted[messageName(row)] = map[string]any{"address": c.address}
		}
	}
	for key, m := range d.state.messages {
		row := map[string]any{"kind": key.kind, "callback_id": key.id, "promise_id": key.promise}
		d.wanted["message of "+messageName(row)] = map[string]any{
			"address": m.address, "due": m.due, "attempt": m.attempt,
		}
	}
}

// stored is what Diff compares of a promise.
func (p *promise) stored() map[string]any {
	result := map[string]any{
		"state": p.state, "timeoutAt": p.timeoutAt, "createdAt": p.createdAt, "settledAt": nil,
		"external": p.external, "timer": p.isTimer(), "targeted": p.isTargeted(),
		"param": p.param.record(), "value": p.value.record(), "tags": stringMap(p.tags),
		"keyForCreate": nil, "keyForComplete": nil, "taskVersion": nil,
	}
	if p.state != pending {
		result["settledAt"] = p.settledAt
		if p.task != nil {
			result["taskVersion"] = p.task.version
		}
	}
	if p.keyForCreate != nil {
		result["keyForCreate"] = *p.keyForCreate
	}
	if p.keyForComplete != nil {
		result["keyForComplete"] = *p.keyForComplete
	}
	return result
}

func promiseFromRow(row map[string]any) map[string]any {
	return map[string]any{
		"state": row["state"], "timeoutAt": row["timeout_at"], "createdAt": row["created_at"],
		"settledAt": row["settled_at"], "external": row["external"], "timer": row["timer"],
		"targeted": row["targeted"], "tags": row["tags"],
		"param":        payloadFromRow(row, "param"),
		"value":        payloadFromRow(row, "value"),
		"keyForCreate": row["idempotency_key_for_create"], "keyForComplete": row["idempotency_key_for_complete"],
		"taskVersion": row["task_version"],
	}
}

func payloadFromRow(row map[string]any, name string) map[string]any {
	result := map[string]any{}
	if headers := row[name+"_headers"]; headers != nil {
		result["headers"] = headers
	}
	if text := row[name+"_text"]; text != nil {
		result["data"] = text
	}
	if data, ok := row[name+"_data"].(string); ok {
		bytes, err := hex.DecodeString(strings.TrimPrefix(data, `\x`))
		if err != nil {
			result["data"] = data
		} else {
			result["data"] = base64.StdEncoding.EncodeToString(bytes)
		}
	}
	return result
}

func (t *task) stored(p *promise) map[string]any {
	result := map[string]any{
		"state": t.state, "version": t.version, "resumes": t.resumes, "timeoutAt": p.timeoutAt,
		"address": p.tags["resonate:target"], "pid": nil, "ttl": nil, "clock": nil,
		"othersAt": nil,
	}
	if t.state == acquired {
		result["pid"], result["ttl"] = t.pid, t.ttl
	}
	if t.others != 0 {
		result["othersAt"] = within(t.others, t.othersMax)
	}
	if records := t.clockRecords(p.id); len(records) > 0 {
		result["clock"] = records[0].(map[string]any)["timeout"]
	}
	return result
}

func taskFromRow(row map[string]any) map[string]any {
	return map[string]any{
		"state": row["state"], "version": row["version"], "resumes": row["resumes"],
		"timeoutAt": row["timeout_at"], "address": row["address"], "pid": row["pid"], "ttl": row["ttl"],
		"clock": row["clock_at"], "othersAt": row["others_at"],
	}
}
