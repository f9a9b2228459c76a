package all

import (
	"testing"

	"github.com/verderer/verderer/sensor/decode/decodetest"
)

func TestGolden(t *testing.T) { decodetest.Golden(t, "testdata", Set) }
