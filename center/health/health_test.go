package health

import (
	"fmt"
	"testing"

	"github.com/verderer/verderer/center/detect"
)

func TestRegistry(t *testing.T) {
	changes := 0
	r := NewRegistry(func() { changes++ })
	r.Set(Issue{Kind: "sensor-silent", Subject: "a", Severity: detect.Medium, Since: 5, Text: "one"})
	r.Set(Issue{Kind: "sensor-silent", Subject: "a", Severity: detect.Medium, Since: 9, Text: "two"})
	r.Set(Issue{Kind: "sensor-silent", Subject: "a", Severity: detect.Medium, Since: 9, Text: "two"})
	r.Set(Issue{Kind: "disk-full", Severity: detect.High, Since: 7})
	r.Clear("disk-full", "somebody")
	if changes != 3 {
		t.Errorf("%d changes told, want 3", changes)
	}
	got := fmt.Sprint(r.Issues())
	if want := "[{disk-full  high   1970-01-01T00:00:00.000000007Z} {sensor-silent a medium two  1970-01-01T00:00:00.000000005Z}]"; got != want {
		t.Errorf("issues %s, want %s", got, want)
	}
	r.Clear("disk-full", "")
	if n := len(r.Issues()); n != 1 || changes != 4 {
		t.Errorf("%d issues after clearing, %d changes", n, changes)
	}
}

func TestRegistryIsBounded(t *testing.T) {
	r := NewRegistry(nil)
	for i := range maxIssues + 10 {
		r.Set(Issue{Kind: "sensor-silent", Subject: fmt.Sprint(i)})
	}
	if n := len(r.Issues()); n != maxIssues {
		t.Errorf("%d issues kept, want %d", n, maxIssues)
	}
	r.Set(Issue{Kind: "disk-full", Severity: detect.High})
	if i := r.Issues(); len(i) != maxIssues+1 || i[0].Kind != "disk-full" {
		t.Errorf("%d issues, the first %+v", len(i), i[0])
	}
}
