package wire

import (
	"bytes"
	"net/netip"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/verderer/verderer/activity"
)

// field builds protobuf by hand: numbers and bytes, as a field's key wants.
func field(n protowire.Number, v any) []byte {
	switch v := v.(type) {
	case int:
		return protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), uint64(v))
	case uint64:
		return protowire.AppendFixed64(protowire.AppendTag(nil, n, protowire.Fixed64Type), v)
	case string:
		return protowire.AppendString(protowire.AppendTag(nil, n, protowire.BytesType), v)
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), v.([]byte))
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// compressed sends bytes that no sensor would.
func compressed(t testing.TB, plain []byte) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return e.EncodeAll(plain, nil)
}

func TestDecodeRefuses(t *testing.T) {
	dns := join(field(3, "query.dns"), field(20, ""))
	with := func(parts ...[]byte) []byte { return field(3, field(1, join(append([][]byte{dns}, parts...)...))) }
	good := with()
	long := strings.Repeat("x", activity.MaxText+1)
	for _, c := range []struct {
		name  string
		plain []byte
		want  string
	}{
		{"no zeros needed", join(field(1, 5), good), ""},
		{"cut", good[:len(good)-1], "unexpected EOF"},
		{"nothing stated", field(3, ""), "Entries[0]: states nothing"},
		{"a statement of a later release", field(3, field(9, "x")), "Entries[0]: states nothing"},
		{"two statements", field(3, join(field(1, dns), field(2, uint64(7)))), "an activity and progress"},
		{"later entry", join(good, good, field(3, "")), "Entries[2]: "},
		{"no kind", field(3, field(1, field(20, ""))), "without kind"},
		{"no detail", field(3, field(1, field(3, "query.dns"))), `kind "query.dns" without its detail`},
		{"detail of another kind", field(3, field(1, join(field(3, "query.dns"), field(16, "")))), "without its detail"},
		{"two details", with(field(16, "")), "with 2 details"},
		{"kind of a later release", field(3, field(1, join(field(3, "logon.newer"), field(77, "x")))), ""},
		{"text at its cap", with(field(11, long[1:])), ""},
		{"text too long", with(field(11, long)), "Entries[0].Activity.Error: longer than 4096 bytes"},
		{"text no UTF-8", with(field(11, "jos\xe9")), "Entries[0].Activity.Error: text is not UTF-8"},
		{"text in a list too long", with(field(12, "a"), field(12, long)), "Activity.Anomalies[1]: longer"},
		{"bytes too long", with(field(9, field(4, long))), "Activity.Account.Raw: longer"},
		{"list at its cap", with(bytes.Repeat(field(12, "a"), 64)), ""},
		{"list too long", with(bytes.Repeat(field(12, "a"), 65)), "Activity.Anomalies: more than 64"},
		{"list too long in parts", with(bytes.Repeat(join(field(12, "a"), field(10, "b")), 65)), "Activity.Anomalies: more than 64"},
		{"numbers at their cap", with(field(20, ""), field(20, ""), field(3, "logon.kerberos.as"), field(16, field(6, make([]byte, 32)))), "2 details"},
		{"numbers too many", with(field(16, field(6, make([]byte, 33)))), "Kerberos.ETypes: more than 32"},
		{"numbers too many one by one", with(field(16, bytes.Repeat(field(6, 1), 33))), "Kerberos.ETypes: more than 32"},
		{"numbers cut", with(field(16, field(6, []byte{1, 0x80}))), "Kerberos.ETypes: bytes after the last number"},
		{"number out of range", with(field(7, field(2, 65536))), "Activity.Source.Port: 65536 is no uint16"},
		{"signed number out of range", with(field(18, field(1, 1<<33))), "MessageID: 4294967296 is no int32"},
		{"number as text", with(field(7, field(2, "1"))), "Source.Port: wire type 2, want 0"},
		{"text as number", with(field(11, 1)), "Error: wire type 0, want 2"},
		{"message as number", with(field(7, 1)), "Source: wire type 0, want 2"},
		{"list as number", with(field(12, 1)), "Anomalies: wire type 0, want 2"},
		{"IPv4 and IPv6", with(field(7, field(1, "abcd")), field(8, field(1, "abcdefghijklmnopeth0"))), ""},
		{"address of three bytes", with(field(7, field(1, "abc"))), "Source.Addr: 3 bytes, want 4 or 16"},
		{"zone no UTF-8", with(field(7, field(1, "abcdefghijklmnop\xff"))), "Source.Addr: zone: text is not"},
		{"zone too long", with(field(7, field(1, "abcdefghijklmnop"+long))), "Source.Addr: zone: longer"},
		{"id too short", with(field(16, field(14, field(1, "abc")))), "Kerberos.Issued.ID: 3 bytes, want 16"},
		{"group", with(protowire.AppendTag(nil, 99, protowire.StartGroupType), protowire.AppendTag(nil, 99, protowire.EndGroupType)), "field 99 is a group"},
		{"unknown field cut", append(field(1, 1), 0xFA, 0x06, 0x7F), "field 111: unexpected EOF"},
		{"field number 0", []byte{0, 0}, "invalid field number"},
		{"too many entries", bytes.Repeat(field(3, field(2, uint64(1))), MaxEntries+1), "Entries: more than 100000"},
	} {
		_, err := Decode(compressed(t, c.plain))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: refused: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: error %v, want one that says %q", c.name, err, c.want)
		}
	}
}

