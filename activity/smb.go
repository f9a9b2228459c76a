package activity

// SMB is the detail of a session, of a share that was connected, or of a file
// or pipe from its opening to its closing (MS-SMB2, MS-CIFS, MS-SMB; Windows
// events 5140 and 5145).
type SMB struct {
	Dialect   string `json:"dialect,omitempty" pb:"1"`       // "1" (NT LM 0.12), "2.0.2", "2.1", "3.0", "3.0.2", "3.1.1"; "" picked up mid-connection or an event
	Session   uint64 `json:"session,omitempty" pb:"2"`       // SessionId, or Uid of SMB1; 0 not known
	Signed    bool   `json:"signed,omitempty" pb:"3"`        // the server requires signing or the session signs
	Encrypted bool   `json:"encrypted,omitempty" pb:"4"`     // the session or share encrypts: what follows is not readable
	Guest     bool   `json:"guest,omitempty" pb:"5"`         // the server logged the client on as guest
	Null      bool   `json:"null,omitempty" pb:"6"`          // or without an account
	Share     string `json:"share,omitempty" pb:"7"`         // as asked for: \\dc1\SYSVOL
	ShareType string `json:"shareType,omitempty" pb:"8"`     // "disk", "pipe", "print"
	Path      string `json:"path,omitempty" pb:"9"`          // below the share
	Access    uint32 `json:"access,omitempty" pb:"10"`       // DesiredAccess; for a session or share the most that is granted
	Disposed  string `json:"createAction,omitempty" pb:"11"` // "superseded", "opened", "created", "overwritten"
	Directory bool   `json:"directory,omitempty" pb:"12"`
	Size      int64  `json:"size,omitempty" pb:"13"`         // of the file when it was opened
	Read      int64  `json:"read,omitempty" pb:"14"`         // bytes that READ answers carried
	Written   int64  `json:"written,omitempty" pb:"15"`      // and WRITE requests
	Magic     []byte `json:"magic,omitempty" pb:"16,max=16"` // first bytes of what was written or read at offset 0; at most MaxMagic
	Deleted   bool   `json:"deleted,omitempty" pb:"17"`      // marked for deletion
	RenamedTo string `json:"renamedTo,omitempty" pb:"18"`
	Status    uint32 `json:"status,omitempty" pb:"19"` // NTSTATUS of the answer that opened it or refused
	Auth      *Auth  `json:"auth,omitempty" pb:"20"`   // who the session is authenticated as

	Snapshot Time   `json:"snapshot,omitempty" pb:"21"` // of the shadow copy that the file was opened in, when it was asked for by time; SMB1 has it in the path, as @GMT-…
	Caller   string `json:"caller,omitempty" pb:"22"`   // NetBIOS name that the client called itself by, over port 139

	// What tells SMB1 clients apart, as the client states it.
	NativeOS     string `json:"nativeOs,omitempty" pb:"23"`
	NativeLanMan string `json:"nativeLanMan,omitempty" pb:"24"`
	Legacy       bool   `json:"legacy,omitempty" pb:"25"` // a session set-up without extended security: LM and NTLM responses without NTLMSSP
	VCNumber     uint16 `json:"vcNumber,omitempty" pb:"26"`
	MaxMpx       uint16 `json:"maxMpx,omitempty" pb:"27"`
}

// MaxMagic is how many bytes of a file are kept: enough to tell its format, too
// few to hold anything of it.
const MaxMagic = 16

func (s *SMB) canon(c *canonical) {
	c.text(s.Dialect)
	c.int(int64(s.Session))
	c.text(s.Share)
	c.text(s.Path)
	c.int(int64(s.Access))
	c.text(s.Disposed)
	c.int(s.Size)
	c.int(s.Read)
	c.int(s.Written)
	c.text(s.RenamedTo)
	c.int(int64(s.Status))
	s.Auth.canon(c)
}
