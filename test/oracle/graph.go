package oracle

import (
	"fmt"
	"strings"
)

// graphOf is the part of an id before the first dot.
func graphOf(id string) string {
	graph, _, _ := strings.Cut(id, ".")
	return graph
}

// idMembers are the members that name promises, tasks or schedules, wherever
// they are in the arguments.
var idMembers = map[string]bool{
	"id": true, "ids": true, "awaited": true, "awaiter": true, "promise_id": true, "promiseId": true,
}

// touchesAll are the requests that are not about certain ids.
var touchesAll = map[string]bool{
	"rpc promise.search": true, "rpc task.search": true, "rpc schedule.search": true,
	"rpc debug.start": true, "rpc debug.stop": true, "rpc debug.reset": true, "rpc debug.tick": true,
	"rpc debug.snap":      true,
	"sql search_promises": true, "sql search_tasks": true, "sql search_schedules": true,
	"sql process_timeouts": true, "sql dequeue_execute": true, "sql dequeue_unblock": true, "sql receive": true,
	"sql prune": true, "sql outbox_channel": true,
}

// Graph tells the partition of a request: what stands before the first dot of
// every id it names.  It is empty for requests that touch all partitions.
func Graph(r Request) (string, error) {
	if touchesAll[r.Surface+" "+r.Name] {
		return "", nil
	}
	graphs := map[string]bool{}
	collectIDs(r.Args, func(id string) { graphs[graphOf(id)] = true })
	if len(graphs) == 0 && (r.Name == "task.heartbeat" || r.Name == "heartbeat_tasks") {
		return "", nil
	}
	if len(graphs) != 1 {
		return "", fmt.Errorf("%s %s names ids of %d graphs", r.Surface, r.Name, len(graphs))
	}
	for graph := range graphs {
		return graph, nil
	}
	return "", nil
}

// collectIDs finds the ids in arguments.  Params, values, headers and tags are
// nobody's business, and a template that begins with the id of its schedule
// names nothing new.
func collectIDs(value any, found func(id string)) {
	if items, ok := asList(value); ok {
		for _, item := range items {
			collectIDs(item, found)
		}
		return
	}
	object, _ := value.(map[string]any)
	for name, item := range object {
		switch name {
		case "param", "value", "headers", "tags", "promiseParam", "promiseTags":
			continue
		}
		if !idMembers[name] {
			collectIDs(item, found)
			continue
		}
		if ids, ok := asList(item); ok {
			for _, id := range ids {
				if text, ok := id.(string); ok {
					found(text)
				}
			}
		} else if text, ok := item.(string); ok && !strings.HasPrefix(text, "{{.id}}") {
			found(text)
		}
	}
}
