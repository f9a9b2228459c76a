package ndr

// Handle is a context handle (C706 §14.2.16.6 and appendix N, ndr_context_handle):
// attributes and UUID, as they crossed the wire. Zero is none.
type Handle [20]byte

// Handle reads a context handle.
func (r *Reader) Handle() (h Handle) {
	r.Align(4)
	copy(h[:], r.Bytes(len(h)))
	return h
}

// maxHandles caps the handles that are known of a connection. A program that
// walks a domain opens an account at a time; the one that forgets to close them
// loses what the oldest stand for.
const maxHandles = 64

// Handles knows what the handles of a connection stand for. A server hands them
// out, Put adds them, Close or newer ones remove them. It is a decode.State.
type Handles[T any] struct {
	list []handle[T] // from the oldest to the newest, at most maxHandles
}

type handle[T any] struct {
	Handle
	to   T
	held int
}

// Put notes what a handle stands for. held is the bytes that v keeps beside
// itself.
func (t *Handles[T]) Put(h Handle, v T, held int) {
	if h == (Handle{}) {
		return
	}
	t.Close(h)
	if len(t.list) == maxHandles {
		copy(t.list, t.list[1:])
		t.list = t.list[:maxHandles-1]
	}
	t.list = append(t.list, handle[T]{h, v, held})
}

// Of is what a handle stands for; zero when that was not seen.
func (t *Handles[T]) Of(h Handle) (v T) {
	for i := range t.list {
		if t.list[i].Handle == h {
			return t.list[i].to
		}
	}
	return v
}

// Close forgets a handle.
func (t *Handles[T]) Close(h Handle) {
	for i := range t.list {
		if t.list[i].Handle == h {
			t.list = append(t.list[:i], t.list[i+1:]...)
			return
		}
	}
}

// Held implements decode.State.
func (t *Handles[T]) Held() int {
	const table, entry = 64, 256 // the largest v is about 200 bytes
	n := table + cap(t.list)*entry
	for i := range t.list {
		n += t.list[i].held
	}
	return n
}
