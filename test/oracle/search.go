package oracle

import (
	"fmt"
	"math"
	"strings"
)

// Searches, on both interfaces.

// found is what a search should answer: the rows it matches in order, by id.
type found struct {
	state *State
	ids   []string
	limit int64
	row   func(id string) map[string]any
	// hasCursor tells whether a page that ends with its last row has a cursor.
	isFullEnough func(n int) bool
}

// page gives the rows of a page and whether there is a cursor.
func (f found) page() ([]any, bool) {
	ids := f.ids
	hasCursor := f.isFullEnough(len(ids))
	if int64(len(ids)) > f.limit {
		ids = ids[:f.limit]
	}
	rows := make([]any, len(ids))
	for i, id := range ids {
		rows[i] = f.row(id)
	}
	return rows, hasCursor && len(rows) > 0
}

// hasMore is the rule of most searches: there is another row.
func hasMore(limit int64) func(n int) bool {
	return func(n int) bool { return int64(n) > limit }
}

// checkPart checks the rows of this partition in an answer that has those of
// others, too: all that are expected up to where the page ends.
func (f found) checkPart(rows []any, isCut bool) string {
	s := f.state
	var own []any
	for _, item := range rows {
		row, _ := item.(map[string]any)
		if id, _ := row["id"].(string); graphOf(id) == s.options.Partition {
			own = append(own, row)
		}
	}
	if len(own) > len(f.ids) || len(own) < len(f.ids) && !isCut {
		return fmt.Sprintf("expected %d rows of %s, got %s", len(f.ids), s.options.Partition, show(own))
	}
	for i, row := range own {
		wanted := f.row(f.ids[i])
		if _, ok := wanted["cursor"]; ok {
			wanted["cursor"] = check(func(any) string { return "" })
		}
		if faults := differences(fmt.Sprintf("row %d", i), wanted, row, nil); len(faults) > 0 {
			return strings.Join(faults, ", ")
		}
	}
	return ""
}

// protocolBody is the answer of a search of the wire protocol.
func (f found) protocolBody(name string) any {
	if f.state.options.Partition != "" {
		return check(func(seen any) string {
			body, _ := seen.(map[string]any)
			rows, ok := body[name].([]any)
			if !ok {
				return "expected " + name
			}
			return f.checkPart(rows, body["cursor"] != nil)
		})
	}
	rows, hasCursor := f.page()
	body := map[string]any{name: rows}
	if hasCursor {
		body["cursor"] = f.ids[len(rows)-1]
	}
	return body
}

// typedBody is the answer of a typed search; the last row has the cursor.
func (f found) typedBody(cursor func(id string) any) any {
	if f.state.options.Partition != "" {
		return check(func(seen any) string {
			rows, ok := seen.([]any)
			if !ok {
				return "expected rows"
			}
			return f.checkPart(rows, int64(len(rows)) >= f.limit)
		})
	}
	rows, hasCursor := f.page()
	for i, row := range rows {
		row.(map[string]any)["cursor"] = nil
		if hasCursor && i == len(rows)-1 {
			row.(map[string]any)["cursor"] = cursor(f.ids[i])
		}
	}
	return rows
}

func itself(id string) any { return id }

// optional members of the searches of the wire protocol may be null as well.
func (f *fields) optionalText(name string) string {
	value := f.object[name]
	text, ok := value.(string)
	if value != nil && !ok {
		f.fail()
	}
	return text
}

func (f *fields) optionalTags() map[string]string {
	if f.object["tags"] == nil {
		return nil
	}
	return f.tags("tags")
}

func (f *fields) limit(standard int64) int64 {
	if f.object["limit"] == nil {
		return standard
	}
	return f.integer("limit", 1, 1000)
}

func (f *fields) state(states ...string) string {
	value := f.object["state"]
	if value == nil {
		return ""
	}
	for _, state := range states {
		if value == state {
			return state
		}
	}
	f.fail()
	return ""
}

func (c *call) rpcPromiseSearch() ([]outcome, error) {
	f := c.fields()
	state := f.state(pending, resolved, rejected, canceled, timedOut)
	tags, cursor, limit := f.optionalTags(), f.optionalText("cursor"), f.limit(100)
	if f.bad {
		return c.refused(400)
	}
	s := c.before
	var ids []string
	for _, id := range s.promiseIDs() {
		p := s.promises[id]
		if (cursor == "" || id > cursor) && containsTags(p.tags, tags) &&
			(state == "" || p.view(c.Now).state == state) {
			ids = append(ids, id)
		}
	}
	body := found{
		state: s, ids: ids, limit: limit, isFullEnough: hasMore(limit),
		row: func(id string) map[string]any { return s.promises[id].record(c.Now) },
	}.protocolBody("promises")
	// The row that tells that there is another page may be looked at like those
	// of the page.
	result := one(s, 200, body)
	for _, n := range []int64{limit, limit + 1} {
		if d := c.lapsePage(s, ids, n); d != s {
			result = append(result, one(d, 200, body)...)
		}
	}
	return result, nil
}

