package activity

import (
	"strings"
	"sync"
)

// statusCodes is statusNames the other way round.
var statusCodes = sync.OnceValue(func() map[string]uint32 {
	m := make(map[string]uint32, len(statusNames))
	for code, name := range statusNames {
		m[name] = code
	}
	return m
})

// StatusCode is the NTSTATUS of a name, with NT_ in front as Samba has it or
// without; false for a name that is not listed.
func StatusCode(name string) (uint32, bool) {
	name = strings.TrimPrefix(name, "NT_")
	if name == "STATUS_OK" {
		return 0, true
	}
	code, ok := statusCodes()[name]
	return code, ok
}
