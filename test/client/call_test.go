package client

import (
	"testing"

	"resonate/test/oracle"
)

func TestStatement(t *testing.T) {
	for _, test := range []struct {
		request oracle.Request
		want    string
	}{
		{
			oracle.Request{Surface: "rpc", Name: "promise.get", Now: 7,
				Args: map[string]any{"id": "it's"}},
			`SET resonate.test_clock = '7'; SELECT resonate.resonate_rpc('{"data":{"id":"it''s"},` +
				`"head":{"corrId":"3","version":"2026-04-01"},"kind":"promise.get"}')`,
		},
		{
			oracle.Request{Surface: "sql", Name: "create_promise", Now: -1,
				Args: map[string]any{"id": "a", "timeout": 1500, "timeout_at": nil,
					"param": "x", "tags": map[string]any{"k": "v"}, "strict": true}},
			`SELECT to_jsonb(r) FROM (SELECT * FROM resonate."create_promise"("id" => 'a', ` +
				`"param" => '"x"', "strict" => true, "tags" => '{"k":"v"}', ` +
				`"timeout" => '1500 milliseconds', "timeout_at" => NULL)) AS r`,
		},
		{
			oracle.Request{Surface: "sql", Name: "heartbeat_tasks", Now: -1,
				Args: map[string]any{"pid": "w", "ids": []string{"a", "b"}, "versions": []int{1, 2}}},
			`SELECT to_jsonb(r) FROM (SELECT * FROM resonate."heartbeat_tasks"(` +
				`"ids" => ARRAY['a', 'b']::text[], "pid" => 'w', ` +
				`"versions" => ARRAY[1, 2]::integer[])) AS r`,
		},
		{
			oracle.Request{Surface: "sql", Name: "prune", Now: -1,
				Args: map[string]any{"settled_before": 1500}},
			`SELECT to_jsonb(r) FROM (SELECT * FROM resonate."prune"(` +
				`"settled_before" => '1970-01-01 00:00:01.500+00')) AS r`,
		},
	} {
		got, err := Statement(test.request, "3")
		if err != nil || got != test.want {
			t.Errorf("got  %s (%v)\nwant %s", got, err, test.want)
		}
	}
}

func TestDecodeEnvelope(t *testing.T) {
	value, err := DecodeJSON(`{"kind":"promise.get","head":{"corrId":"3","status":404,` +
		`"version":"2026-04-01"},"data":"no such promise"}`)
	if err != nil {
		t.Fatal(err)
	}
	response, err := decodeEnvelope("promise.get", "3", []any{value})
	if err != nil || response.Status != 404 || response.Body != "no such promise" {
		t.Errorf("got %v (%v)", response, err)
	}
	if _, err = decodeEnvelope("promise.get", "4", []any{value}); err == nil {
		t.Error("the answer to another request is accepted")
	}
}
