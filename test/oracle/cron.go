package oracle

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Cron expressions, as docs/tasks.md and the reference have them.

type cronRule struct {
	seconds, minutes, hours, days, months, weekdays map[int]bool
	isAnyDay, isAnyWeekday                          bool
	zone                                            *time.Location
}

type cronField struct {
	min, max int
	names    []string
}

var (
	secondField  = cronField{0, 59, nil}
	hourField    = cronField{0, 23, nil}
	dayField     = cronField{1, 31, nil}
	monthField   = cronField{1, 12, namesOfMonths()}
	weekdayField = cronField{0, 7, namesOfDays()}
)

func namesOfMonths() []string {
	names := []string{""}
	for month := time.January; month <= time.December; month++ {
		names = append(names, strings.ToLower(month.String()))
	}
	return names
}

func namesOfDays() []string {
	var names []string
	for day := time.Sunday; day <= time.Saturday; day++ {
		names = append(names, strings.ToLower(day.String()))
	}
	return names
}

var cronDescriptors = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

var errNoZone = errors.New("there is no such time zone")

func isNoZone(err error) bool { return errors.Is(err, errNoZone) }

func parseCron(text string) (*cronRule, bool) {
	if len(text) > 255 {
		return nil, false
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\t' })
	if len(words) == 1 {
		words = strings.Fields(cronDescriptors[strings.ToLower(words[0])])
	}
	if len(words) == 5 {
		words = append([]string{"0"}, words...)
	}
	if len(words) != 6 {
		return nil, false
	}
	rule := &cronRule{zone: time.UTC}
	places := []*map[int]bool{&rule.seconds, &rule.minutes, &rule.hours, &rule.days, &rule.months, &rule.weekdays}
	kinds := []cronField{secondField, secondField, hourField, dayField, monthField, weekdayField}
	for i, word := range words {
		if i == 3 || i == 5 {
			word = strings.ReplaceAll(word, "?", "*")
		}
		set, ok := kinds[i].parse(word)
		if !ok {
			return nil, false
		}
		*places[i] = set
		rule.isAnyDay = rule.isAnyDay || i == 3 && word == "*"
		rule.isAnyWeekday = rule.isAnyWeekday || i == 5 && word == "*"
	}
	if rule.weekdays[7] {
		rule.weekdays[0] = true
	}
	return rule, rule.canMatch()
}

// canMatch tells whether there is any day that matches.
func (rule *cronRule) canMatch() bool {
	if !rule.isAnyWeekday {
		return true
	}
	longest := []int{0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
	for month := range rule.months {
		for day := range rule.days {
			if day <= longest[month] {
				return true
			}
		}
	}
	return false
}

func (f cronField) parse(word string) (map[int]bool, bool) {
	set := map[int]bool{}
	for _, element := range strings.Split(word, ",") {
		from, to, step, ok := f.element(element)
		if !ok {
			return nil, false
		}
		for n := from; n <= to; n += step {
			set[n] = true
		}
	}
	return set, true
}

// element reads one of *, a, a-b, each perhaps with a step.
func (f cronField) element(text string) (from, to, step int, ok bool) {
	span, stepText, hasStep := strings.Cut(text, "/")
	step = 1
	if hasStep {
		if step, ok = digits(stepText); !ok || step < 1 || step > f.max {
			return 0, 0, 0, false
		}
	}
	if span == "*" {
		return f.min, f.max, step, true
	}
	first, last, isRange := strings.Cut(span, "-")
	if from, ok = f.number(first); !ok {
		return 0, 0, 0, false
	}
	switch {
	case isRange:
		if to, ok = f.number(last); !ok {
			return 0, 0, 0, false
		}
		if _, isNumber := digits(last); f.max == 7 && to == 0 && !isNumber {
			to = 7
		}
	case hasStep:
		to = f.max
	default:
		to = from
	}
	return from, to, step, from <= to
}

func digits(text string) (int, bool) {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}

func (f cronField) number(text string) (int, bool) {
	if n, ok := digits(text); ok {
		return n, n >= f.min && n <= f.max
	}
	text = strings.ToLower(text)
	for n, name := range f.names {
		if name != "" && (text == name || text == name[:3]) {
			return n, true
		}
	}
	return 0, false
}

// in gives the rule in a time zone.
func (rule *cronRule) in(zone *string) (*cronRule, error) {
	if zone == nil || *zone == "UTC" {
		return rule, nil
	}
	location, err := time.LoadLocation(*zone)
	if err != nil || *zone == "" || *zone == "Local" {
		return nil, fmt.Errorf("%w: %q", errNoZone, *zone)
	}
	changed := *rule
	changed.zone = location
	return &changed, nil
}

func (rule *cronRule) matchesDay(day time.Time) bool {
	if !rule.months[int(day.Month())] {
		return false
	}
	isDay, isWeekday := rule.days[day.Day()], rule.weekdays[int(day.Weekday())]
	if !rule.isAnyDay && !rule.isAnyWeekday {
		return isDay || isWeekday
	}
	return isDay && isWeekday
}

// next gives the first occurrence strictly after an instant.
func (rule *cronRule) next(afterMs int64) (int64, error) {
	after := time.UnixMilli(afterMs).In(rule.zone)
	if rule.zone != time.UTC && len(rule.hours) == 24 {
		return 0, fmt.Errorf("every hour of a time zone: %w", ErrNotModelled)
	}
	// A civil day may start a bit later or earlier than this one.
	day := time.Date(after.Year(), after.Month(), after.Day()-1, 0, 0, 0, 0, time.UTC)
	for n := 0; n < 366*9; n++ {
		if rule.matchesDay(day) {
			if at, ok := rule.nextInDay(day, afterMs); ok {
				return at, nil
			}
		}
		day = day.AddDate(0, 0, 1)
	}
	return never, nil
}

// nextInDay gives the first occurrence of a civil day after an instant.
func (rule *cronRule) nextInDay(day time.Time, afterMs int64) (int64, bool) {
	// Where clocks never change, what is long past need not be looked at.
	isPast := func(hour, minute, second int) bool {
		return rule.zone == time.UTC && rule.instantOf(day, hour, minute, second) <= afterMs
	}
	for hour := 0; hour < 24; hour++ {
		if isPast(hour, 59, 59) {
			continue
		}
		for minute := 0; minute < 60 && rule.hours[hour]; minute++ {
			if isPast(hour, minute, 59) {
				continue
			}
			for second := 0; second < 60 && rule.minutes[minute]; second++ {
				if !rule.seconds[second] {
					continue
				}
				at := rule.instantOf(day, hour, minute, second)
				if at > afterMs {
					return at, true
				}
			}
		}
	}
	return 0, false
}

// instantOf is when the clock shows a time for the first time, or jumps over it.
func (rule *cronRule) instantOf(day time.Time, hour, minute, second int) int64 {
	civil := time.Date(day.Year(), day.Month(), day.Day(), hour, minute, second, 0, time.UTC)
	if rule.zone == time.UTC {
		return civil.UnixMilli()
	}
	// The clock shows at least that time for the first time: look for it from
	// well before, second by second where it changes, by bisection.
	low, high := civil.Add(-40*time.Hour).Unix(), civil.Add(40*time.Hour).Unix()
	shows := func(at int64) bool {
		local := time.Unix(at, 0).In(rule.zone)
		_, offset := local.Zone()
		return at+int64(offset) >= civil.Unix()
	}
	// Between changes of the offset civil time grows, so the first instant that
	// shows it is in the first stretch that reaches it.
	step := int64(900)
	at := low
	for at < high && !shows(at) {
		at += step
	}
	for left := at - step; at-left > 1; {
		middle := (at + left) / 2
		if shows(middle) {
			at = middle
		} else {
			left = middle
		}
	}
	return at * 1000
}
