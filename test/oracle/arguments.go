package oracle

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// arguments reads the arguments of an SQL function, or the members of an item of
// a batch.  The first that is wrong decides which error is raised.
type arguments struct {
	options  *Options
	values   map[string]any
	isItem   bool // a number is milliseconds to us, not to SQL
	sqlState string
	err      error // it is not modelled
}

func (c *call) arguments() *arguments {
	return &arguments{options: c.before.options, values: c.Args}
}

func (a *arguments) fail(sqlState string) {
	if a.sqlState == "" {
		a.sqlState = sqlState
	}
}

// raised is an error of the database: nothing has happened.
func (c *call) raised(sqlState string) ([]outcome, error) {
	return []outcome{{state: c.before, sqlState: sqlState}}, nil
}

func (c *call) raisedBy(a *arguments) ([]outcome, error) {
	if a.err != nil {
		return nil, a.err
	}
	return c.raised(a.sqlState)
}

// isBad tells whether the arguments cannot be used.
func (a *arguments) isBad() bool { return a.sqlState != "" || a.err != nil }

func (a *arguments) text(name string) (string, bool) {
	value := a.values[name]
	if value == nil {
		return "", false
	}
	text, ok := value.(string)
	if !ok {
		a.fail("22023")
	}
	return text, ok
}

// name is text that must be there, of some length.
func (a *arguments) name(name string, max int) string {
	text, ok := a.text(name)
	switch {
	case !ok && a.isItem:
		a.fail("22023")
	case !ok:
		a.fail("22004")
	case text == "" || len(text) > max:
		a.fail("22023")
	}
	return text
}

func (a *arguments) id(name string) string { return a.name(name, maxLength) }

func (a *arguments) key() *string {
	text, ok := a.text("idempotency_key")
	if !ok {
		return nil
	}
	if len(text) > maxLength {
		a.fail("22023")
	}
	return &text
}

func (a *arguments) flag(name string) bool {
	value := a.values[name]
	flag, ok := value.(bool)
	if value != nil && !ok {
		a.fail("22023")
	}
	return flag
}

// integer is one that must be there and not be negative.
func (a *arguments) integer(name string, min, max int64) int64 {
	value := a.values[name]
	if value == nil {
		a.fail("22004")
		return 0
	}
	n, ok := integer(value)
	if !ok || n < min || n > max {
		a.fail("22023")
	}
	return n
}

// limit is an integer that has a default, also if it is NULL.
func (a *arguments) limit(max, standard int64) int64 {
	if a.values["limit"] == nil {
		return standard
	}
	return a.integer("limit", 1, max)
}

func (a *arguments) stringsOf(name string) (map[string]string, bool) {
	value := a.values[name]
	if value == nil {
		return map[string]string{}, false
	}
	result, ok := stringsOnly(value)
	if !ok {
		a.fail("22023")
	}
	return result, ok
}

// tags of a typed create make a promise external, unless they say something.
func (a *arguments) tags() map[string]string {
	given, _ := a.stringsOf("tags")
	tags := make(map[string]string, len(given)+1)
	for name, text := range given {
		tags[name] = text
	}
	if _, ok := tags["resonate:external"]; !ok {
		tags["resonate:external"] = "true"
	}
	return tags
}

func (a *arguments) payload(name string) payload {
	headers, ok := a.stringsOf("headers")
	return typedPayload(a.values[name], headers, ok)
}

// length is an interval in milliseconds, rounded up.
func (a *arguments) length(name string, now, standard int64) int64 {
	value := a.values[name]
	if value == nil {
		return standard
	}
	if isNumber(value) {
		return a.milliseconds(value)
	}
	text, ok := value.(string)
	if !ok {
		a.fail("22023")
		return 0
	}
	micros, months, ok := parseInterval(text)
	if !ok && a.isItem {
		a.fail("22023")
	} else if !ok {
		a.err = fmt.Errorf("interval %q: %w", text, ErrNotModelled)
	}
	if months != 0 {
		at := time.UnixMilli(now).UTC()
		micros += floorMs(at.AddDate(0, int(months), 0))*1000 - now*1000
	}
	if micros < 0 {
		a.fail("22023")
	}
	return (micros + 999) / 1000
}

