package live

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/net/bpf"
)

const (
	// dynamic is the first port of the range that Windows and Samba give RPC
	// endpoints from (RFC 6335's dynamic ports). A service that was set to a fixed
	// port below it has to be listed in Config.TCP.
	dynamic = 49152

	// maxServers bounds the addresses in the filter, maxPorts the ports of one
	// transport. With both caps reached it has 1,838 instructions of 8 bytes:
	// kernels take 4,096, but older ones no more bytes than net.core.optmem_max,
	// 20 KiB by default.
	maxServers = 64
	maxPorts   = 32

	// whole is the filter's answer for "all of the packet".
	whole = 1 << 20
)

// Offsets and numbers of the headers that the filter looks at.
const (
	etherHeader = 14
	etherIPv4   = 0x0800
	etherIPv6   = 0x86dd
	etherVLAN   = 0x8100 // IEEE 802.1Q
	etherSVLAN  = 0x88a8 // IEEE 802.1ad
	etherQinQ   = 0x9100 // as older switches have it
	maxTags     = 3      // as flow takes off

	ipTCP, ipUDP, ipICMPv6 = 6, 17, 58
)

// wrapped4 and wrapped6 are the protocols whose ports the filter cannot see, but
// flow: IP in IP, AH, and IPv6's extension headers. GRE, and VXLAN by its port,
// are let through where a mirror is said to come in them: what else a host
// tunnels, a domain controller above all, is none of ours and may be much.
var (
	wrapped4 = []uint32{4, 41, 51}
	wrapped6 = []uint32{43, 44, 60, 51, 4, 41}
)

const (
	ipGRE     = 47
	portVXLAN = 4789
)

// Filter says which packets the kernel hands over: every one that flow could
// follow, and as few others as a program without loops can tell.
type Filter struct {
	TCP, UDP []uint16     // server ports
	Servers  []netip.Addr // whose TCP ports from 49152 on are wanted
	Tunnels  bool         // GRE, ERSPAN and VXLAN too, whatever is in them
}

// label is a place in a program. Programs jump forward only.
type label struct{ from []int }

// program is a filter under construction.
type program struct{ ins []bpf.Instruction }

func (p *program) add(ins ...bpf.Instruction) { p.ins = append(p.ins, ins...) }

// jump goes to l, however far it is.
func (p *program) jump(l *label) {
	l.from = append(l.from, len(p.ins))
	p.add(bpf.Jump{})
}

// on goes to l if the accumulator compares so. The jump is an instruction of
// its own, since a conditional one reaches 255 instructions only.
func (p *program) on(cond bpf.JumpTest, val uint32, l *label) {
	p.add(bpf.JumpIf{Cond: cond, Val: val, SkipFalse: 1})
	p.jump(l)
}

// is goes to l if the accumulator is one of the values.
func (p *program) is(l *label, vals ...uint32) {
	for _, v := range vals {
		p.on(bpf.JumpEqual, v, l)
	}
}

// here is the place that jumps to l go to.
func (p *program) here(l *label) {
	for _, i := range l.from {
		p.ins[i] = bpf.Jump{Skip: uint32(len(p.ins) - i - 1)}
	}
}

// outgoing is PACKET_OUTGOING, see packet(7).
const outgoing = 4

