package main

import (
	"fmt"
	"strings"

	"resonate/test/oracle"
)

// A promise past its deadline is settled for everyone, be that stored or not.  Who
// waits for it hears of it only when it is stored; if nobody waits, nobody can
// tell.  Since any look at a promise and any sweep may store it or not, the
// states that differ in nothing else double with each such promise.  So they are
// made one: the deadline counts as stored as soon as it has passed.  In return
// everything is stored before rows are compared.

// lapse stores the deadlines that have passed and that make no difference.
func lapse(state *oracle.State, now int64) *oracle.State {
	for _, id := range lapsed(state, now) {
		look := oracle.Request{Surface: "rpc", Name: "promise.get", Now: now,
			Args: map[string]any{"id": id}}
		states, err := state.Step(look, nil)
		if err != nil {
			continue
		}
		for _, other := range states {
			if other.Key() != state.Key() && isUnnoticed(id, state.String(), other.String()) {
				state = other
				break
			}
		}
	}
	return state
}

// lapsed lists promises stored as pending whose deadline has passed.
func lapsed(state *oracle.State, now int64) []string {
	var ids []string
	for _, line := range strings.Split(state.String(), "\n") {
		if !strings.Contains(line, " pending created ") {
			continue
		}
		var id string
		var created, timeout int64
		_, err := fmt.Sscanf(line, "promise %q pending created %d timeout %d",
			&id, &created, &timeout)
		if err == nil && timeout <= now {
			ids = append(ids, id)
		}
	}
	return ids
}

// isUnnoticed tells whether two states differ in the line of the promise alone.
func isUnnoticed(id, before, after string) bool {
	old, new := strings.Split(before, "\n"), strings.Split(after, "\n")
	if len(old) != len(new) {
		return false
	}
	for i := range old {
		if old[i] != new[i] && !strings.HasPrefix(old[i], fmt.Sprintf("promise %q ", id)) {
			return false
		}
	}
	return true
}
