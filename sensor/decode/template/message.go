package template

import (
	"encoding/binary"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
)

// Types of a message.
const (
	typeRequest = 1
	typeAnswer  = 2
	typeRefusal = 3
)

const (
	headerSize = 4   // Length, ID and Type
	maxName    = 255 // the longest Text that has a meaning
)

// message is one message, named and ordered as the specification has it.
type message struct {
	ID   uint8
	Type uint8
	Text string

	anomalies []string
}

// frameLength is the whole length of the message that b begins with: see
// decode.Framer.
func frameLength(b []byte) int {
	if len(b) < headerSize {
		return 0
	}
	n := int(binary.BigEndian.Uint16(b))
	if n < headerSize-2 || b[3] < typeRequest || b[3] > typeRefusal {
		return -1
	}
	return 2 + n
}

// read reads a message that frameLength accepted, or its first maxMessage bytes.
func read(b []byte) message {
	text, raw := names.FromUTF8(b[headerSize:])
	m := message{ID: b[2], Type: b[3], Text: activity.Cut(text)}
	switch {
	case len(b)-headerSize > maxName:
		m.anomalies = append(m.anomalies, AnomalyLong)
	case raw != nil:
		m.anomalies = append(m.anomalies, AnomalyText)
	}
	return m
}
