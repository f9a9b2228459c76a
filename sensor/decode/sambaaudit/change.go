package sambaaudit

import (
	"strings"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
)

// noted are the attributes in which a domain controller notes logons (MS-ADTS
// §3.1.1.1.10, §3.1.1.1.11 and MS-SAMR §3.1.1.8). lockoutTime is not one: a
// lockout is worth telling.
var noted = map[string]bool{
	"lastLogon": true, "lastLogonTimestamp": true, "logonCount": true, "badPwdCount": true, "badPasswordTime": true, "lastLogoff": true,
}

// change reads a change of the directory, made or refused.
func change(x *decode.Context, now activity.Time, r record) *activity.Activity {
	a := start(x, activity.DirectoryChange, now, r)
	a.Account.SID = sid(r.Get("userSid"))
	c := &activity.Change{Object: r.text("dn"), Correlation: r.text("transactionId"), ResultCode: r.number("statusCode")}
	a.Change = c
	switch r.Get("operation") {
	case "Add":
		c.Act = "create"
	case "Modify":
		c.Act = "modify"
	case "Delete":
		c.Act = "delete"
	case "Rename":
		c.Act, c.NewName = "rename", r.text("newDn")
	}
	if c.Act == "" || c.Object == "" {
		x.Count(noObject, 1)
		return nil
	}
	own := c.Act == "modify"
	c.Attributes = attributes(r)
	for _, at := range c.Attributes {
		own = own && noted[at.Name]
		if strings.EqualFold(at.Name, "objectClass") && len(at.Values) > 0 {
			c.Class = at.Values[len(at.Values)-1] // from top to the most special
		}
	}
	if own && len(c.Attributes) > 0 {
		x.Count(bookkeeping, 1)
		return nil
	}
	if c.ResultCode != 0 {
		a.Outcome, a.Error = activity.Failure, activity.LDAPResultName(c.ResultCode)
	}
	return a
}

// attributes collects values named attributes.NAME.actions.N.action and
// attributes.NAME.actions.N.values.M.value, in order.
func attributes(r record) (list []activity.AttributeChange) {
	var name, number string // of the action at hand
	for i := range r.Fields {
		rest, ok := strings.CutPrefix(r.Fields[i].Name, "attributes.")
		if !ok {
			continue
		}
		attr, rest, ok := strings.Cut(rest, ".actions.")
		n, what, ok2 := strings.Cut(rest, ".")
		if !ok || !ok2 {
			continue
		}
		if attr != name || n != number || len(list) == 0 {
			if len(list) == activity.MaxChanges {
				break
			}
			list = append(list, activity.AttributeChange{Name: activity.Cut(attr)})
			name, number = attr, n
		}
		c := &list[len(list)-1]
		value := r.Fields[i].Value
		item, isValue := strings.CutPrefix(what, "values.")
		switch {
		case what == "action":
			c.Act = value
		case what == "redacted":
			c.Count++
		case isValue && strings.HasSuffix(item, ".value"):
			c.Count++
			if !activity.SecretAttribute(attr) && len(c.Values) < activity.MaxValues && !flagged(r, i, ".base64") {
				c.Values = append(c.Values, activity.Cut(value))
			}
		}
	}
	return list
}

// flagged tells whether the value at i is marked so. Marks stand before it, in
// alphabetical order.
func flagged(r record, i int, mark string) bool {
	prefix := strings.TrimSuffix(r.Fields[i].Name, ".value")
	for i--; i >= 0 && strings.HasPrefix(r.Fields[i].Name, prefix+"."); i-- {
		if r.Fields[i].Name == prefix+mark {
			return r.Fields[i].Value == "true"
		}
	}
	return false
}

// primaryGroup is the action of a groupChange that has no eventId: a group
// became, or is no longer, the user's primary one.
const primaryGroup = "PrimaryGroup"

// groupChange reads that a member came or went.
func groupChange(x *decode.Context, now activity.Time, r record) *activity.Activity {
	a := start(x, activity.DirectoryChange, now, r)
	a.Account.SID = sid(r.Get("userSid"))
	c := &activity.Change{
		Event: r.ID, Class: "group", Object: r.text("group"), Member: r.text("user"),
		Correlation: r.text("transactionId"), ResultCode: r.number("statusCode"),
	}
	a.Change = c
	switch action := r.Get("action"); action {
	case "Added":
		c.Act = "member-add"
	case "Removed":
		c.Act = "member-remove"
	case primaryGroup:
		c.Act, c.Class, c.Object, c.Member = "modify", "user", c.Member, ""
		c.Attributes = []activity.AttributeChange{{Name: "primaryGroupID", Act: "replace", Values: []string{r.text("group")}, Count: 1}}
	}
	if c.Act == "" || c.Object == "" || c.Class == "group" && c.Member == "" {
		x.Count(noObject, 1)
		return nil
	}
	if c.ResultCode != 0 {
		a.Outcome, a.Error = activity.Failure, activity.LDAPResultName(c.ResultCode)
	}
	return a
}

// passwordChange reads that a password was changed or reset.
func passwordChange(x *decode.Context, now activity.Time, r record) *activity.Activity {
	a := start(x, activity.DirectoryChange, now, r)
	a.Account.SID = sid(r.Get("userSid"))
	c := &activity.Change{Event: r.ID, Object: r.text("dn"), Correlation: r.text("transactionId"), ResultCode: r.number("statusCode")}
	a.Change = c
	switch {
	case r.ID == 4723 || r.Get("action") == "Change":
		c.Act = "password-change"
	case r.ID == 4724 || r.Get("action") == "Reset":
		c.Act = "password-reset"
	}
	if c.Act == "" || c.Object == "" {
		x.Count(noObject, 1)
		return nil
	}
	if c.ResultCode != 0 {
		a.Outcome, a.Error = activity.Failure, activity.LDAPResultName(c.ResultCode)
	}
	return a
}
