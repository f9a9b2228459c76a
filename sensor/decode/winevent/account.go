package winevent

import (
	"strconv"
	"strings"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
)

// change is what an event of account management tells.
type change struct{ act, class string }

// changes are the events that name an account or group and what was done to it.
var changes = map[uint32]change{
	4720: {"create", "user"}, 4722: {"enable", ""}, 4723: {"password-change", ""}, 4724: {"password-reset", ""},
	4725: {"disable", ""}, 4726: {"delete", "user"}, 4738: {"modify", "user"}, 4740: {"lock", ""}, 4767: {"unlock", ""},
	4741: {"create", "computer"}, 4742: {"modify", "computer"}, 4743: {"delete", "computer"},
	4765: {"modify", ""}, 4766: {"modify", ""}, 4781: {"rename", ""}, 4794: {"password-reset", ""},

	// Security groups of global, domain-local and universal scope, then
	// distribution groups of the same.
	4727: {"create", "group"}, 4731: {"create", "group"}, 4754: {"create", "group"},
	4749: {"create", "group"}, 4744: {"create", "group"}, 4759: {"create", "group"},
	4730: {"delete", "group"}, 4734: {"delete", "group"}, 4758: {"delete", "group"},
	4753: {"delete", "group"}, 4748: {"delete", "group"}, 4763: {"delete", "group"},
	4737: {"modify", "group"}, 4735: {"modify", "group"}, 4755: {"modify", "group"},
	4750: {"modify", "group"}, 4745: {"modify", "group"}, 4760: {"modify", "group"},
	4728: {"member-add", "group"}, 4732: {"member-add", "group"}, 4756: {"member-add", "group"},
	4751: {"member-add", "group"}, 4746: {"member-add", "group"}, 4761: {"member-add", "group"},
	4729: {"member-remove", "group"}, 4733: {"member-remove", "group"}, 4757: {"member-remove", "group"},
	4752: {"member-remove", "group"}, 4747: {"member-remove", "group"}, 4762: {"member-remove", "group"},

	4706: {"create", "trustedDomain"}, 4707: {"delete", "trustedDomain"}, 4716: {"modify", "trustedDomain"},
}

// accountChange reads them.
func accountChange(x *decode.Context, now activity.Time, f fields) *activity.Activity {
	what := changes[f.ID]
	a := event(x, activity.DirectoryChange, now, f)
	a.Account = f.subject()
	c := &activity.Change{
		Event: f.ID, Act: what.act, Class: what.class,
		Object: f.text("TargetUserName"), Domain: f.text("TargetDomainName"), SID: f.sid("TargetSid"),
	}
	a.Change = c
	switch f.ID {
	case 4720, 4738, 4741, 4742, 4731, 4727, 4754, 4735, 4737, 4755, 4744, 4749, 4759, 4745, 4750, 4760:
		act := "replace"
		if what.act == "create" {
			act = "add"
		}
		c.Attributes = accountAttributes(f, act)
	case 4728, 4729, 4732, 4733, 4756, 4757, 4746, 4747, 4751, 4752, 4761, 4762:
		c.Member, c.MemberSID = f.text("MemberName"), f.sid("MemberSid")
		if c.Member == "" && c.MemberSID == "" {
			x.Count(noObject, 1)
			return nil
		}
	case 4740: // its domain is where the guesses came from
		a.Source.Host, c.Domain = c.Domain, f.text("SubjectDomainName")
	case 4765, 4766:
		if f.ID == 4766 {
			a.Outcome = activity.Failure
		}
		value := f.text("SourceSid")
		if value == "" {
			value = f.text("SourceUserName")
		}
		c.Attributes = []activity.AttributeChange{{Name: "sIDHistory", Act: "add", Values: values(value), Count: 1}}
	case 4781:
		c.Object, c.NewName = f.text("OldTargetUserName"), f.text("NewTargetUserName")
	case 4794: // the password of the Directory Services Restore Mode of this domain controller
		status, ok := f.number("Status")
		if !ok {
			x.Count(badNumber, 1)
			return nil
		}
		refused(a, status)
		a.Source.Host = f.text("Workstation")
		c.Class, c.Object = "dsrm", activity.Cut(f.Computer)
	case 4706, 4707, 4716:
		c.Object, c.SID = f.text("DomainName"), f.sid("DomainSid")
		for _, n := range [...][2]string{{"TdoType", "trustType"}, {"TdoDirection", "trustDirection"}, {"TdoAttributes", "trustAttributes"}} {
			if v := f.text(n[0]); v != "" {
				c.Attributes = append(c.Attributes, activity.AttributeChange{Name: n[1], Act: "replace", Values: values(v), Count: 1})
			}
		}
	}
	if c.Object == "" && c.SID == "" {
		x.Count(noObject, 1)
		return nil
	}
	return a
}

