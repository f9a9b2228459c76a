package live

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/gopacket/gopacket/afpacket"
	"golang.org/x/net/bpf"

	"github.com/verderer/verderer/activity"
)

// Hardware types that have Ethernet headers (<linux/if_arp.h>).
const (
	arphrdEther    = 1
	arphrdLoopback = 772
)

// socket is an AF_PACKET ring on one interface. It belongs to one goroutine.
type socket struct {
	name     string
	loopback bool
	ring     *afpacket.TPacket
	since    activity.Time          // the filter was attached; the ring may hold packets from before
	told     afpacket.SocketStatsV3 // what the kernel's counters were when last read
}

// openSocket opens an interface. foreign: also packets for other hosts.
func openSocket(name string, f *Filter, size int, foreign bool) (*socket, error) {
	iface, err := net.InterfaceByName(name)
	if err != nil {
		return nil, missing(name)
	}
	hardware, err := hardwareType(iface.Index)
	switch {
	case errors.Is(err, syscall.EPERM):
		return nil, forbidden(name)
	case err != nil:
		return nil, fmt.Errorf("looking at interface %s: %w", name, err)
	case hardware != arphrdEther && hardware != arphrdLoopback:
		return nil, fmt.Errorf("interface %s is neither Ethernet nor loopback (hardware type %d)", name, hardware)
	case iface.Flags&net.FlagUp == 0:
		return nil, fmt.Errorf("capturing on %s: %w", name, errDown)
	}
	k := &socket{name: name, loopback: hardware == arphrdLoopback}
	k.ring, err = afpacket.NewTPacket(
		afpacket.OptInterface(name),
		afpacket.OptTPacketVersion(afpacket.TPacketVersion3),
		// Packets lie one after another in a block, whatever the frame size.
		afpacket.OptFrameSize(blockSize), afpacket.OptBlockSize(blockSize), afpacket.OptNumBlocks(size/blockSize),
		afpacket.OptBlockTimeout(blockWait), afpacket.OptPollTimeout(pollWait),
		// Tags that the kernel took off stay off: conversations are not told apart by them.
		afpacket.OptAddVLANHeader(false))
	if errors.Is(err, syscall.EPERM) {
		return nil, forbidden(name)
	}
	if err != nil {
		return nil, fmt.Errorf("capturing on %s: %w", name, err)
	}
	if err := k.attach(f); err != nil {
		k.close()
		return nil, err
	}
	k.since = now()
	if foreign && !k.loopback {
		if err := k.ring.SetPromiscuous(true); err != nil {
			k.close()
			return nil, fmt.Errorf("making interface %s promiscuous: %w", name, err)
		}
	}
	return k, nil
}

// hardwareType asks the kernel for what kind of link an interface is.
func hardwareType(index int) (uint16, error) {
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrLinklayer{Ifindex: index}); err != nil {
		return 0, err
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, err
	}
	ll, ok := sa.(*syscall.SockaddrLinklayer)
	if !ok {
		return 0, errors.New("the kernel does not tell its hardware type")
	}
	return ll.Hatype, nil
}

func missing(name string) error {
	var names []string
	if all, err := net.Interfaces(); err == nil {
		for _, i := range all {
			names = append(names, i.Name)
		}
	}
	return fmt.Errorf("there is no interface %q; there are: %s", name, strings.Join(names, ", "))
}

func forbidden(name string) error {
	program, err := os.Executable()
	if err != nil {
		program = "PROGRAM"
	}
	return fmt.Errorf("capturing on %s needs the capability CAP_NET_RAW: run as root, or grant it with \"setcap cap_net_raw+ep %s\", or with AmbientCapabilities=CAP_NET_RAW in the systemd unit", name, program)
}

// attach makes f the filter.
func (k *socket) attach(f *Filter) error {
	raw, err := f.assemble(k.loopback)
	if err != nil {
		return err
	}
	return k.filter(raw)
}

func (k *socket) filter(raw []bpf.RawInstruction) error {
	if err := k.ring.SetBPF(raw); err != nil {
		return fmt.Errorf("attaching the packet filter to %s: %w", k.name, err)
	}
	return nil
}

// next is the next packet; data is valid until the following call. The error is
// errEmpty when none came within pollWait; any other one is the end of the
// interface, after what the kernel still hands over.
func (k *socket) next() (data []byte, at activity.Time, wire int, err error) {
	data, ci, err := k.ring.ZeroCopyReadPacketData()
	switch {
	case err == nil:
		return data, activity.Time(ci.Timestamp.UnixNano()), ci.Length, nil
	case errors.Is(err, afpacket.ErrTimeout):
		return nil, 0, 0, errEmpty
	case errors.Is(err, afpacket.ErrPoll): // the kernel says ENETDOWN when it is down as well as when it is gone
		return nil, 0, 0, fmt.Errorf("interface %s went down or is gone", k.name)
	}
	return nil, 0, 0, fmt.Errorf("reading from interface %s: %w", k.name, err)
}

// stats reads the kernel's counters. The library adds them up in 32 bits, which
// wrap; differences do not mind.
func (k *socket) stats() (stats, error) {
	_, n, err := k.ring.SocketStats()
	if err != nil {
		return stats{}, err
	}
	since := func(now, then uint) int64 { return int64(uint32(now) - uint32(then)) }
	out := stats{
		packets: since(n.Packets(), k.told.Packets()),
		dropped: since(n.Drops(), k.told.Drops()),
		freezes: since(n.QueueFreezes(), k.told.QueueFreezes()),
	}
	out.packets -= out.dropped // the kernel counts those it dropped as packets too
	k.told = n
	return out, nil
}

func (k *socket) close() {
	if k != nil {
		k.ring.Close()
	}
}
