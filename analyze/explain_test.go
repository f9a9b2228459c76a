package analyze_test

import (
	"slices"
	"testing"

	"github.com/verderer/verderer/center"
	decoders "github.com/verderer/verderer/sensor/decode/all"
)

// TestHiddenCountersExist holds the center's list of unreadable things to what the
// decoders really count.
func TestHiddenCountersExist(t *testing.T) {
	for _, h := range center.Hidden {
		found := false
		for _, p := range decoders.Set.Protocols {
			found = found || p.Name == h.Stage && slices.Contains(p.Reasons, h.Name)
		}
		if !found {
			t.Errorf("no decoder %s counts %q", h.Stage, h.Name)
		}
	}
}