// attributes are the fields of account events and what the directory calls them.
var attributes = [...][2]string{
	{"SamAccountName", "sAMAccountName"}, {"DisplayName", "displayName"}, {"UserPrincipalName", "userPrincipalName"},
	{"HomeDirectory", "homeDirectory"}, {"HomePath", "homeDrive"}, {"ScriptPath", "scriptPath"}, {"ProfilePath", "profilePath"},
	{"UserWorkstations", "userWorkstations"}, {"PasswordLastSet", "pwdLastSet"}, {"AccountExpires", "accountExpires"},
	{"PrimaryGroupId", "primaryGroupID"}, {"AllowedToDelegateTo", "msDS-AllowedToDelegateTo"}, {"SidHistory", "sIDHistory"},
	{"LogonHours", "logonHours"}, {"DnsHostName", "dNSHostName"}, {"ServicePrincipalNames", "servicePrincipalName"},
}

// accountAttributes lists what the event says changed. Values whose form depends
// on the computer's language, or is a message's number, are counted only.
func accountAttributes(f fields, act string) (list []activity.AttributeChange) {
	for _, n := range attributes {
		v, changed := f.set(n[0])
		if !changed {
			continue
		}
		c := activity.AttributeChange{Name: n[1], Act: act}
		switch {
		case v == "":
			if act == "add" {
				continue
			}
		case n[1] == "pwdLastSet" || n[1] == "accountExpires" || strings.HasPrefix(v, "%%"):
			c.Count = 1
		case n[1] == "servicePrincipalName" || n[1] == "msDS-AllowedToDelegateTo":
			c.Values = values(strings.Fields(v)...)
			c.Count = len(strings.Fields(v))
		default:
			c.Values, c.Count = values(v), 1
		}
		list = append(list, c)
	}
	from, ok1 := f.number("OldUacValue")
	to, ok2 := f.number("NewUacValue")
	if ok1 && ok2 && from != to {
		c := activity.AttributeChange{Name: "userAccountControl", Act: act, Values: values(userAccountControl(to)), Count: 1}
		if act != "add" {
			c.Old = values(userAccountControl(from))
		}
		list = append(list, c)
	}
	return list
}

// values are at most MaxValues of them.
func values(list ...string) []string {
	if len(list) == 1 && list[0] == "" {
		return nil
	}
	return list[:min(len(list), activity.MaxValues)]
}

// controls are the bits of userAccountControl (MS-SAMR §2.2.1.13) that those of
// these events stand for, which are MS-SAMR's own (§2.2.1.12): bit i is 1<<i.
var controls = [...]uint32{
	0x2, 0x8, 0x20, 0x100, 0x200, 0x20000, 0x800, 0x1000, 0x2000, 0x10000, 0x10, 0x80, 0x40000, 0x80000, 0x100000,
	0x200000, 0x400000, 0x800000, 0x1000000, 0x2000000, 0x4000000, 0x8000000,
}

// userAccountControl is the attribute's value, in decimal as LDAP has it.
func userAccountControl(sam uint32) string {
	var n uint32
	for i, bit := range controls {
		if sam&(1<<i) != 0 {
			n |= bit
		}
	}
	return strconv.FormatUint(uint64(n), 10)
}
