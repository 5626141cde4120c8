package main

import (
	"encoding/json"

	"resonate/test/oracle"
)

// The most requests that wait to follow an answer.
const maxFollowUps = 30

// takeFollowUp takes one of those that wait, any of them.
func (d *driver) takeFollowUp() oracle.Request {
	i := d.below(len(d.followUps))
	request := d.followUps[i]
	d.followUps = append(d.followUps[:i], d.followUps[i+1:]...)
	return request
}

// then has a request wait, sometimes with a version that is too old.
func (d *driver) then(surface, name string, args map[string]any) {
	if version, ok := args["version"].(int64); ok && version > 0 && d.chance(80) {
		args["version"] = version - 1
	}
	if len(d.followUps) == maxFollowUps {
		d.takeFollowUp()
	}
	d.followUps = append(d.followUps, oracle.Request{Surface: surface, Name: name, Args: args})
}

// followUp does what a client does with an answer: the next page, the offer that
// it got, the task that it holds, the message that it has received.
func (d *driver) followUp(request oracle.Request, response *oracle.Response) {
	if request.Surface == "rpc" {
		if body, ok := response.Body.(map[string]any); ok {
			d.followMessage(request, response.Status, body)
		}
		return
	}
	rows, _ := response.Body.([]any)
	for _, item := range rows {
		if answer, ok := item.(map[string]any); ok {
			d.followRow(request, answer)
		}
	}
}

func (d *driver) followMessage(request oracle.Request, status int, body map[string]any) {
	if cursor, ok := body["cursor"].(string); ok {
		d.then("rpc", request.Name, extended(request.Args, "cursor", cursor))
	}
	if task, ok := body["task"].(map[string]any); ok && task["state"] == "acquired" && request.Name != "task.get" {
		d.hold(task["id"].(string), toInt(task["version"]), task["pid"])
	}
	// A suspension that had nothing to wait for goes on.
	if request.Name == "task.suspend" && status == 300 {
		d.hold(request.Args["id"].(string), toInt(request.Args["version"]), nil)
	}
}

func (d *driver) followRow(request oracle.Request, answer map[string]any) {
	if cursor, ok := answer["cursor"].(string); ok {
		args := map[string]any{"cursor": cursor}
		if request.Name != "search_promises" {
			args = extended(request.Args, "cursor", cursor)
		}
		d.then("sql", request.Name, args)
	}
	switch request.Name {
	case "dequeue_execute":
		d.take(answer["task_id"].(string), toInt(answer["version"]))
	case "acquire_task", "create_promise_and_task":
		if answer["task_state"] == "acquired" && toInt(answer["status"]) < 4000 {
			d.hold(answer["id"].(string), toInt(answer["version"]), answer["pid"])
		}
	case "receive":
		d.then("sql", "acknowledge", map[string]any{
			"promise_id": answer["promise_id"], "callback_id": answer["callback_id"], "kind": answer["kind"],
		})
	case "dequeue_unblock":
		if promise, ok := answer["promise"].(map[string]any); ok {
			d.then("sql", "acknowledge", map[string]any{
				"promise_id": promise["id"], "callback_id": request.Args["address"], "kind": "listener",
			})
		}
	}
}

// take acquires what was offered.
func (d *driver) take(id string, version int64) {
	if d.chance(500) {
		d.then("sql", "acquire_task", map[string]any{
			"id": id, "version": version, "pid": pick(d.random, pids...), "ttl": d.ttl(),
		})
		return
	}
	d.then("rpc", "task.acquire", map[string]any{
		"id": id, "version": version, "pid": pick(d.random, pids...), "ttl": d.ttl(),
	})
}

// hold does something with a task that it holds.
func (d *driver) hold(id string, version int64, pid any) {
	if pid == nil {
		pid = pick(d.random, pids...)
	}
	ref := map[string]any{"id": id, "version": version}
	switch d.below(8) {
	case 0:
		d.then("rpc", "task.heartbeat", map[string]any{"pid": pid, "tasks": []any{ref}})
	case 1:
		d.then("rpc", "task.fulfill", extended(ref, "action", action("promise.settle", d.settlement(id))))
	case 2:
		d.then("sql", "fulfill_task", extended(ref, "value", pick(d.random, jsonPayloads...)))
	case 3, 4:
		d.then("rpc", "task.suspend", suspension(id, version, d.awaited(id)))
	case 5:
		d.then("sql", "suspend_task", extended(ref, "awaited", d.awaited(id)))
	case 6:
		d.then("rpc", "task.fence", extended(ref, "action", d.fenced()))
	default:
		d.then("rpc", "task.release", ref)
	}
}

func extended(args map[string]any, name string, value any) map[string]any {
	result := map[string]any{name: value}
	for old, value := range args {
		if old != name {
			result[old] = value
		}
	}
	return result
}

func toInt(value any) int64 {
	switch v := value.(type) {
	case json.Number:
		n, _ := v.Int64()
		return n
	case int64:
		return v
	}
	return 0
}
