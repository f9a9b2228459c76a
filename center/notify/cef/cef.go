// Package cef writes alerts as ArcSight Common Event Format records, one line
// each, in the key order that ATA and Defender for Identity use, so that rules
// written for them keep working.
package cef

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/names"
)

// Trigger says why a record is sent (key cs2).
type Trigger string

const (
	New    Trigger = "new"
	Update Trigger = "update"
	Close  Trigger = "close"
)

// maxMessage is the length of the msg key that common receivers accept.
const maxMessage = 1023

// Append writes the record of an alert, without a line end.
func Append(b []byte, a *alert.Alert, version string, why Trigger) []byte {
	b = append(b, "CEF:0|Verderer|Verderer|"...)
	for _, h := range []string{version, a.Detection, a.Title} {
		b = append(b, header(h)...)
		b = append(b, '|')
	}
	b = strconv.AppendInt(b, severity(a.Severity), 10)
	b = append(b, '|')

	x := extension{b: b}
	x.add("start", stamp(a.Start))
	x.add("app", string(a.Protocol))
	source, target := first(a.Sources), first(a.Targets)
	x.add("shost", names.ShortHost(source.Name))
	if len(a.Accounts) > 0 {
		x.add("suser", a.Accounts[0].Name)
	}
	x.add("outcome", outcome(a.Outcome))
	x.add("msg", cut(a.Summary, maxMessage))
	x.add("cnt", strconv.Itoa(a.Count))
	x.add("externalId", externalID(a))
	x.label("cs2", "trigger", string(why))
	x.label("cs3", "shostfqdn", source.Name)
	x.add("end", stamp(a.End))
	if len(a.Accounts) > 0 {
		x.add("sntdom", a.Accounts[0].Domain)
		x.add("suid", a.Accounts[0].SID)
	}
	x.address("src", source.Address)
	x.add("dhost", names.ShortHost(target.Name))
	x.address("dst", target.Address)
	x.label("cs4", "mitre", strings.Join(a.Techniques, ","))
	x.label("cs6", "alertId", a.ID)
	x.add("act", string(a.Status))
	return x.b
}

func first(list []detect.Computer) (c detect.Computer) {
	if len(list) > 0 {
		return list[0]
	}
	return c
}

// externalID is Defender for Identity's number first, else ATA's. Detections
// that neither knows have none here.
func externalID(a *alert.Alert) string {
	switch {
	case a.MDIID != 0:
		return strconv.Itoa(a.MDIID)
	case len(a.ATAIDs) > 0:
		return strconv.Itoa(a.ATAIDs[0])
	}
	return ""
}

func severity(s detect.Severity) int64 {
	switch s {
	case detect.High:
		return 10
	case detect.Medium:
		return 5
	}
	return 3
}

func outcome(o activity.Outcome) string {
	switch o {
	case activity.Success:
		return "Success"
	case activity.Failure:
		return "Failure"
	}
	return "Unknown"
}

// stamp is ISO 8601 with seven fraction digits, as both products write it.
func stamp(t activity.Time) string {
	return t.Go().Format("2006-01-02T15:04:05.0000000") + "Z"
}

// extension collects key=value pairs; empty values are left out.
type extension struct {
	b    []byte
	some bool
}

func (x *extension) add(key, value string) {
	if value == "" {
		return
	}
	if x.some {
		x.b = append(x.b, ' ')
	}
	x.some = true
	x.b = fmt.Appendf(x.b, "%s=%s", key, escape(value, `=`))
}

func (x *extension) label(key, label, value string) {
	if value != "" {
		x.add(key+"Label", label)
		x.add(key, value)
	}
}

// address writes the IPv4 or IPv6 address key, which CEF types.
func (x *extension) address(key, addr string) {
	if a, err := netip.ParseAddr(addr); err == nil {
		x.add(key, a.WithZone("").String())
	}
}

// header escapes a header field: | and \; line ends become spaces.
func header(s string) string {
	return escape(strings.NewReplacer("\r", " ", "\n", " ").Replace(s), `|`)
}

// escape puts a backslash before itself and before special, writes line ends as
// \n and \r, and drops other control characters, those that turn the direction
// of text among them: a record may be looked at in a terminal.
func escape(s, special string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\\' || strings.ContainsRune(special, r):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// cut shortens s to n bytes at a rune boundary, with an ellipsis.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n -= len("…")
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
