package dns

import (
	"testing"

	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

func TestGolden(t *testing.T) {
	decodetest.Golden(t, "testdata", decode.Set{Protocols: []decode.Protocol{Protocol}})
}