// Compile makes the program for an Ethernet link. On the loopback interface,
// which shows every packet twice, those on their way out are dropped.
func (f *Filter) Compile(loopback bool) ([]bpf.Instruction, error) {
	switch {
	case len(f.TCP) > maxPorts || len(f.UDP) > maxPorts:
		return nil, fmt.Errorf("making the packet filter: more than %d ports of one transport", maxPorts)
	case len(f.Servers) > maxServers:
		return nil, fmt.Errorf("making the packet filter: more than %d addresses of domain controllers", maxServers)
	}
	var p program
	var accept, reject label
	if loopback {
		p.add(bpf.LoadExtension{Num: bpf.ExtType})
		p.is(&reject, outgoing)
	}

	// X becomes the length of the tags. Tags that the card or the kernel took
	// off are not in the packet.
	var ip label
	for tags := uint32(0); ; tags += 4 {
		p.add(bpf.LoadConstant{Dst: bpf.RegX, Val: tags}, bpf.LoadAbsolute{Off: etherHeader - 2 + tags, Size: 2})
		p.is(&ip, etherIPv4, etherIPv6)
		if tags == maxTags*4 {
			p.jump(&reject)
			break
		}
		var tag label
		p.is(&tag, etherVLAN, etherSVLAN, etherQinQ)
		p.jump(&reject)
		p.here(&tag)
	}

	// Which IP it is goes by its own first bits, as in flow.
	p.here(&ip)
	var v4, v6, hopByHop label
	p.add(bpf.StoreScratch{Src: bpf.RegX, N: 0},
		bpf.LoadIndirect{Off: etherHeader, Size: 1},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 4})
	p.is(&v4, 4)
	p.is(&v6, 6)
	p.jump(&reject)

	p.here(&v4)
	p.add(bpf.LoadIndirect{Off: etherHeader + 6, Size: 2})
	p.on(bpf.JumpBitsSet, 0x3fff, &accept) // fragments: the first one too, or the rest would wait for it
	p.add(bpf.LoadIndirect{Off: etherHeader + 9, Size: 1})
	p.is(&accept, wrapped4...)
	if f.Tunnels {
		p.is(&accept, ipGRE)
	}
	p.add(bpf.StoreScratch{Src: bpf.RegA, N: 1},
		bpf.LoadIndirect{Off: etherHeader, Size: 1},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xf},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 2},
		bpf.ALUOpX{Op: bpf.ALUOpAdd},
		bpf.TAX{}, // X: tags and IP header
		bpf.LoadScratch{Dst: bpf.RegA, N: 1})
	f.ports(&p, &accept, &reject, 12, 4)

	p.here(&v6)
	p.add(bpf.LoadIndirect{Off: etherHeader + 6, Size: 1})
	p.is(&hopByHop, 0)
	p.is(&accept, wrapped6...)
	if f.Tunnels {
		p.is(&accept, ipGRE)
	}
	p.add(bpf.StoreScratch{Src: bpf.RegA, N: 1},
		bpf.TXA{},
		bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: 40},
		bpf.TAX{},
		bpf.LoadScratch{Dst: bpf.RegA, N: 1})
	f.ports(&p, &accept, &reject, 8, 16)

	// Every IPv6 host sends multicast reports with hop-by-hop options (RFC 3810).
	p.here(&hopByHop)
	p.add(bpf.LoadIndirect{Off: etherHeader + 40, Size: 1})
	p.is(&reject, ipICMPv6)
	p.jump(&accept)

	p.here(&reject)
	p.add(bpf.RetConstant{Val: 0})
	p.here(&accept)
	p.add(bpf.RetConstant{Val: whole})
	return p.ins, nil
}

// ports decides by ports, which begin at X: A is the transport. The source
// address is at addr in the IP header and size bytes long, the other one follows.
func (f *Filter) ports(p *program, accept, reject *label, addr, size uint32) {
	var tcp, udp label
	source := bpf.LoadIndirect{Off: etherHeader, Size: 2}
	target := bpf.LoadIndirect{Off: etherHeader + 2, Size: 2}
	p.is(&tcp, ipTCP)
	p.is(&udp, ipUDP)
	p.jump(reject)

	p.here(&udp)
	for _, at := range []bpf.Instruction{source, target} {
		p.add(at)
		p.is(accept, numbers(f.UDP)...)
	}
	if f.Tunnels {
		p.is(accept, portVXLAN) // as destination, which A holds
	}
	p.jump(reject)

	p.here(&tcp)
	for _, at := range []bpf.Instruction{source, target} {
		p.add(at)
		p.is(accept, numbers(f.TCP)...)
	}
	// flow looks for RPC between two ports from 1024 on.
	for _, at := range []bpf.Instruction{source, target} {
		p.add(at)
		p.on(bpf.JumpLessThan, 1024, reject)
	}
	var second label
	p.add(bpf.StoreScratch{Src: bpf.RegX, N: 1}, source)
	p.on(bpf.JumpLessThan, dynamic, &second)
	f.servers(p, accept, addr, size)
	p.add(bpf.LoadScratch{Dst: bpf.RegX, N: 1})
	p.here(&second)
	p.add(target)
	p.on(bpf.JumpLessThan, dynamic, reject)
	f.servers(p, accept, addr+size, size)
	p.jump(reject)
}

// servers goes to accept if the address at addr in the IP header is a server's.
func (f *Filter) servers(p *program, accept *label, addr, size uint32) {
	p.add(bpf.LoadScratch{Dst: bpf.RegX, N: 0})
	for i := range size / 4 {
		p.add(bpf.LoadIndirect{Off: etherHeader + addr + 4*i, Size: 4}, bpf.StoreScratch{Src: bpf.RegA, N: 2 + int(i)})
	}
	for _, s := range f.Servers {
		b := s.Unmap().AsSlice()
		if len(b) != int(size) {
			continue
		}
		// The last word first: it is where addresses of a network differ.
		for i := len(b) - 4; i >= 0; i -= 4 {
			p.add(bpf.LoadScratch{Dst: bpf.RegA, N: 2 + i/4},
				bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(b[i:]), SkipTrue: uint8(i/2 + 1)})
		}
		p.jump(accept)
	}
}

func numbers(ports []uint16) []uint32 {
	out := make([]uint32, len(ports))
	for i, p := range ports {
		out[i] = uint32(p)
	}
	return out
}

// assemble is Compile for the kernel.
func (f *Filter) assemble(loopback bool) ([]bpf.RawInstruction, error) {
	ins, err := f.Compile(loopback)
	if err != nil {
		return nil, err
	}
	raw, err := bpf.Assemble(ins)
	if err != nil {
		return nil, fmt.Errorf("assembling the packet filter: %w", err)
	}
	return raw, nil
}

// nothing is the program that drops every packet.
var nothing = []bpf.RawInstruction{{Op: 0x06}} // ret 0