// allocated is how much memory f takes in passing.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestDecodeRefusesBombs(t *testing.T) {
	zeros := make([]byte, 64<<20)
	stream := func(times int, options ...zstd.EOption) []byte {
		var b bytes.Buffer
		e, err := zstd.NewWriter(&b, options...)
		if err != nil {
			t.Fatal(err)
		}
		for range times { // the frame does not say how many
			if _, err := e.Write(zeros); err != nil {
				t.Fatal(err)
			}
		}
		e.Close()
		return b.Bytes()
	}
	half := compressed(t, zeros[:MaxPlain/2+1])
	for name, bomb := range map[string][]byte{
		"says its length": compressed(t, zeros),
		"does not say":    stream(8),
		"small window":    stream(1, zstd.WithWindowSize(8<<10)),
		"large window":    stream(8, zstd.WithWindowSize(16<<20)),
		"two frames":      append(bytes.Clone(half), half...),
		"no zstd":         []byte("GET / HTTP/1.1\r\n"),
		"empty frame cut": compressed(t, []byte{8, 1})[:5],
		"too large":       make([]byte, MaxBatch+1),
	} {
		if name != "too large" && len(bomb) > MaxBatch {
			t.Fatalf("%s: %d bytes, not tried", name, len(bomb))
		}
		var err error
		// The decoder holds up to what is allowed, and grows its buffer on the way.
		if n := allocated(func() { _, err = Decode(bomb) }); n > 6*MaxPlain {
			t.Errorf("%s: took %d MiB", name, n>>20)
		}
		if err == nil {
			t.Errorf("%s: taken", name)
		} else if (name == "says its length" || name == "does not say" || name == "two frames") && !strings.Contains(err.Error(), "more than 8388608 bytes") {
			t.Errorf("%s: %v, which does not say how large it may be", name, err)
		}
	}
	damaged := compressed(t, field(3, field(2, uint64(1))))
	damaged[len(damaged)-5] ^= 1
	if _, err := Decode(damaged); err == nil {
		t.Error("a batch with a flipped bit was taken")
	}
}

