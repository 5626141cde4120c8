package oracle

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// The longest id or address, in bytes.
const maxLength = 1024

// fields reads the members of an object of the wire protocol; bad tells
// whether one of them was malformed.
type fields struct {
	object map[string]any
	bad    bool
}

func (f *fields) fail() { f.bad = true }

// text is a string that is not empty, of an id, an address and the like.
func (f *fields) text(name string) string {
	s, ok := f.object[name].(string)
	if !ok || s == "" || len(s) > maxLength {
		f.fail()
	}
	return s
}

func (f *fields) integer(name string, min, max int64) int64 {
	n, ok := integer(f.object[name])
	if !ok || n < min || n > max {
		f.fail()
	}
	return n
}

func (f *fields) version() int64 { return f.integer("version", 0, math.MaxInt32) }

func (f *fields) tags(name string) map[string]string {
	value, ok := f.object[name]
	if !ok {
		return map[string]string{}
	}
	tags, ok := stringsOnly(value)
	if !ok {
		f.fail()
	}
	return tags
}

func (f *fields) payload(name string) payload {
	var p payload
	value, ok := f.object[name]
	if !ok {
		return p
	}
	object, ok := value.(map[string]any)
	if !ok {
		f.fail()
		return p
	}
	if headers, ok := object["headers"]; ok {
		p.headers, p.hasHeaders = stringsOnly(headers)
		if !p.hasHeaders {
			f.fail()
		}
	}
	if data := object["data"]; data != nil {
		p.data, p.hasData = data.(string)
		if !p.hasData {
			f.fail()
		}
	}
	return p
}

// member is an object in the object.
func (f *fields) member(name string) *fields {
	object, ok := f.object[name].(map[string]any)
	if !ok {
		f.fail()
	}
	return &fields{object: object}
}

// list is an array of objects.
func (f *fields) list(name string) []*fields {
	items, ok := asList(f.object[name])
	if !ok {
		f.fail()
		return nil
	}
	result := make([]*fields, len(items))
	for i, item := range items {
		object, ok := item.(map[string]any)
		if !ok {
			f.fail()
		}
		result[i] = &fields{object: object}
	}
	return result
}

func asList(value any) ([]any, bool) {
	switch v := value.(type) {
	case []any:
		return v, true
	case []string:
		result := make([]any, len(v))
		for i := range v {
			result[i] = v[i]
		}
		return result, true
	case []map[string]any:
		result := make([]any, len(v))
		for i := range v {
			result[i] = v[i]
		}
		return result, true
	}
	return nil, false
}

// action is a request in a request, whose kind and head have to be there.
func (f *fields) action() *fields {
	if _, ok := f.object["kind"].(string); !ok {
		f.fail()
	}
	if _, ok := f.object["head"]; !ok {
		f.fail()
	}
	data := f.member("data")
	data.bad = data.bad || f.bad
	return data
}

// creation reads the data of promise.create.
func (f *fields) creation() creation {
	return creation{
		id:        f.text("id"),
		timeoutAt: f.integer("timeoutAt", 0, math.MaxInt64),
		param:     f.payload("param"),
		tags:      f.tags("tags"),
	}
}

// settlement reads the data of promise.settle; whether a client may settle so
// is another question.
func (f *fields) settlement() settlement {
	state, _ := f.object["state"].(string)
	switch state {
	case pending, resolved, rejected, canceled, timedOut:
	default:
		f.fail()
	}
	return settlement{id: f.text("id"), state: state, value: f.payload("value")}
}

func isSettable(state string) bool {
	return state == resolved || state == rejected || state == canceled
}

// delayOf reads the tag resonate:delay: digits only.
func delayOf(tags map[string]string) (int64, bool) {
	text, ok := tags["resonate:delay"]
	if !ok || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	delay, err := strconv.ParseInt(text, 10, 64)
	return delay, err == nil
}

// areTagsRight tells whether the reserved tags are such as a promise with that
// deadline can have; a schedule has no deadline yet.  A delay means nothing
// without a target, and a target nothing on a timer, where that is not refused.
func (o *Options) areTagsRight(tags map[string]string, timeoutAt int64, hasDeadline bool) bool {
	if _, isReserved := tags["resonate:combinator"]; isReserved {
		return false
	}
	target, hasTarget := tags["resonate:target"]
	if hasTarget && tags["resonate:timer"] == "true" {
		return !o.Strict
	}
	if hasTarget && (target == "" || len(target) > maxLength) {
		return false
	}
	if _, hasDelay := tags["resonate:delay"]; hasDelay && hasTarget {
		delay, ok := delayOf(tags)
		if !ok || hasDeadline && delay >= timeoutAt {
			return false
		}
	}
	return true
}

var schemePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*$`)

// isListenerAddress is the rule of the wire protocol.
func isListenerAddress(address string) bool {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok || rest == "" || scheme == "notify" {
		return false
	}
	if scheme == "poll" {
		return strings.Contains(rest, "@")
	}
	return schemePattern.MatchString(scheme)
}

// isAddress is the rule of the typed functions.
func isAddress(address string) bool {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok || len(address) > maxLength {
		return false
	}
	switch strings.ToLower(scheme) {
	case "notify":
		return scheme == "notify" && rest != "" && len(rest) <= 63
	case "poll":
		return scheme == "poll" && isPollAddress(rest)
	case "http", "https":
		return scheme == strings.ToLower(scheme) && hasHost(rest)
	}
	return schemePattern.MatchString(scheme) && rest != ""
}

func isPollAddress(rest string) bool {
	cast, place, ok := strings.Cut(rest, "@")
	if !ok || cast != "any" && cast != "uni" {
		return false
	}
	group, id, hasID := strings.Cut(place, "/")
	return group != "" && !strings.Contains(group, "@") && (!hasID || id != "") && (hasID || cast == "any")
}

func hasHost(rest string) bool {
	if at := strings.IndexAny(rest, "/?#"); at >= 0 {
		rest = rest[:at]
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = rest[at+1:]
	}
	return rest != "" && rest[0] != ':'
}
