package samr

import (
	"testing"

	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

func TestGolden(t *testing.T) {
	decodetest.GoldenStubs(t, "testdata", map[string]decode.Interface{
		"enumeration":     Interface,
		"group-admins":    Interface,
		"machine-account": Interface,
	})
}
