package oracle

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

func TestJsonbText(t *testing.T) {
	for text, wanted := range map[string]string{
		`{"bb": 1, "a": [1, "x", null], "ccc": {}}`: `{"a": [1, "x", null], "bb": 1, "ccc": {}}`,
		`12.50`: `12.50`, `1e3`: `1000`, `1.5e-3`: `0.0015`, `-0`: `0`, `1E-1`: `0.1`, `1.0`: `1.0`, `-1.20e1`: `-12.0`,
		`"a\u0001\n\"\\é/"`: `"a\u0001\n\"\\é/"`, `true`: `true`, `null`: `null`,
	} {
		if got := jsonbText(decode(t, text)); got != wanted {
			t.Errorf("%s: %s, not %s", text, got, wanted)
		}
	}
}

// encoded gives JSON as the wire protocol carries it.
func encoded(text string) string {
	return base64.StdEncoding.EncodeToString([]byte(text))
}

func TestTypedValue(t *testing.T) {
	for text, wanted := range map[string]string{
		"e30=": "{}", "MQ==": "1", "bnVsbA==": "null", "MQ": "", "MR==": "", "abcd": "", "": "", "not base64": "",
		" MQ==": "", "IlxcdTAwMDAi": `"\\u0000"`, "IlxcdTAwMDAi\n": "", "Ilx1MDAwMCI=": "",
		encoded(`"\ud800"`): "", encoded(`"\udc00\ud800"`): "", encoded(`"\ud83d\ude00"`): "\"\U0001f600\"", encoded(`"\\ud800"`): `"\\ud800"`,
		encoded(`1e131072`): "", encoded(`0.1e131073`): "", encoded(`1e-16384`): "", encoded(`0e131072`): "0", encoded(`0.05e3`): "50",
		encoded(`1e400000`): "", encoded(strings.Repeat("[", 2001) + strings.Repeat("]", 2001)): "",
		encoded(strings.Repeat("[", 2000) + strings.Repeat("]", 2000)): strings.Repeat("[", 2000) + strings.Repeat("]", 2000),
	} {
		got := ""
		if value := (payload{hasData: true, data: text}).typedValue(); value != nil {
			got = jsonbText(value.(jsonValue).value)
		}
		if got != wanted {
			t.Errorf("%q: %q, not %q", text, got, wanted)
		}
	}
}

func TestInstants(t *testing.T) {
	for text, wanted := range map[string]int64{
		"2096-10-02T07:06:40+00:00": 4_000_000_000_000, "2096-10-02 07:06:40.0019+00": 4_000_000_000_001,
		"2096-10-02T09:06:40+02:00": 4_000_000_000_000, "infinity": never, "epoch": 0,
		"1969-12-31T23:59:59.999+00:00": -1, "12096-10-02T07:06:40+00:00": 319_569_520_000_000,
	} {
		if got, ok := parseInstant(text); !ok || got != wanted {
			t.Errorf("%s: %d", text, got)
		}
	}
	for text, wanted := range map[string]int64{
		"00:00:00.001": 1, "8765808:00:00": 31_556_908_800_000, "1 min": 60_000, "5000 ms": 5000, "1 day 02:00:00": 93_600_000,
		"-1 s": -1000, "90s": 90_000,
	} {
		if got, ok := parseSpan(text); !ok || got != wanted {
			t.Errorf("%s: %d", text, got)
		}
	}
}

func TestAddresses(t *testing.T) {
	for address, wanted := range map[string][2]bool{
		"poll://any@g": {true, true}, "poll://any@g/1": {true, true}, "poll://uni@g/1": {true, true}, "poll://uni@g": {false, true},
		"poll://g": {false, false}, "poll://any@": {false, true}, "poll://any@g/": {false, true}, "http://h": {true, true},
		"http://": {false, false}, "https://user@h/p": {true, true}, "http://:80": {false, true}, "notify://c": {true, false},
		"notify://": {false, false}, "NOTIFY://c": {false, true}, "g": {false, false}, "sqs://q": {true, true},
		"sqs://": {false, false}, "http:///p": {false, true}, "1x://y": {false, false}, "x+1-a.b://": {false, false},
		"x+1-a.b://c": {true, true},
	} {
		if isAddress(address) != wanted[0] || isListenerAddress(address) != wanted[1] {
			t.Errorf("%s: %t, %t", address, isAddress(address), isListenerAddress(address))
		}
	}
}

func TestCron(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for cron, wanted := range map[string]string{
		"*/15 * * * *": "2026-01-01T00:15:00Z", "0 9 * * 1-5": "2026-01-01T09:00:00Z", "0 0 1 * 1": "2026-01-05T00:00:00Z",
		"0 0 ? * 1": "2026-01-05T00:00:00Z", "0 0 31 * *": "2026-01-31T00:00:00Z", "0 0 29 2 *": "2028-02-29T00:00:00Z",
		"30 10 0 1 1 *": "2026-01-01T00:10:30Z", "@hourly": "2026-01-01T01:00:00Z", "@weekly": "2026-01-04T00:00:00Z",
		"@monthly": "2026-02-01T00:00:00Z", "@yearly": "2027-01-01T00:00:00Z", "5/20 * * * *": "2026-01-01T00:05:00Z",
		"0 0 * FEB,mar Sunday": "2026-02-01T00:00:00Z", "0 0 * * Fri-Sun": "2026-01-02T00:00:00Z", "0 0 * * 7": "2026-01-04T00:00:00Z",
		"0 0 */2 * 1": "2026-01-03T00:00:00Z",
	} {
		rule, ok := parseCron(cron)
		if !ok {
			t.Errorf("%s is refused", cron)
			continue
		}
		at, err := rule.next(start.UnixMilli())
		if got := time.UnixMilli(at).UTC().Format(time.RFC3339); err != nil || got != wanted {
			t.Errorf("%s: %s, not %s", cron, got, wanted)
		}
	}
	for _, cron := range []string{"", "* * * *", "60 * * * *", "0 0 30 2 *", "* * * * * * *", "@never", "5-1 * * * *", "*/0 * * * *",
		"*/60 * * * *", "0 0 0 * *", "? * * * *", "0 0 * * 8", "a * * * *", "0 0 31 4 *"} {
		if _, ok := parseCron(cron); ok {
			t.Errorf("%q is accepted", cron)
		}
	}
}

// TestZones has clocks that change: what is skipped fires after the gap, what is
// repeated fires once.
func TestZones(t *testing.T) {
	for _, test := range []struct{ zone, cron, after, next string }{
		{"Europe/Berlin", "30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"},
		{"Europe/Berlin", "30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"},
		{"Europe/Berlin", "30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},
		{"Asia/Tokyo", "@daily", "2026-01-01T00:00:00Z", "2026-01-01T15:00:00Z"},
	} {
		rule, _ := parseCron(test.cron)
		rule, err := rule.in(&test.zone)
		if err != nil {
			t.Skip(err)
		}
		after, _ := time.Parse(time.RFC3339, test.after)
		at, err := rule.next(after.UnixMilli())
		if got := time.UnixMilli(at).UTC().Format(time.RFC3339); err != nil || got != test.next {
			t.Errorf("%s in %s: %s, not %s", test.cron, test.zone, got, test.next)
		}
	}
}
