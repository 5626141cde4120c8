package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"strings"
	"sync"
)

// How many of the newest ids of a graph are used most of the time, so that
// sessions meet.
const windowSize = 6

// What a promise is, by the letter in its id.
const (
	targeted = 't'
	external = 'e'
	timer    = 'm'
	internal = 'i'
)

// The kinds of the ids of a graph, over and over: where there are tasks, and where
// there are none.
const (
	kindCycle     = "tetmtite"
	wallKindCycle = "emie"
)

// board is what the sessions know of a graph together.  What it says may be out
// of date, which is as it should be: then they ask for what cannot be.
type board struct {
	name  string
	cycle string

	mu    sync.Mutex
	count int
	known map[string]knowledge
}

// knowledge is what was last heard of an id; its zero value is nothing.
type knowledge struct {
	promise string // its state
	task    string // its state
	version int64
}

// wish says which ids are preferred.
type wish func(knowledge) bool

func anything(knowledge) bool    { return true }
func existing(k knowledge) bool  { return k.promise != "" }
func unsettled(k knowledge) bool { return k.promise == "pending" }

func newBoard(name, cycle string) *board {
	return &board{name: name, cycle: cycle, count: windowSize, known: map[string]knowledge{}}
}

func (b *board) id(i int) string {
	return fmt.Sprintf("%s.%c%d", b.name, b.cycle[i%len(b.cycle)], i)
}

func kindOf(id string) byte { return id[strings.IndexByte(id, '.')+1] }

// pick gives an id, most often a recent one, of one of the kinds and as wished,
// but not always.
func (b *board) pick(r *rand.Rand, kinds string, fits wish) string {
	id, _ := b.pickKnown(r, kinds, fits)
	return id
}

func (b *board) pickKnown(r *rand.Rand, kinds string, fits wish) (string, knowledge) {
	b.mu.Lock()
	defer b.mu.Unlock()
	first := 0
	if r.Intn(100) < 85 {
		first = b.count - windowSize
	}
	id := b.id(first + r.Intn(b.count-first))
	if r.Intn(100) >= 3 {
		for _, ids := range [][]string{b.find(first, kinds, fits), b.find(0, kinds, fits),
			b.find(0, kinds, existing)} {
			if len(ids) > 0 {
				id = ids[r.Intn(len(ids))]
				break
			}
		}
	}
	return id, b.known[id]
}

// find lists the ids from one on that are of the kinds and as wished.
func (b *board) find(first int, kinds string, fits wish) []string {
	var ids []string
	for i := first; i < b.count; i++ {
		id := b.id(i)
		if strings.IndexByte(kinds, kindOf(id)) >= 0 && fits(b.known[id]) {
			ids = append(ids, id)
		}
	}
	return ids
}

// pickNew gives an id to create, from time to time one that nobody has used.
func (b *board) pickNew(r *rand.Rand, kinds string) string {
	if r.Intn(100) < 30 {
		b.mu.Lock()
		b.count++
		b.mu.Unlock()
	}
	return b.pick(r, kinds, anything)
}

// task picks the id of a task, preferably one that was in the state, and the
// version that it had last, or now and then the one before.
func (b *board) task(r *rand.Rand, state string) (string, int64) {
	id, known := b.pickKnown(r, string(targeted), func(k knowledge) bool {
		return k.task == state || k.task != "" && r.Intn(100) < 8
	})
	if r.Intn(100) < 5 && known.version > 0 {
		known.version--
	}
	return id, known.version
}

// learn takes in what an operation was answered.
func (b *board) learn(op *Op) {
	if op.Response == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.look(op.Response.Body)
	// The protocol answers these with nothing.
	state := map[string]string{
		"task.release": "pending", "task.suspend": "suspended",
		"task.halt": "halted", "task.continue": "pending"}[op.Request.Name]
	id, _ := op.Request.Args["id"].(string)
	if state != "" && op.Response.Status == 200 {
		known := b.known[id]
		known.task = state
		b.known[id] = known
	}
}

// look finds the records in an answer.
func (b *board) look(value any) {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			b.look(item)
		}
	case map[string]any:
		if id, _ := v["id"].(string); id != "" {
			b.known[id] = b.known[id].with(v)
		}
		for _, item := range v {
			b.look(item)
		}
	}
}

// with adds what a record says: a promise or task of the protocol, or a row of
// SQL, which may be both.
func (k knowledge) with(record map[string]any) knowledge {
	state, _ := record["state"].(string)
	taskState, _ := record["task_state"].(string)
	_, isSQL := record["task_state"]
	number, hasVersion := record["version"].(json.Number)
	if hasVersion && !isSQL {
		taskState, state = state, ""
	}
	if state != "" {
		k.promise = state
		k.guessTask(record)
	}
	if version, err := number.Int64(); err == nil && version >= k.version && taskState != "" {
		k.task, k.version = taskState, version
	}
	return k
}

// guessTask tells the state of a task that nothing is known of yet, or nothing
// more can be.
func (k *knowledge) guessTask(promise map[string]any) {
	tags, _ := promise["tags"].(map[string]any)
	if tags["resonate:target"] == nil {
		return
	}
	if k.promise != "pending" {
		k.task = "fulfilled"
	} else if k.task == "" {
		k.task = "pending"
	}
}
