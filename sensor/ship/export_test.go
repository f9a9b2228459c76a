package ship

import "time"

// SetAckTimeout shortens the wait for an answer that does not come.
func (s *Sender) SetAckTimeout(d time.Duration) { s.ackTimeout = d }