// TestDecodeMemory: what a batch costs is a small multiple of MaxPlain, however
// its bytes are spent.
func TestDecodeMemory(t *testing.T) {
	detail := join(field(3, "logon.kerberos.as"), field(13, ""), field(16, join(field(9, 1), field(14, ""), field(15, ""))))
	lists := join(field(3, "query.dns"), field(20, bytes.Repeat(field(11, ""), 32)))
	all := join(field(3, "query.dns"), field(13, ""), field(16, join(field(14, ""), field(15, ""))), field(17, join(field(3, ""), field(4, ""))),
		field(18, ""), field(19, ""), field(20, ""), field(21, field(10, join(field(3, ""), field(4, "")))), field(22, ""))
	for name, a := range map[string][]byte{"details": detail, "lists": lists, "all details": all} {
		entry := field(3, field(1, a))
		b := compressed(t, bytes.Repeat(entry, min(MaxEntries, MaxPlain/len(entry))))
		var err error
		n := allocated(func() { _, err = Decode(b) })
		t.Logf("%s: %d MiB, %v", name, n>>20, err)
		if n > maxMemory+3*MaxPlain { // and the bytes themselves
			t.Errorf("%s: took %d MiB", name, n>>20)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	dns := &activity.Activity{Kind: activity.DNSQuery, DNS: &activity.DNS{}}
	noise := func(n int) []Entry {
		r, list := seeded(t), make([]Entry, n)
		for i := range list {
			text := make([]byte, activity.MaxText)
			for j := range text {
				text[j] = byte(' ' + r.IntN(90))
			}
			list[i].Activity = &activity.Activity{Kind: activity.DNSQuery, Error: string(text), DNS: &activity.DNS{}}
		}
		return list
	}
	for _, c := range []struct {
		entries []Entry
		want    string
	}{
		{[]Entry{{Activity: dns}, {}}, "Entries[1]: states nothing"},
		{[]Entry{{Activity: dns, Progress: 1}}, "Entries[0]: states an activity and progress"},
		{[]Entry{{Activity: &activity.Activity{Kind: activity.LDAPQuery, DNS: &activity.DNS{}}}}, "Entries[0]: an activity of kind"},
		{make([]Entry, MaxEntries+1), "100001 entries: more than 100000"},
		{noise(200), "compressed, more than 524288"},
		{noise(2100), "uncompressed, more than 8388608"},
		{noise(100), ""},
	} {
		b, err := (&Batch{Entries: c.entries}).Append([]byte("x"))
		switch {
		case c.want == "" && err != nil:
			t.Error(err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || string(b) != "x"):
			t.Errorf("error %v, %d bytes, want one that says %q", err, len(b), c.want)
		}
	}
}

// TestDetailsAreCounted: a detail that is new to Activity is one too many beside
// another.
func TestDetailsAreCounted(t *testing.T) {
	in := reflect.TypeFor[activity.Activity]()
	for i := range in.NumField() {
		f := in.Field(i)
		if f.Type.Kind() != reflect.Pointer || f.Name == "Origin" || f.Name == "DNS" {
			continue
		}
		a := &activity.Activity{Kind: activity.DNSQuery, DNS: &activity.DNS{}}
		reflect.ValueOf(a).Elem().Field(i).Set(reflect.New(f.Type.Elem()))
		if err := checkActivity(a); err == nil {
			t.Errorf("%s passes beside DNS", f.Name)
		}
	}
}

// TestAppendMends: a slip of a decoder costs no batch.
func TestAppendMends(t *testing.T) {
	long := strings.Repeat("ü", activity.MaxText)
	a := &activity.Activity{Kind: activity.LDAPQuery, Error: "jos\xe9", Anomalies: make([]string, 100),
		Source:     activity.Endpoint{Addr: netip.MustParseAddr("fe80::1").WithZone("\xff")},
		Account:    activity.Account{Name: long, Raw: []byte(long)},
		LDAPSearch: &activity.LDAPSearch{Attributes: []string{"x" + long, "\xff"}}}
	got, err := DecodeActivity(AppendActivity(nil, a))
	if err != nil {
		t.Fatal(err)
	}
	want := &activity.Activity{Kind: activity.LDAPQuery, Error: "jos\uFFFD", Anomalies: make([]string, 64),
		Source:     activity.Endpoint{Addr: netip.MustParseAddr("fe80::1").WithZone("\uFFFD")},
		Account:    activity.Account{Name: strings.Repeat("ü", 2046) + "…", Raw: []byte(long)[:activity.MaxText]},
		LDAPSearch: &activity.LDAPSearch{Attributes: []string{"x" + strings.Repeat("ü", 2046) + "…", "\uFFFD"}}}
	want.Seal()
	if d := cmp.Diff(want, got, same); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