// lapsePage stores the deadlines that have passed of the promises of a page.
func (c *call) lapsePage(s *State, ids []string, limit int64) *State {
	d := s
	for i, id := range ids {
		if int64(i) < limit && s.promises[id].isLapsed(c.Now) {
			if d == s {
				d = s.draft()
			}
			d.lapse(d.promises[id], c.Now)
		}
	}
	return d
}

func (s *State) foundTasks(state, cursor string, now int64) []string {
	var ids []string
	for _, id := range s.promiseIDs() {
		t := s.promises[id].view(now).task
		if t != nil && (cursor == "" || id > cursor) && (state == "" || t.state == state) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (c *call) rpcTaskSearch() ([]outcome, error) {
	f := c.fields()
	state := f.state(pending, acquired, suspended, halted, fulfilled)
	cursor, limit := f.optionalText("cursor"), f.limit(100)
	if f.bad {
		return c.refused(400)
	}
	return one(c.before, 200, found{
		state: c.before, ids: c.before.foundTasks(state, cursor, c.Now), limit: limit, isFullEnough: hasMore(limit),
		row: func(id string) map[string]any { return c.before.promises[id].taskRecord(c.Now) },
	}.protocolBody("tasks")), nil
}

func (c *call) rpcScheduleSearch() ([]outcome, error) {
	f := c.fields()
	tags, cursor, limit := f.optionalTags(), f.optionalText("cursor"), f.limit(10)
	if f.bad {
		return c.refused(400)
	}
	return one(c.before, 200, found{
		state: c.before, ids: c.before.foundSchedules(tags, cursor), limit: limit, isFullEnough: hasMore(limit),
		row: func(id string) map[string]any { return c.before.schedules[id].record() },
	}.protocolBody("schedules")), nil
}

func (c *call) sqlSearchTasks() ([]outcome, error) {
	a := c.arguments()
	state, hasState := a.text("state")
	cursor, _ := a.text("cursor")
	limit := a.limit(1000, 100)
	switch state {
	case pending, acquired, suspended, halted, fulfilled:
	default:
		if hasState {
			a.fail("22023")
		}
	}
	if a.isBad() {
		return c.raisedBy(a)
	}
	s := c.before
	return one(s, 0, found{
		state: s, ids: s.foundTasks(state, cursor, c.Now), limit: limit, isFullEnough: hasMore(limit),
		row: func(id string) map[string]any {
			p := s.promises[id].view(c.Now)
			row := map[string]any{
				"id": id, "state": p.task.state, "version": p.task.version, "resumes": p.task.resumes,
				"pid": nil, "ttl": nil, "timeout_at": shownInstant(p.timeoutAt), "timeout_at_ms": p.timeoutAt, "cursor": nil,
				"address": nil,
			}
			for _, name := range clockColumns {
				row[name] = nil
			}
			p.task.addClocks(row)
			if p.task.state != fulfilled {
				row["address"] = p.tags["resonate:target"]
			}
			if p.task.state == acquired {
				row["pid"], row["ttl"] = p.task.pid, shownSpan(p.task.ttl)
			}
			return row
		},
	}.typedBody(itself)), nil
}

func (c *call) sqlSearchSchedules() ([]outcome, error) {
	a := c.arguments()
	tags, _ := a.stringsOf("tags")
	cursor, _ := a.text("cursor")
	limit := a.limit(1000, 100)
	if a.isBad() {
		return c.raisedBy(a)
	}
	s := c.before
	return one(s, 0, found{
		state: s, ids: s.foundSchedules(tags, cursor), limit: limit, isFullEnough: hasMore(limit),
		row: func(id string) map[string]any {
			row := s.schedules[id].columns()
			row["cursor"] = nil
			return row
		},
	}.typedBody(itself)), nil
}

// patternParts are what stands between the asterisks of a pattern. A backslash
// before an asterisk or a backslash makes that stand for itself.
func patternParts(pattern string) []string {
	parts := []string{""}
	for i := 0; i < len(pattern); i++ {
		last := len(parts) - 1
		switch {
		case pattern[i] == '\\' && i+1 < len(pattern) && (pattern[i+1] == '*' || pattern[i+1] == '\\'):
			i++
			parts[last] += pattern[i : i+1]
		case pattern[i] == '*':
			parts = append(parts, "")
		default:
			parts[last] += pattern[i : i+1]
		}
	}
	return parts
}

// matchesPattern tells whether an id matches a pattern in which * stands for any
// characters.
func matchesPattern(pattern, id string) bool {
	parts := patternParts(pattern)
	if len(parts) == 1 {
		return parts[0] == id
	}
	first, last := parts[0], parts[len(parts)-1]
	if !strings.HasPrefix(id, first) || !strings.HasSuffix(id[len(first):], last) {
		return false
	}
	rest := id[len(first) : len(id)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		at := strings.Index(rest, part)
		if at < 0 {
			return false
		}
		rest = rest[at+len(part):]
	}
	return true
}

// isInGroup tells whether a state is meant by the one that a typed search names.
func isInGroup(state, group string) bool {
	return state == group || group == rejected && (state == canceled || state == timedOut)
}

func (c *call) promiseSearchRow(p *promise) map[string]any {
	row := map[string]any{"cursor": nil}
	p.columns(row, p.id, c.Now)
	return row
}

func (c *call) sqlSearchPromises() ([]outcome, error) {
	if c.Args["cursor"] != nil {
		return c.sqlSearchOn()
	}
	a := c.arguments()
	pattern := "*"
	if value, ok := a.values["pattern"]; ok || value != nil {
		pattern = a.name("pattern", 3*maxLength+1)
	}
	state, hasState := a.text("state")
	group := strings.ToLower(state)
	switch group {
	case pending, resolved, rejected, canceled, timedOut:
	default:
		if hasState {
			a.fail("22023")
		}
	}
	tags, _ := a.stringsOf("tags")
	limit := int64(100)
	if value := a.values["limit"]; value != nil {
		if limit = a.integer("limit", 0, 100); limit == 0 {
			limit = 100
		}
	}
	if a.isBad() {
		return c.raisedBy(a)
	}
	s := c.before
	var ids []string
	for _, id := range s.promiseIDs() {
		p := s.promises[id]
		if matchesPattern(pattern, id) && containsTags(p.tags, tags) &&
			(!hasState || isInGroup(p.view(c.Now).state, group)) {
			ids = append(ids, id)
		}
	}
	s.newestFirst(ids)
	d := c.lapsePage(s, ids, limit)
	if s.options.Partition != "" {
		// What is on the page depends on the other graphs.
		d = c.lapsePage(s, ids, c.rowsOfPart())
	}
	return one(d, 0, found{
		state: s, ids: ids, limit: limit, isFullEnough: func(n int) bool { return int64(n) >= limit },
		row: func(id string) map[string]any { return c.promiseSearchRow(s.promises[id]) },
	}.typedBody(func(string) any { return someText{} })), nil
}

// rowsOfPart is how many rows of the answer are of this partition.
func (c *call) rowsOfPart() int64 {
	if c.response == nil {
		return math.MaxInt64
	}
	rows, _ := c.response.Body.([]any)
	n := int64(0)
	for _, item := range rows {
		row, _ := item.(map[string]any)
		if id, _ := row["id"].(string); graphOf(id) == c.before.options.Partition {
			n++
		}
	}
	return n
}

// sqlSearchOn is a further page, whose request is in the cursor: every row must be
// as it is now, and newer ones come first.
func (c *call) sqlSearchOn() ([]outcome, error) {
	if c.response == nil {
		return nil, fmt.Errorf("a cursor whose page is lost: %w", ErrNotModelled)
	}
	if c.response.SQLState != "" {
		return c.raised("22023")
	}
	rows, _ := c.response.Body.([]any)
	var ids []string
	var expected []any
	for _, item := range rows {
		row, _ := item.(map[string]any)
		id, _ := row["id"].(string)
		p := c.before.promises[id]
		if p == nil {
			if s := c.before.options.Partition; s == "" || graphOf(id) == s {
				return nil, fmt.Errorf("found %q, which does not exist", id)
			}
			expected = append(expected, check(func(any) string { return "" }))
			continue
		}
		wanted := c.promiseSearchRow(p)
		wanted["cursor"] = check(func(any) string { return "" })
		ids, expected = append(ids, id), append(expected, wanted)
	}
	sorted := append([]string(nil), ids...)
	c.before.newestFirst(sorted)
	if strings.Join(sorted, "\n") != strings.Join(ids, "\n") {
		return nil, fmt.Errorf("not newest first: %q", ids)
	}
	return one(c.lapsePage(c.before, ids, math.MaxInt64), 0, append([]any{}, expected...)), nil
}
