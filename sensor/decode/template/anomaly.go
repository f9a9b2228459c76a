package template

// Anomalies of messages. Per item: the clause broken, and how it occurs
// harmlessly.
const (
	// AnomalyLong: more text than the longest name has. Harmless from nobody
	// known.
	AnomalyLong = "text-long"
	// AnomalyText: the text is not UTF-8. Harmless from clients that send the
	// code page of their machine.
	AnomalyText = "text-encoding"
)
