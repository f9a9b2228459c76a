// Package version says which version of the programs this is.
package version

import "runtime/debug"

// release is set at release, with
// -ldflags "-X github.com/verderer/verderer/version.release=1.2.3".
var release string

// String is the release, or the commit that was built.
func String() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return "devel-" + s.Value[:12]
			}
		}
	}
	return "devel"
}
