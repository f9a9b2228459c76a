package icpr

import (
	"strconv"
	"strings"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/ndr"
)

const (
	name = "icpr"
	// reasonFormat counts requests that are neither PKCS #10 nor CMC around one,
	// or are broken.
	reasonFormat = "certificate requests of an unread format"
)

// Interface registers the reader.
var Interface = decode.Interface{
	Name:     name,
	UUID:     "91ae6020-9e3c-11cf-8d7c-00aa00c091be",
	Request:  decode.MaxStub,
	Response: decode.MaxStub,
	Call:     call,
	Reasons:  []string{reasonFormat},
}

const opCertServerRequest = 0

var operations = decode.Operations{"CertServerRequest"}

// Dispositions (MS-WCCE §3.2.1.4.2.1.4); anything else is an HRESULT.
const (
	dispError  = 1
	dispDenied = 2
	dispIssued = 3
)

func call(x *decode.Context, c *decode.RPCCall) {
	if c.Opnum != opCertServerRequest { // none is defined
		a := c.New(x, activity.RPCCall, activity.ProtoDCERPC)
		a.RPC = c.Detail(name, operations.Name(c.Opnum))
		x.Emit(a)
		return
	}
	a := c.New(x, activity.CertificateRequest, activity.ProtoDCERPC)
	c.Settle(a, decode.HResult)
	t := &activity.Certificate{Call: c.Detail(name, operations.Name(c.Opnum)), Act: "request"}
	a.Certificate = t
	if q := ndr.Request(c); !q.Empty() {
		request(x, q, t)
		q.Note(a)
	}
	if r := ndr.Response(c); !r.Empty() && a.Outcome == activity.Success {
		response(r, a)
		r.Note(a)
	}
	x.Emit(a)
}

// request reads the arguments (MS-ICPR §3.2.4.1.1).
func request(x *decode.Context, q *ndr.Reader, t *activity.Certificate) {
	q.Uint32() // dwFlags
	t.Authority = q.UniqueString()
	q.Uint32() // pdwRequestId
	text, _ := names.FromUTF16LE(blob(q))
	text = strings.Trim(text, "\x00")
	t.Attributes = activity.Cut(text)
	der := blob(q)
	attributes(text, t)
	if len(der) > 0 && !csr(der, t) {
		x.Count(reasonFormat, 1)
	}
}

// blob reads a CERTTRANSBLOB (MS-WCCE §2.2.2.2).
func blob(r *ndr.Reader) []byte {
	r.AlignPointer()
	r.Uint32() // cb, repeated as the array's size
	if !r.Pointer() {
		return nil
	}
	return r.Blob()
}

// attributes reads the lines "name: value" that go with a request.
func attributes(text string, t *activity.Certificate) {
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "certificatetemplate":
			t.Template = activity.Cut(value)
		case "san": // upn=…&dns=… (MS-WCCE §3.2.1.4.2.1.4.1.9, EDITF_ATTRIBUTESUBJECTALTNAME2)
			for part := range strings.SplitSeq(value, "&") {
				if kind, of, ok := strings.Cut(part, "="); ok {
					addName(t, strings.ToLower(kind), of)
				}
			}
		}
	}
}

// maxNames caps the alternative names of a request, by what an activity takes.
const maxNames = 64

func addName(t *activity.Certificate, kind, value string) {
	if value != "" && len(t.Names) < maxNames {
		t.Names = append(t.Names, activity.Cut(kind+":"+value))
	}
}

// response reads what the authority decided.
func response(r *ndr.Reader, a *activity.Activity) {
	t := a.Certificate
	id, disposition := r.Uint32(), r.Uint32()
	if !r.OK() {
		return
	}
	if id != 0 {
		t.RequestID = strconv.FormatUint(uint64(id), 10)
	}
	switch refused, name := decode.HResult(disposition); {
	case disposition == dispError:
		a.Outcome, a.Error = activity.Failure, "CR_DISP_ERROR"
	case disposition == dispDenied:
		a.Outcome, a.Error = activity.Failure, "CR_DISP_DENIED"
	case refused:
		a.Outcome, a.Error = activity.Failure, name
	case disposition == dispIssued:
		blob(r) // pctbCert: the chain
		issued(blob(r), t)
	}
}
