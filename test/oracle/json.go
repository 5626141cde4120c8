package oracle

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"math/big"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// payload is a param or a value.  Data is the string of the wire protocol; the
// typed functions see base64 of JSON as JSON.
type payload struct {
	hasHeaders bool
	headers    map[string]string
	hasData    bool
	data       string
}

func (p payload) describe() string {
	text := "-"
	if p.hasHeaders {
		text = describeTags(p.headers)
	}
	if p.hasData {
		text += strconv.Quote(p.data)
	}
	return text
}

// record gives the payload as the wire protocol has it.
func (p payload) record() map[string]any {
	result := map[string]any{}
	if p.hasHeaders {
		result["headers"] = stringMap(p.headers)
	}
	if p.hasData {
		result["data"] = p.data
	}
	return result
}

func stringMap(m map[string]string) map[string]any {
	result := make(map[string]any, len(m))
	for name, text := range m {
		result[name] = text
	}
	return result
}

// typedValue gives the JSON that the typed functions show, nil if there is none:
// only data that is base64 in its canonical form, and JSON that the type jsonb
// can hold, is a value.
func (p payload) typedValue() any {
	if !p.hasData {
		return nil
	}
	bytes, err := base64.StdEncoding.Strict().DecodeString(p.data)
	if err != nil || strings.ContainsAny(p.data, "\r\n") || !utf8.Valid(bytes) {
		return nil
	}
	value, ok := parseJSON(string(bytes))
	if !ok {
		return nil
	}
	return jsonValue{value}
}

// typedData gives the raw column.
func (p payload) typedData() any {
	if !p.hasData {
		return nil
	}
	return p.data
}

func typedPayload(value any, headers map[string]string, hasHeaders bool) payload {
	p := payload{headers: headers, hasHeaders: hasHeaders}
	if value != nil {
		p.hasData = true
		p.data = base64.StdEncoding.EncodeToString([]byte(jsonbText(value)))
	}
	return p
}

// parseJSON reads what jsonb accepts.
func parseJSON(text string) (any, bool) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil || decoder.More() {
		return nil, false
	}
	if rest, err := decoder.Token(); err == nil || rest != nil {
		return nil, false
	}
	return value, fitsJsonb(value, depthMax) && !hasHalfPair(text)
}

// How deep arrays and objects may be nested, one in the other.
const depthMax = 2000

// fitsJsonb is false for what is JSON and cannot be jsonb: a zero character, a
// number beyond the type numeric, too much nesting.
func fitsJsonb(value any, depth int) bool {
	switch v := value.(type) {
	case string:
		return !strings.ContainsRune(v, 0)
	case json.Number:
		return fitsNumeric(v.String())
	case []any:
		for _, item := range v {
			if !fitsJsonb(item, depth-1) {
				return false
			}
		}
		return depth > 0
	case map[string]any:
		for name, item := range v {
			if !fitsJsonb(name, depth-1) || !fitsJsonb(item, depth-1) {
				return false
			}
		}
		return depth > 0
	}
	return true
}

// fitsNumeric says whether a number has at most 131072 digits before its point and
// 16383 behind it, when it is written without an exponent.
func fitsNumeric(text string) bool {
	mantissa, exponentText, _ := strings.Cut(strings.ToLower(strings.TrimPrefix(text, "-")), "e")
	exponent := 0
	if exponentText != "" {
		var err error
		if exponent, err = strconv.Atoi(exponentText); err != nil || exponent >= 1<<30-1 || exponent <= -(1<<30-1) {
			return false
		}
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if len(fraction)-exponent > 16383 {
		return false
	}
	significant := strings.TrimLeft(whole+fraction, "0")
	leading := len(whole) + len(fraction) - len(significant)
	return significant == "" || len(whole)-leading+exponent <= 131072
}

// hasHalfPair is true for JSON with an escape of one half of a surrogate pair.
func hasHalfPair(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		first := escapedUnit(text[i:])
		i++
		if first < 0xd800 || first > 0xdfff {
			continue
		}
		second := escapedUnit(text[i+5:])
		if first > 0xdbff || second < 0xdc00 || second > 0xdfff {
			return true
		}
		i += 10
	}
	return false
}

// escapedUnit gives the number of an escape that the text begins with, or -1.
func escapedUnit(text string) int64 {
	if len(text) < 6 || text[:2] != `\u` {
		return -1
	}
	unit, err := strconv.ParseInt(text[2:6], 16, 32)
	if err != nil {
		return -1
	}
	return unit
}

