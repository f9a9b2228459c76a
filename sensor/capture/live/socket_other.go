//go:build !linux

package live

import (
	"fmt"
	"runtime"

	"golang.org/x/net/bpf"

	"github.com/verderer/verderer/activity"
)

// socket has nothing to capture with here.
type socket struct{ since activity.Time }

func openSocket(string, *Filter, int, bool) (*socket, error) {
	return nil, fmt.Errorf("live capture is not available on %s/%s in this version: run the sensor on Linux beside a mirror port, or send it recorded captures",
		runtime.GOOS, runtime.GOARCH)
}

func (*socket) attach(*Filter) error              { return nil }
func (*socket) filter([]bpf.RawInstruction) error { return nil }
func (*socket) stats() (stats, error)             { return stats{}, nil }
func (*socket) close()                            {}

func (*socket) next() ([]byte, activity.Time, int, error) { return nil, 0, 0, errEmpty }
