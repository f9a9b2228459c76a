package dcerpc

import "github.com/verderer/verderer/sensor/decode"

// state is what an interface's reader remembers of the connection.
type state struct {
	in *decode.Interface
	of decode.State
}

// state finds the state of an interface, and makes it when it is called for the
// first time. nil when its reader keeps none. A handle is good in whatever
// presentation context it is used, so contexts of one interface share it.
func (d *Decoder) state(in *decode.Interface) decode.State {
	if in.State == nil {
		return nil
	}
	for _, s := range d.states {
		if s.in == in {
			return s.of
		}
	}
	s := state{in, in.State()}
	d.states = append(d.states, s)
	return s.of
}
