package kerberos_test

import (
	"testing"

	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
	"github.com/verderer/verderer/sensor/decode/kerberos"
)

func TestGolden(t *testing.T) {
	decodetest.Golden(t, "testdata", decode.Set{Protocols: []decode.Protocol{kerberos.Protocol}})
}
