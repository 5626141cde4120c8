package oracle_test

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"strings"
	"testing"

	"resonate/test/client"
	"resonate/test/oracle"
)

// start is far in the future, where the worker, which has the time of day, finds
// nothing due.
const start = 4_000_000_000_000

func numberFrom(name string, standard int64) int64 {
	if n, err := strconv.ParseInt(os.Getenv(name), 10, 64); err == nil {
		return n
	}
	return standard
}

// TestRandomRequests has the model and the extension answer the same requests.
func TestRandomRequests(t *testing.T) {
	if os.Getenv("RSN_ORACLE") == "" {
		t.Skip("needs a server, see run.sh")
	}
	session, err := client.Open("")
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	seed, steps := numberFrom("RSN_SEED", 1), int(numberFrom("RSN_STEPS", 6000))
	t.Logf("RSN_SEED=%d RSN_STEPS=%d", seed, steps)
	l := &live{t: t, session: session, random: rand.New(rand.NewSource(seed)), answers: map[string]int{}}
	for done := 0; done < steps && !t.Failed(); done += 300 {
		l.begin()
		for i := 0; i < 300 && !t.Failed(); i++ {
			l.step()
		}
	}
	l.report()
}

// TestWarnings has a session fail by a warning that has no SQLSTATE of its own, and
// by no other.
func TestWarnings(t *testing.T) {
	if os.Getenv("RSN_ORACLE") == "" {
		t.Skip("needs a server, see run.sh")
	}
	session, err := client.Open("")
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	for statement, isFault := range map[string]bool{
		"DO $$BEGIN RAISE WARNING 'a hitch'; END$$":                        true,
		"DO $$BEGIN RAISE WARNING 'a step' USING ERRCODE = 'TR001'; END$$": false,
		"COMMIT":   false,
		"SELECT 1": false,
	} {
		if _, err := session.Query(context.Background(), statement); (err != nil) != isFault {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

// live is a run against a server.
type live struct {
	t       *testing.T
	session *client.Session
	random  *rand.Rand
	strict  bool
	now     int64
	states  []*oracle.State
	history []string
	answers map[string]int
	cursors []string
}

func (l *live) query(statement string) []client.Result {
	results, err := l.session.Query(context.Background(), statement)
	if err != nil {
		l.t.Fatalf("%s: %v", statement, err)
	}
	return results
}

// begin empties the database.
func (l *live) begin() {
	l.strict = l.random.Intn(3) == 0
	profile := map[bool]string{true: "strict", false: "sdk"}[l.strict]
	l.query(`TRUNCATE resonate.promises, resonate.tasks, resonate.callbacks, resonate.awaiters,
		resonate.messages, resonate.schedules; SET resonate.debug = on; SET resonate.profile = ` + profile)
	l.now, l.history, l.cursors = start, nil, nil
	l.states = []*oracle.State{oracle.NewWith(oracle.Options{Strict: l.strict})}
}

func (l *live) step() {
	l.now += pick(l.random, []int64{0, 0, 0, 0, 1, 1, 1, 20, 20, 500, 1000, 5000, 30000})
	request := l.request()
	response, err := l.session.Do(context.Background(), request)
	if err != nil {
		l.t.Fatalf("%s %s: %v", request.Surface, request.Name, err)
	}
	l.history = append(l.history, fmt.Sprintf("%d %s %s %v\n  -> %d %s %v", request.Now, request.Surface,
		request.Name, request.Args, response.Status, response.SQLState, response.Body))
	l.count(request, response)
	var next []*oracle.State
	var fault error
	for _, state := range l.states {
		states, err := state.Step(request, response)
		if err != nil {
			fault = err
		}
		next = append(next, states...)
	}
	if len(next) == 0 {
		l.fail(fault)
		return
	}
	l.states = distinct(next)
	l.compare()
}

func distinct(states []*oracle.State) []*oracle.State {
	seen := map[string]bool{}
	result := states[:0:0]
	for _, state := range states {
		if key := state.Key(); !seen[key] {
			seen[key] = true
			result = append(result, state)
		}
	}
	return result
}

// compare looks at what is stored, and drops the states that it is not.
func (l *live) compare() {
	var tables [4][]map[string]any
	for i, statement := range oracle.DumpSQL {
		for _, row := range l.query(statement)[0].Rows {
			object, err := client.DecodeJSON(row[0].(string))
			if err != nil {
				l.t.Fatal(err)
			}
			tables[i] = append(tables[i], object.(map[string]any))
		}
	}
	var fitting []*oracle.State
	var fault error
	for _, state := range l.states {
		err := state.Diff(l.now, tables[0], tables[1], tables[2], tables[3])
		if err == nil {
			fitting = append(fitting, state)
		} else {
			fault = err
		}
	}
	if len(fitting) == 0 {
		l.fail(fault)
		return
	}
	if len(fitting) > 1 {
		l.answers["ambiguous"]++
	}
	l.states = fitting
}

func (l *live) fail(fault error) {
	if len(l.history) > 12 {
		l.history = l.history[len(l.history)-12:]
	}
	l.t.Errorf("%v\n\nstrict: %t\nlast requests:\n%s\n\nstate before:\n%s", fault, l.strict,
		strings.Join(l.history, "\n"), l.states[0])
}

func (l *live) count(request oracle.Request, response *oracle.Response) {
	status := response.SQLState
	if request.Surface == "rpc" {
		status = strconv.Itoa(response.Status)
	} else if rows, _ := response.Body.([]any); len(rows) == 1 {
		row, _ := rows[0].(map[string]any)
		status = fmt.Sprint(row["status"])
	}
	l.answers[request.Surface+" "+request.Name+" "+status]++
}

func (l *live) report() {
	lines := make([]string, 0, len(l.answers))
	for name, n := range l.answers {
		lines = append(lines, fmt.Sprintf("%5d %s", n, name))
	}
	sortByName(lines)
	l.t.Logf("answers:\n%s", strings.Join(lines, "\n"))
}
