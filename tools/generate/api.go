package main

import (
	"fmt"
	"strings"

	"github.com/verderer/verderer/center/api"
)

// calls is the table of the API's calls with who may make them.
func calls() string {
	may := map[api.Access]string{
		api.Public:         "anybody",
		api.EnrolKey:       "whoever has an access key",
		api.Viewers:        "viewer, analyst, administrator",
		api.Analysts:       "analyst, administrator",
		api.Administrators: "administrator",
	}
	var b strings.Builder
	b.WriteString("| call | what | who |\n|---|---|---|\n")
	for _, r := range api.Routes() {
		fmt.Fprintf(&b, "| `%s /api/v1%s` | %s | %s |\n", r.Method, r.Path, r.Summary, may[r.Access])
	}
	return b.String()
}