// jsonbText gives a value as the type jsonb prints it: members by the length of
// their names and then bytewise, numbers without an exponent.
func jsonbText(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case string:
		return jsonbString(v)
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = jsonbText(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		sort.Slice(names, func(i, j int) bool {
			if len(names[i]) != len(names[j]) {
				return len(names[i]) < len(names[j])
			}
			return names[i] < names[j]
		})
		for i, name := range names {
			names[i] = jsonbString(name) + ": " + jsonbText(v[name])
		}
		return "{" + strings.Join(names, ", ") + "}"
	}
	return jsonbNumber(numberText(value))
}

func jsonbString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ':
			b.WriteString(`\u00`)
			b.WriteString(strconv.FormatInt(int64(r)+0x100, 16)[1:])
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// numberText gives a number as it goes over the wire.
func numberText(value any) string {
	if n, ok := value.(json.Number); ok {
		return n.String()
	}
	text, err := json.Marshal(value)
	if err != nil {
		return "NaN"
	}
	return string(text)
}

// jsonbNumber writes a JSON number without an exponent, as the type numeric
// does; it keeps trailing zeros.
func jsonbNumber(text string) string {
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	exponent := 0
	if at := strings.IndexAny(text, "eE"); at >= 0 {
		exponent, _ = strconv.Atoi(text[at+1:])
		text = text[:at]
	}
	scale := 0
	if at := strings.IndexByte(text, '.'); at >= 0 {
		scale = len(text) - at - 1
		text = text[:at] + text[at+1:]
	}
	scale -= exponent
	if scale < 0 {
		text += strings.Repeat("0", -scale)
		scale = 0
	}
	if len(text) <= scale {
		text = strings.Repeat("0", scale-len(text)+1) + text
	}
	whole, fraction := text[:len(text)-scale], text[len(text)-scale:]
	whole = strings.TrimLeft(whole, "0")
	if whole == "" {
		whole = "0"
	}
	if strings.Trim(whole+fraction, "0") == "" {
		sign = ""
	}
	if fraction != "" {
		fraction = "." + fraction
	}
	return sign + whole + fraction
}

// integer tells whether a value is a JSON number without a fraction, and which
// one; one that is written 1.0 has a fraction.
func integer(value any) (int64, bool) {
	switch v := value.(type) {
	case int64:
		return v, true
	case int:
		return int64(v), true
	case int32:
		return int64(v), true
	case float64:
		return int64(v), v == math.Trunc(v) && v >= -(1<<63) && v < 1<<63
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n, true
		}
		n, err := strconv.ParseInt(jsonbNumber(v.String()), 10, 64)
		return n, err == nil
	}
	return 0, false
}

func isNumber(value any) bool {
	switch value.(type) {
	case int64, int, int32, float64, json.Number:
		return true
	}
	return false
}

func equalNumbers(a, b any) bool {
	x, okX := new(big.Rat).SetString(jsonbNumber(numberText(a)))
	y, okY := new(big.Rat).SetString(jsonbNumber(numberText(b)))
	return okX && okY && x.Cmp(y) == 0
}

// equalJSON compares values as jsonb does: numbers by what they are worth.
func equalJSON(a, b any) bool {
	if isNumber(a) && isNumber(b) {
		x, okX := integer(a)
		y, okY := integer(b)
		if okX && okY {
			return x == y
		}
		return equalNumbers(a, b)
	}
	switch v := a.(type) {
	case map[string]any:
		w, ok := b.(map[string]any)
		if !ok || len(v) != len(w) {
			return false
		}
		for name, item := range v {
			other, ok := w[name]
			if !ok || !equalJSON(item, other) {
				return false
			}
		}
		return true
	case []any:
		w, ok := b.([]any)
		if !ok || len(v) != len(w) {
			return false
		}
		for i := range v {
			if !equalJSON(v[i], w[i]) {
				return false
			}
		}
		return true
	case nil, bool, string:
		return a == b
	}
	return false
}

// stringsOnly gives an object of strings.
func stringsOnly(value any) (map[string]string, bool) {
	if m, ok := value.(map[string]string); ok {
		return m, true
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, false
	}
	result := make(map[string]string, len(object))
	for name, item := range object {
		text, ok := item.(string)
		if !ok {
			return nil, false
		}
		result[name] = text
	}
	return result, true
}
