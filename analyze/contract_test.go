package analyze_test

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/analyze"
)

// TestOutputPassesTheSchemas: every activity and alert of the bundled
// recordings is what activity/schema.json and center/alert/schema.json say.
func TestOutputPassesTheSchemas(t *testing.T) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	activities, err := c.Compile("../activity/schema.json")
	if err != nil {
		t.Fatal(err)
	}
	alerts, err := c.Compile("../center/alert/schema.json")
	if err != nil {
		t.Fatal(err)
	}
	kinds := make(map[activity.Kind]int)
	res, err := analyze.Run(context.Background(), analyze.Options{
		Inputs: recordings(t),
		OnActivity: func(a *activity.Activity) error {
			kinds[a.Kind]++
			pass(t, activities, a)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range res.Alerts {
		pass(t, alerts, a)
	}
	t.Logf("%d alerts, and activities: %v", len(res.Alerts), kinds)
	if len(res.Alerts) == 0 || len(kinds) < 5 {
		t.Error("too little to prove anything")
	}
}

func pass(t *testing.T, s *jsonschema.Schema, v any) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(doc); err != nil {
		t.Errorf("%s\n%v", b, err)
	}
}
