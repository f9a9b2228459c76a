package winevent_test

import (
	"testing"

	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
	"github.com/verderer/verderer/sensor/decode/winevent"
)

func TestGolden(t *testing.T) {
	decodetest.Golden(t, "testdata", decode.Set{Events: []decode.Events{winevent.Events}})
}
