package dcerpc

import "github.com/verderer/verderer/sensor/decode"

// maxContexts caps the presentation contexts of a connection. Windows offers
// up to three per interface (NDR, NDR64, features); a connection of services.exe
// that several clients share reaches about ten.
const maxContexts = 32

// presentation is what a presentation context id stands for.
type presentation struct {
	offer
	in       *decode.Interface // nil: nobody reads it
	accepted bool
	rejected bool
}

// readable tells that somebody reads the calls made in p.
func (p *presentation) readable() bool { return p.in != nil && !p.rejected }

// context finds a presentation context; nil when its id was never offered.
func (d *Decoder) context(id uint16) *presentation {
	for i := range d.contexts {
		if d.contexts[i].id == id {
			return &d.contexts[i]
		}
	}
	return nil
}

// bind reads the contexts and the token of bind or alter_context.
func (d *Decoder) bind(h header, b []byte) {
	d.bound = true
	body, v := d.body(h, b)
	var above int
	var whole bool
	d.offers, above, whole = readOffers(b[:sizeHeader+len(body)], h.order, d.offers[:0])
	d.offersCall = h.callID
	if !whole {
		d.x.Count(reasonShort, 1)
	}
	if above > 0 {
		d.x.Count(reasonContexts, above)
	}
	for _, o := range d.offers {
		d.offered(o)
	}
	d.clientToken(h, v)
}

// offered takes note of a context. Until the answer is seen it counts as
// accepted, unless it would replace one that was: a server may reject that.
func (d *Decoder) offered(o offer) {
	if o.feature {
		return
	}
	switch p := d.context(o.id); {
	case p == nil && len(d.contexts) == maxContexts:
		d.x.Count(reasonContexts, 1)
	case p == nil:
		d.contexts = append(d.contexts, presentation{offer: o, in: d.x.Interface(o.uuid, o.version)})
	case !p.accepted:
		*p = presentation{offer: o, in: d.x.Interface(o.uuid, o.version)}
	}
}

// bindAck reads the results and the token of bind_ack or alter_context_resp.
func (d *Decoder) bindAck(h header, b []byte) {
	body, v := d.body(h, b)
	each := func(i int, result uint16, syntax decode.UUID) {
		if h.callID != d.offersCall || i >= len(d.offers) || d.offers[i].feature {
			return // the answer to a bind that was not captured
		}
		o := d.offers[i]
		p := d.context(o.id)
		if p == nil {
			return
		}
		switch {
		case result == resultAcceptance:
			o.ndr64 = syntax == ndr64
			*p = presentation{offer: o, in: d.x.Interface(o.uuid, o.version), accepted: true}
		case result != resultNegotiated && !p.accepted:
			p.rejected = true
		}
	}
	if !readResults(b[:sizeHeader+len(body)], h.order, each) {
		d.x.Count(reasonShort, 1)
	}
	d.serverToken(h, v)
}

// bindNak reads the reason: nothing that was offered holds.
func (d *Decoder) bindNak(h header, b []byte) {
	if len(b) < sizeNak {
		d.x.Count(reasonShort, 1)
		return
	}
	for _, o := range d.offers {
		if p := d.context(o.id); p != nil && !p.accepted {
			p.rejected = true
		}
	}
	d.refuse(h, nakName(h.order.Uint16(b[sizeHeader:])))
}