// milliseconds is a number that stands for an interval or an instant.
func (a *arguments) milliseconds(value any) int64 {
	n, ok := integer(value)
	if !ok && !a.isItem {
		a.err = fmt.Errorf("%s milliseconds: %w", show(value), ErrNotModelled)
	}
	if !ok || n < 0 {
		a.fail("22023")
	}
	return n
}

// deadline is that of a create: after a timeout, or at an instant.
func (a *arguments) deadline(now int64) int64 {
	at := a.values["timeout_at"]
	if at == nil {
		return saturatingAdd(now, a.length("timeout", now, a.options.DefaultTimeout))
	}
	if a.values["timeout"] != nil {
		a.fail("22023")
	}
	ms := a.instant("timeout_at")
	if ms < 0 {
		a.fail("22023")
	}
	return ms
}

// instant is a timestamptz that is there, rounded down.
func (a *arguments) instant(name string) int64 {
	value := a.values[name]
	if isNumber(value) {
		return a.milliseconds(value)
	}
	text, ok := value.(string)
	ms, isInstant := parseInstant(text)
	if ok && !isInstant && !a.isItem {
		a.err = fmt.Errorf("instant %q: %w", text, ErrNotModelled)
	}
	if !ok || !isInstant {
		a.fail("22023")
	}
	return ms
}

func (a *arguments) creation(now int64) creation {
	want := creation{
		id: a.id("id"), timeoutAt: a.deadline(now), param: a.payload("param"), tags: a.tags(), key: a.key(),
		strict: a.flag("strict"),
	}
	if !a.options.areTagsRight(want.tags, want.timeoutAt, true) {
		a.fail("22023")
	}
	return want
}

func (a *arguments) settlement(state string) settlement {
	return settlement{
		id: a.id("id"), state: state, value: a.payload("value"), key: a.key(), strict: a.flag("strict"),
	}
}

// holder is who wants a task; a lease has at least a millisecond.
func (a *arguments) holder(now int64) lease {
	pid := a.id("pid")
	if a.values["ttl"] == nil {
		a.fail("22004")
		return lease{}
	}
	ttl := a.length("ttl", now, 0)
	if ttl < 1 {
		a.fail("22023")
	}
	return lease{pid: pid, ttl: ttl}
}

func (a *arguments) version() int64 { return a.integer("version", 0, math.MaxInt32) }

// texts is an array of text.
func (a *arguments) texts(name string) []string {
	value := a.values[name]
	if value == nil {
		a.fail("22004")
		return nil
	}
	items, ok := asList(value)
	if !ok {
		a.fail("22023")
	}
	result := make([]string, len(items))
	for i, item := range items {
		text, ok := item.(string)
		if item == nil {
			a.fail("22004")
		} else if !ok || text == "" || len(text) > maxLength {
			a.fail("22023")
		}
		result[i] = text
	}
	return result
}

var (
	createMembers = "id timeout timeout_at param headers tags idempotency_key strict"
	settleMembers = "id state value headers idempotency_key strict"
)

// item is one of a batch, in which there must be nothing that nobody knows.
func (a *arguments) item(value any, members string) *arguments {
	object, ok := value.(map[string]any)
	item := &arguments{options: a.options, values: object, isItem: true}
	if !ok {
		item.fail("22023")
	}
	for name := range object {
		if !strings.Contains(" "+members+" ", " "+name+" ") {
			item.fail("22023")
		}
	}
	return item
}

// takeFault makes what is wrong with an item wrong with the whole.
func (a *arguments) takeFault(item *arguments) {
	if item.sqlState != "" {
		a.fail(item.sqlState)
	}
	if a.err == nil {
		a.err = item.err
	}
}

func (a *arguments) itemSettlement(item *arguments) settlement {
	state, _ := item.text("state")
	if !isSettable(state) {
		item.fail("22023")
	}
	want := item.settlement(state)
	a.takeFault(item)
	return want
}

func (a *arguments) itemCreation(item *arguments, now int64) creation {
	want := item.creation(now)
	a.takeFault(item)
	return want
}

// batch is an array of items.
func (a *arguments) batch(name, members string) []*arguments {
	value := a.values[name]
	if value == nil {
		a.fail("22004")
		return nil
	}
	items, ok := asList(value)
	if !ok {
		a.fail("22023")
	}
	result := make([]*arguments, len(items))
	for i, item := range items {
		result[i] = a.item(item, members)
	}
	return result
}
