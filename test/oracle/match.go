package oracle

import (
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"
)

// What is expected is a tree of JSON values, with these in it where the same
// thing can be written in more than one way.
type (
	// instant is a timestamptz, in milliseconds.
	instant int64
	// span is an interval, in milliseconds.
	span int64
	// jsonValue is any JSON, compared as jsonb compares.
	jsonValue struct{ value any }
	// someText is a string that says something to people.
	someText struct{}
	// check decides by itself.
	check func(seen any) string
)

// differences lists where what was seen is not what was expected, a line each.
func differences(path string, expected, seen any, result []string) []string {
	differ := func() []string {
		return append(result, fmt.Sprintf("%s: expected %s, got %s", path, show(expected), show(seen)))
	}
	switch e := expected.(type) {
	case map[string]any:
		object, ok := seen.(map[string]any)
		if !ok {
			return differ()
		}
		return memberDifferences(path, e, object, result)
	case []any:
		list, ok := seen.([]any)
		if !ok || len(list) != len(e) {
			return differ()
		}
		for i := range e {
			result = differences(fmt.Sprintf("%s[%d]", path, i), e[i], list[i], result)
		}
		return result
	case check:
		if fault := e(seen); fault != "" {
			return append(result, path+": "+fault)
		}
		return result
	}
	if !matchesScalar(expected, seen) {
		return differ()
	}
	return result
}

func memberDifferences(path string, expected, seen map[string]any, result []string) []string {
	names := make([]string, 0, len(expected))
	for name := range expected {
		names = append(names, name)
	}
	for name := range seen {
		if _, ok := expected[name]; !ok {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for _, name := range names {
		wanted, isExpected := expected[name]
		got, isSeen := seen[name]
		switch {
		case !isExpected:
			result = append(result, fmt.Sprintf("%s.%s: expected nothing, got %s", path, name, show(got)))
		case !isSeen:
			result = append(result, fmt.Sprintf("%s.%s: expected %s, got nothing", path, name, show(wanted)))
		default:
			result = differences(path+"."+name, wanted, got, result)
		}
	}
	return result
}

func matchesScalar(expected, seen any) bool {
	switch e := expected.(type) {
	case instant:
		text, ok := seen.(string)
		at, isInstant := parseInstant(text)
		return ok && isInstant && at == int64(e)
	case span:
		text, ok := seen.(string)
		length, isSpan := parseSpan(text)
		return ok && isSpan && length == int64(e)
	case jsonValue:
		return equalJSON(e.value, seen)
	case someText:
		text, ok := seen.(string)
		return ok && text != ""
	}
	return equalJSON(expected, seen)
}

func show(value any) string {
	switch v := value.(type) {
	case instant:
		return fmt.Sprintf("instant %d", int64(v))
	case span:
		return fmt.Sprintf("interval of %d ms", int64(v))
	case jsonValue:
		return show(v.value)
	case someText:
		return "some text"
	case check:
		return "something"
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		sort.Strings(names)
		for i, name := range names {
			names[i] = name + ": " + show(v[name])
		}
		return "{" + strings.Join(names, ", ") + "}"
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = show(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}

var instantLayouts = []string{
	time.RFC3339Nano, "2006-01-02 15:04:05Z07", "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05Z07",
	"2006-01-02 15:04Z07", "2006-01-02 15:04Z07:00",
}

// parseInstant reads a timestamptz, with the precision of a millisecond, rounded
// down.
func parseInstant(text string) (int64, bool) {
	switch text {
	case "infinity":
		return never, true
	case "-infinity":
		return -never, true
	case "epoch":
		return 0, true
	}
	if at := strings.IndexByte(text, '-'); at > 4 {
		return parseFarInstant(text, at)
	}
	for _, layout := range instantLayouts {
		if at, err := time.Parse(layout, text); err == nil {
			return floorMs(at), true
		}
	}
	return 0, false
}

// floorMs rounds down, also before 1970.
func floorMs(at time.Time) int64 {
	return at.Unix()*1000 + int64(at.Nanosecond())/1_000_000
}

// parseFarInstant reads one whose year has more than four digits: the calendar
// repeats every 400 years.
func parseFarInstant(text string, digits int) (int64, bool) {
	year, err := strconv.ParseInt(text[:digits], 10, 64)
	if err != nil {
		return 0, false
	}
	const cycleMs = 146097 * 86_400_000
	cycles := year/400 - 5
	near, ok := parseInstant(fmt.Sprintf("%04d%s", year-cycles*400, text[digits:]))
	return near + cycles*cycleMs, ok
}

// parseSpan reads an interval as the style postgres writes it, if it has no
// months.
func parseSpan(text string) (int64, bool) {
	micros, months, ok := parseInterval(text)
	return micros / 1000, ok && months == 0 && micros%1000 == 0
}

var intervalUnits = map[string]int64{
	"microsecond": 1, "microseconds": 1, "us": 1, "usec": 1, "usecs": 1,
	"millisecond": 1e3, "milliseconds": 1e3, "ms": 1e3, "msec": 1e3, "msecs": 1e3,
	"second": 1e6, "seconds": 1e6, "sec": 1e6, "secs": 1e6, "s": 1e6,
	"minute": 60e6, "minutes": 60e6, "min": 60e6, "mins": 60e6, "m": 60e6,
	"hour": 3600e6, "hours": 3600e6, "h": 3600e6, "hr": 3600e6, "hrs": 3600e6,
	"day": 86400e6, "days": 86400e6, "d": 86400e6,
	"week": 7 * 86400e6, "weeks": 7 * 86400e6, "w": 7 * 86400e6,
}

var intervalMonths = map[string]int64{
	"month": 1, "months": 1, "mon": 1, "mons": 1, "year": 12, "years": 12, "y": 12, "yr": 12, "yrs": 12,
}

// parseInterval reads the usual forms of an interval, in microseconds and months.
func parseInterval(text string) (micros, months int64, ok bool) {
	words := strings.Fields(splitUnits(text))
	for i := 0; i < len(words); i++ {
		if strings.Contains(words[i], ":") {
			part, ok := parseClock(words[i])
			if !ok {
				return 0, 0, false
			}
			micros += part
			continue
		}
		number, err := strconv.ParseFloat(words[i], 64)
		if err != nil {
			return 0, 0, false
		}
		unit := "second"
		if i+1 < len(words) {
			i++
			unit = strings.ToLower(words[i])
		}
		if factor, isFixed := intervalUnits[unit]; isFixed {
			micros += int64(number * float64(factor))
		} else if factor, isMonths := intervalMonths[unit]; isMonths && number == float64(int64(number)) {
			months += int64(number) * factor
		} else {
			return 0, 0, false
		}
	}
	return micros, months, len(words) > 0
}

// splitUnits puts a blank between a number and its unit.
func splitUnits(text string) string {
	var b strings.Builder
	for i, r := range text {
		if i > 0 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') && text[i-1] >= '0' && text[i-1] <= '9' {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// parseClock reads [-]hours:minutes[:seconds].
func parseClock(text string) (int64, bool) {
	sign := int64(1)
	if strings.HasPrefix(text, "-") {
		sign, text = -1, text[1:]
	}
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return 0, false
	}
	hours, errH := strconv.ParseInt(parts[0], 10, 64)
	minutes, errM := strconv.ParseInt(parts[1], 10, 64)
	seconds, errS := 0.0, error(nil)
	if len(parts) == 3 {
		seconds, errS = strconv.ParseFloat(parts[2], 64)
	}
	ok := errH == nil && errM == nil && errS == nil
	return sign * (hours*3600e6 + minutes*60e6 + int64(seconds*1e6+0.5)), ok
}
