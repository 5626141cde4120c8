package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/lib/pq"

	"resonate/test/oracle"
)

// The version of the protocol that requests name.
const protocolVersion = "2026-04-01"

// What the arguments of the functions are, where a JSON value alone does not
// tell.  One name has one type in all functions.
var argumentTypes = map[string]string{
	"awaited":        "text[]",
	"headers":        "jsonb",
	"ids":            "text[]",
	"now":            "timestamptz",
	"param":          "jsonb",
	"promise":        "jsonb",
	"promises":       "jsonb",
	"settled_before": "timestamptz",
	"settlements":    "jsonb",
	"tags":           "jsonb",
	"timeout":        "interval",
	"timeout_at":     "timestamptz",
	"ttl":            "interval",
	"value":          "jsonb",
	"versions":       "integer[]",
	"visibility":     "interval",
}

// Do calls the extension.  An error that the extension raises is a response;
// the error that this returns wraps ErrLost, or tells that the request cannot
// be sent or the answer not be read.
func (s *Session) Do(ctx context.Context, request oracle.Request) (*oracle.Response, error) {
	response, _, err := s.DoBetween(ctx, "", request, "")
	return response, err
}

// DoThen does the same and sends further statements along, which run in a
// transaction of their own after that of the call, if that has committed.
func (s *Session) DoThen(ctx context.Context, request oracle.Request, then string) (*oracle.Response, []Result, error) {
	return s.DoBetween(ctx, "", request, "COMMIT; "+then)
}

// DoBetween calls the extension with statements before it, which answer nothing,
// and after it, in the same message and so in the same transaction, as far as
// they do not end it.  The results of those after it are returned.  They should
// raise no error, because it would look like one of the call.
func (s *Session) DoBetween(ctx context.Context, before string, request oracle.Request, after string) (*oracle.Response, []Result, error) {
	s.corrID++
	corrID := strconv.Itoa(s.corrID)
	statement, err := Statement(request, corrID)
	if err != nil {
		return nil, nil, err
	}
	results, err := s.Query(ctx, join(before, statement, after))
	var raised *Error
	if errors.As(err, &raised) {
		return &oracle.Response{SQLState: raised.SQLState}, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	response, err := decode(request, corrID, results[0])
	return response, results[1:], err
}

func join(statements ...string) string {
	var result []string
	for _, statement := range statements {
		if statement != "" {
			result = append(result, statement)
		}
	}
	return strings.Join(result, "; ")
}

// Statement gives a request as SQL, at its instant unless that is negative.
// There is one row for each that the function answers, a JSON object.
func Statement(request oracle.Request, corrID string) (string, error) {
	call, err := callOf(request, corrID)
	if err != nil {
		return "", err
	}
	if request.Now >= 0 {
		call = fmt.Sprintf("SET resonate.test_clock = '%d'; %s", request.Now, call)
	}
	return call, nil
}

func callOf(request oracle.Request, corrID string) (string, error) {
	if request.Surface == "rpc" {
		body, err := json.Marshal(map[string]any{
			"kind": request.Name,
			"head": map[string]any{"corrId": corrID, "version": protocolVersion},
			"data": request.Args,
		})
		if err != nil {
			return "", err
		}
		return "SELECT resonate.resonate_rpc(" + pq.QuoteLiteral(string(body)) + ")", nil
	}
	if request.Surface != "sql" {
		return "", fmt.Errorf("unknown interface %q", request.Surface)
	}

	names := make([]string, 0, len(request.Args))
	for name := range request.Args {
		names = append(names, name)
	}
	sort.Strings(names)
	arguments := make([]string, len(names))
	for i, name := range names {
		value, err := literal(argumentTypes[name], request.Args[name])
		if err != nil {
			return "", fmt.Errorf("%s: %v", name, err)
		}
		arguments[i] = pq.QuoteIdentifier(name) + " => " + value
	}
	// The sub-select makes objects of rows with a single column, too.
	return fmt.Sprintf("SELECT to_jsonb(r) FROM (SELECT * FROM resonate.%s(%s)) AS r",
		pq.QuoteIdentifier(request.Name), strings.Join(arguments, ", ")), nil
}

// literal gives a JSON value as SQL.  Intervals and instants are text of SQL,
// or numbers of milliseconds.
func literal(sqlType string, value any) (string, error) {
	if value == nil {
		return "NULL", nil
	}
	if sqlType == "jsonb" {
		text, err := json.Marshal(value)
		return pq.QuoteLiteral(string(text)), err
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	if strings.HasSuffix(sqlType, "[]") {
		return arrayLiteral(sqlType, encoded)
	}
	var decoded any
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	if err := decoder.Decode(&decoded); err != nil {
		return "", err
	}
	switch v := decoded.(type) {
	case string:
		return pq.QuoteLiteral(v), nil
	case bool:
		return strconv.FormatBool(v), nil
	case json.Number:
		return numberLiteral(sqlType, v)
	}
	return "", fmt.Errorf("%s is no argument", encoded)
}

func numberLiteral(sqlType string, number json.Number) (string, error) {
	switch sqlType {
	case "interval":
		return "'" + number.String() + " milliseconds'", nil
	case "timestamptz":
		ms, err := number.Int64()
		if err != nil {
			return "", err
		}
		return "'" + time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05.000") + "+00'", nil
	}
	return number.String(), nil
}

func arrayLiteral(sqlType string, encoded []byte) (string, error) {
	var items []any
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	if err := decoder.Decode(&items); err != nil {
		return "", err
	}
	literals := make([]string, len(items))
	for i, item := range items {
		value, err := literal("", item)
		if err != nil {
			return "", err
		}
		literals[i] = value
	}
	return "ARRAY[" + strings.Join(literals, ", ") + "]::" + sqlType, nil
}

// decode reads the answer of a call.
func decode(request oracle.Request, corrID string, result Result) (*oracle.Response, error) {
	objects := make([]any, 0, len(result.Rows))
	for _, row := range result.Rows {
		text, ok := row[0].(string)
		if !ok {
			return nil, fmt.Errorf("%s answers %v", request.Name, row[0])
		}
		object, err := DecodeJSON(text)
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	if request.Surface == "sql" {
		return &oracle.Response{Body: objects}, nil
	}
	return decodeEnvelope(request.Name, corrID, objects)
}

func decodeEnvelope(kind, corrID string, objects []any) (*oracle.Response, error) {
	if len(objects) != 1 {
		return nil, fmt.Errorf("%s answers %d rows", kind, len(objects))
	}
	envelope, _ := objects[0].(map[string]any)
	head, _ := envelope["head"].(map[string]any)
	number, _ := head["status"].(json.Number)
	status, err := strconv.Atoi(number.String())
	if err != nil || envelope["kind"] != kind || head["corrId"] != corrID ||
		head["version"] != protocolVersion {
		return nil, fmt.Errorf("%s %s answers the envelope %v", kind, corrID, objects[0])
	}
	return &oracle.Response{Status: status, Body: envelope["data"]}, nil
}

// DecodeJSON reads a JSON value; its numbers are json.Number.
func DecodeJSON(text string) (any, error) {
	var value any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	err := decoder.Decode(&value)
	return value, err
}
