package bruteforceldap

import (
	"testing"

	"github.com/verderer/verderer/activity"
)

func TestWrongPassword(t *testing.T) {
	for _, c := range []struct {
		code int32
		data string
		want bool
	}{
		{0, "", false},
		{49, "", true},
		{49, "52e", true},
		{49, "525", true},
		{49, "775", true},  // locked meanwhile: the guessing went on
		{49, "532", false}, // expired: the password was right
		{49, "773", false},
		{49, "533", false},
		{53, "", false},
	} {
		if got := wrongPassword(&activity.LDAPBind{ResultCode: c.code, Data: c.data}); got != c.want {
			t.Errorf("result %d data %q counts as a wrong password: %v", c.code, c.data, got)
		}
	}
}
