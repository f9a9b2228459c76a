package activity

// Access is the detail of an audited operation on a directory object (Windows
// event 4662).
type Access struct {
	ObjectServer string   `json:"objectServer" pb:"1"`                // "DS": the directory service; "LSA": a secret of the domain controller
	ObjectType   string   `json:"objectType,omitempty" pb:"2"`        // schemaIDGUID of the object's class, or its name
	ObjectName   string   `json:"objectName,omitempty" pb:"3"`        // objectGUID, or its DN
	AccessMask   uint32   `json:"accessMask" pb:"4"`                  // MS-ADTS §5.1.3.2
	Properties   []string `json:"properties,omitempty" pb:"5,max=64"` // GUIDs of extended rights, property sets, attributes and classes, lower-case; at most MaxProperties
}

// MaxProperties caps Access.Properties: an event lists what one operation
// touched, and a modify that touches more attributes than this is none that a
// rule looks at.
const MaxProperties = 64

// Access rights and extended rights that rules look at (MS-ADTS §5.1.3.2 and
// §5.1.3.2.1).
const (
	AccessControl uint32 = 0x100 // RIGHT_DS_CONTROL_ACCESS: an extended right was used

	RightGetChanges    = "1131f6aa-9c07-11d1-f79f-00c04fc2dcd2" // DS-Replication-Get-Changes
	RightGetChangesAll = "1131f6ad-9c07-11d1-f79f-00c04fc2dcd2" // DS-Replication-Get-Changes-All: secrets too
)

func (a *Access) canon(c *canonical) {
	c.text(a.ObjectServer)
	c.text(a.ObjectType)
	c.text(a.ObjectName)
	c.int(int64(a.AccessMask))
	c.texts(a.Properties)
}
