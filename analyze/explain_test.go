package analyze

import (
	"slices"
	"testing"

	decoders "github.com/verderer/verderer/sensor/decode/all"
)

// TestHiddenCountersExist holds explain's list of unreadable things to what the
// decoders really count.
func TestHiddenCountersExist(t *testing.T) {
	for _, h := range hidden {
		found := false
		for _, p := range decoders.Set.Protocols {
			found = found || p.Name == h.stage && slices.Contains(p.Reasons, h.name)
		}
		if !found {
			t.Errorf("no decoder %s counts %q", h.stage, h.name)
		}
	}
}
