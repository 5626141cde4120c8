package oracle

import (
	"fmt"
	"testing"
)

// BenchmarkStep is what a search for a linearization does all the time.
func BenchmarkStep(b *testing.B) {
	s := NewWith(Options{Partition: "g", Concurrent: true})
	for i := 0; i < 20; i++ {
		tags := data{"resonate:target": group}
		states, err := s.Step(Request{"sql", "create_promise", data{"id": fmt.Sprintf("g.%d", i), "tags": tags}, 0}, nil)
		if err != nil {
			b.Fatal(err)
		}
		s = states[len(states)-1]
	}
	request := Request{"rpc", "promise.settle", data{"id": "g.7", "state": resolved}, 100}
	o, _ := rpcHandlers["promise.settle"](&call{Request: request, before: s})
	response := &Response{Status: 200, Body: o[0].body}
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		states, err := s.Step(request, response)
		if err != nil {
			b.Fatal(err)
		}
		_ = states[0].Key()
	}
}
