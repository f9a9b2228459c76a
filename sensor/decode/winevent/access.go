package winevent

import (
	"strings"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
)

// directoryAccess reads event 4662 of the directory service, and of the LSA for
// secrets: the object's name is the secret's. Other object servers (WMI, the SAM)
// write it too.
func directoryAccess(x *decode.Context, now activity.Time, f fields) *activity.Activity {
	server := f.text("ObjectServer")
	if server != "DS" && !(server == "LSA" && f.text("ObjectType") == "SecretObject") {
		x.Count(otherServer, 1)
		return nil
	}
	mask, ok := f.number("AccessMask")
	if !ok {
		x.Count(badNumber, 1)
		return nil
	}
	account := f.subject()
	if account.Zero() {
		x.Count(noAccount, 1)
		return nil
	}
	a := event(x, activity.DirectoryAccess, now, f)
	a.Account = account
	a.Access = &activity.Access{
		ObjectServer: server,
		ObjectType:   object(f.text("ObjectType")),
		ObjectName:   object(f.text("ObjectName")),
		AccessMask:   mask,
		Properties:   guids(f.Get("Properties")),
	}
	return a
}

// object takes the %{…} off a GUID; names stay as they are.
func object(s string) string {
	if g, ok := strings.CutPrefix(s, "%{"); ok && isGUID(strings.TrimSuffix(g, "}")) {
		return strings.ToLower(strings.TrimSuffix(g, "}"))
	}
	return s
}

// guids lists what stands in braces: "%%7688 {1131f6ad-…} {19195a5b-…}".
func guids(s string) (list []string) {
	for len(list) < activity.MaxProperties {
		_, rest, ok := strings.Cut(s, "{")
		if !ok {
			break
		}
		g, after, ok := strings.Cut(rest, "}")
		if ok && isGUID(g) {
			list = append(list, strings.ToLower(g))
			rest = after
		}
		s = rest
	}
	return list
}

// isGUID tells the 8-4-4-4-12 form (MS-DTYP §2.3.4.3).
func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i] | 0x20
		switch dash := i == 8 || i == 13 || i == 18 || i == 23; {
		case dash && s[i] != '-':
			return false
		case !dash && (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return false
		}
	}
	return true
}
