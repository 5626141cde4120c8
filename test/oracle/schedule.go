package oracle

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
)

// Schedules, on both interfaces.

func (row *schedule) rule() (*cronRule, error) {
	rule, ok := parseCron(row.cron)
	if !ok {
		return nil, fmt.Errorf("schedule %q has the rule %q", row.id, row.cron)
	}
	return rule.in(row.timeZone)
}

// expand fills in a template in one pass.
func (row *schedule) expand(at int64) string {
	return strings.NewReplacer("{{.id}}", row.id, "{{.timestamp}}", strconv.FormatInt(at, 10)).Replace(row.template)
}

// fire creates the promises of occurrences up to now, limit of them at the most,
// and tells how many occurrences there were.
func (s *State) fire(id string, now int64, limit int) (int, error) {
	row := *s.schedules[id]
	rule, err := row.rule()
	if err != nil {
		return 0, err
	}
	occurrences := []int64{}
	for row.nextRunAt <= now && (len(occurrences) < limit || row.catchUp != "all") {
		occurrences = append(occurrences, row.nextRunAt)
		if row.nextRunAt, err = rule.next(row.nextRunAt); err != nil {
			return 0, err
		}
	}
	last := len(occurrences) - 1
	switch {
	case row.catchUp == "last", row.catchUp == "none" && now-occurrences[last] <= s.options.ScheduleGrace:
		row.miss(occurrences[:last])
		occurrences = occurrences[last:]
	case row.catchUp == "none":
		row.miss(occurrences)
		occurrences = nil
	}
	for _, at := range occurrences {
		row.lastRunAt, row.hasLastRun = at, true
		row.fired++
		if saturatingAdd(at, row.timeout) <= now && row.tags["resonate:timer"] != "true" {
			row.miss([]int64{at})
		}
		s.occur(&row, at, now)
	}
	s.putSchedule(&row)
	return len(occurrences), nil
}

// miss notes that nobody could work on occurrences.
func (row *schedule) miss(occurrences []int64) {
	if n := len(occurrences); n > 0 {
		row.missed += int64(n)
		row.lastMissedAt = occurrences[n-1]
	}
}

// The most occurrences, and schedules, that are taken before all that is due is
// shared anew.
const roundMax = 100

// fireDue fires those of the due schedules that are wanted, limit occurrences at
// the most; a schedule that fires none counts for one.  Each gets an equal share
// of what those before it have left.
func (s *State) fireDue(wanted func(id string) bool, now int64, limit int) (int, error) {
	done := 0
	for done < limit {
		left := smaller(limit-done, roundMax)
		var ids []string
		for _, id := range s.dueSchedules(now) {
			if wanted(id) {
				ids = append(ids, id)
			}
		}
		if len(ids) >= roundMax {
			return 0, fmt.Errorf("many schedules are due: %w", ErrNotModelled)
		}
		if len(ids) == 0 {
			break
		}
		ids = ids[:smaller(len(ids), left)]
		for i, id := range ids {
			n, err := s.fire(id, now, left/(len(ids)-i))
			if err != nil {
				return 0, err
			}
			if n == 0 {
				n = 1
			}
			left -= n
			done += n
		}
	}
	return done, nil
}

func smaller(a, b int) int {
	if a < b {
		return a
	}
	return b
}

// occur creates the promise of an occurrence as of its instant; one that exists is
// left as it is.
func (s *State) occur(row *schedule, at, now int64) {
	id := row.expand(at)
	if s.promises[id] != nil {
		return
	}
	want := creation{id: id, timeoutAt: saturatingAdd(at, row.timeout), param: row.param, tags: row.tags}
	s.lapse(s.insert(want, nil, at), now)
}

func (row *schedule) record() map[string]any {
	result := map[string]any{
		"id": row.id, "cron": row.cron, "promiseId": row.template, "promiseTimeout": row.timeout,
		"promiseParam": row.param.record(), "promiseTags": stringMap(row.tags),
		"createdAt": row.createdAt, "nextRunAt": row.nextRunAt,
	}
	if row.hasLastRun {
		result["lastRunAt"] = row.lastRunAt
	}
	return result
}

func (c *call) rpcScheduleGet() ([]outcome, error) {
	f := c.fields()
	id := f.text("id")
	if f.bad {
		return c.refused(400)
	}
	row := c.before.schedules[id]
	if row == nil {
		return c.refused(404)
	}
	return one(c.before, 200, map[string]any{"schedule": row.record()}), nil
}

// longestID is how long the ids of the promises of a schedule can be: an instant
// has up to 19 digits.
func longestID(template, id string) int {
	return len(strings.NewReplacer("{{.id}}", id, "{{.timestamp}}", strings.Repeat("9", 19)).Replace(template))
}

func (c *call) rpcScheduleCreate() ([]outcome, error) {
	f := c.fields()
	row := &schedule{
		id: f.text("id"), cron: f.text("cron"), template: f.text("promiseId"), catchUp: "all",
		timeout: f.integer("promiseTimeout", 0, math.MaxInt64),
		param:   f.payload("promiseParam"), tags: f.tags("promiseTags"), createdAt: c.Now,
	}
	rule, ok := parseCron(row.cron)
	if f.bad || !ok || !c.before.options.areTagsRight(row.tags, 0, false) || longestID(row.template, row.id) > maxLength {
		return c.refused(400)
	}
	if old := c.before.schedules[row.id]; old != nil {
		return one(c.before, 200, map[string]any{"schedule": old.record()}), nil
	}
	var err error
	if row.nextRunAt, err = rule.next(c.Now); err != nil {
		return nil, err
	}
	d := c.before.draft()
	d.putSchedule(row)
	return one(d, 200, map[string]any{"schedule": row.record()}), nil
}

func (c *call) rpcScheduleDelete() ([]outcome, error) {
	f := c.fields()
	id := f.text("id")
	if f.bad {
		return c.refused(400)
	}
	if c.before.schedules[id] == nil {
		return c.refused(404)
	}
	d := c.before.draft()
	d.deleteSchedule(id)
	return one(d, 200, empty()), nil
}

// columns is the row of the type schedule_result.
func (row *schedule) columns() map[string]any {
	result := map[string]any{
		"id": row.id, "cron": row.cron, "time_zone": nil, "catch_up": row.catchUp, "promise_id": row.template,
		"promise_timeout": shownSpan(row.timeout), "param": row.param.typedValue(),
		"param_headers": stringMap(row.param.headers), "param_data": row.param.typedData(),
		"tags": stringMap(row.tags), "created_at": shownInstant(row.createdAt), "next_run_at": shownInstant(row.nextRunAt),
		"last_run_at": nil, "fired": row.fired, "missed": row.missed, "last_missed_at": nil,
	}
	if row.timeZone != nil {
		result["time_zone"] = *row.timeZone
	}
	if row.hasLastRun {
		result["last_run_at"] = shownInstant(row.lastRunAt)
	}
	if row.missed > 0 {
		result["last_missed_at"] = shownInstant(row.lastMissedAt)
	}
	return result
}

var scheduleColumns = []string{
	"id", "cron", "time_zone", "catch_up", "promise_id", "promise_timeout", "param", "param_headers", "param_data",
	"tags", "created_at", "next_run_at", "last_run_at", "fired", "missed", "last_missed_at",
}

func scheduleResult(status int, id string, row *schedule) any {
	result := map[string]any{}
	if row != nil {
		result = row.columns()
	} else {
		for _, name := range scheduleColumns {
			result[name] = nil
		}
	}
	result["status"], result["id"] = status, id
	return []any{result}
}

func (c *call) sqlGetSchedule() ([]outcome, error) {
	a := c.arguments()
	id := a.id("id")
	if a.sqlState != "" {
		return c.raised(a.sqlState)
	}
	row := c.before.schedules[id]
	if row == nil {
		return one(c.before, 0, scheduleResult(4040, id, nil)), nil
	}
	return one(c.before, 0, scheduleResult(2000, id, row)), nil
}

func (a *arguments) schedule(now int64) *schedule {
	row := &schedule{id: a.id("id"), createdAt: now, template: "{{.id}}.{{.timestamp}}", catchUp: "all"}
	cron, hasCron := a.text("cron")
	if !hasCron {
		a.fail("22004")
	}
	row.cron = cron
	if template, ok := a.text("promise_id"); ok {
		row.template = template
	}
	if catchUp, ok := a.text("catch_up"); ok {
		row.catchUp = catchUp
	}
	if zone, ok := a.text("time_zone"); ok {
		row.timeZone = &zone
	}
	row.timeout = a.length("timeout", now, a.options.DefaultTimeout)
	row.param = a.payload("param")
	row.tags = a.tags()
	isCatchUp := row.catchUp == "all" || row.catchUp == "last" || row.catchUp == "none"
	if _, ok := parseCron(cron); !ok || !isCatchUp || row.template == "" || !a.options.areTagsRight(row.tags, 0, false) ||
		longestID(row.template, row.id) > maxLength {
		a.fail("22023")
	}
	return row
}

func (row *schedule) isSameAs(other *schedule) bool {
	return row.cron == other.cron && optional(row.timeZone) == optional(other.timeZone) &&
		row.catchUp == other.catchUp && row.template == other.template && row.timeout == other.timeout &&
		row.param.isSameAs(other.param) && describeTags(row.tags) == describeTags(other.tags)
}

// isSameAs takes no headers and an empty object of them for the same.
func (p payload) isSameAs(other payload) bool {
	return p.hasData == other.hasData && p.data == other.data &&
		describeTags(p.headers) == describeTags(other.headers)
}

func (c *call) sqlCreateSchedule() ([]outcome, error) {
	a := c.arguments()
	row := a.schedule(c.Now)
	if a.err != nil || a.sqlState != "" {
		return c.raisedBy(a)
	}
	rule, err := row.rule()
	if err != nil {
		if isNoZone(err) {
			return c.raised("22023")
		}
		return nil, err
	}
	if old := c.before.schedules[row.id]; old != nil {
		status := 4090
		if row.isSameAs(old) {
			status = 2000
		}
		return one(c.before, 0, scheduleResult(status, row.id, old)), nil
	}
	if row.nextRunAt, err = rule.next(c.Now); err != nil {
		return nil, err
	}
	d := c.before.draft()
	d.putSchedule(row)
	return one(d, 0, scheduleResult(2010, row.id, row)), nil
}

func (c *call) sqlDeleteSchedule() ([]outcome, error) {
	a := c.arguments()
	id := a.id("id")
	if a.sqlState != "" {
		return c.raised(a.sqlState)
	}
	if c.before.schedules[id] == nil {
		return one(c.before, 0, scalar("delete_schedule", 4040)), nil
	}
	d := c.before.draft()
	d.deleteSchedule(id)
	return one(d, 0, scalar("delete_schedule", 2000)), nil
}

// foundSchedules are the ids of those that have the tags, after the cursor.
func (s *State) foundSchedules(tags map[string]string, cursor string) []string {
	var ids []string
	for id, row := range s.schedules {
		if (cursor == "" || id > cursor) && containsTags(row.tags, tags) {
			ids = append(ids, id)
		}
	}
	sort.Strings(ids)
	return ids
}
