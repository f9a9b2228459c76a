//go:build linux

// Package livetest gives tests network interfaces of their own: the test binary
// runs itself again in a network namespace, in which nothing but the tests is
// heard. Where that is not permitted the tests that need it are skipped.
package livetest

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
)

// inside says, in the environment, that the process is in its namespace, or why
// there is none.
const inside = "VERDERER_LIVETEST"

// Main is what TestMain does.
func Main(m *testing.M) {
	if os.Getenv(inside) != "" {
		os.Exit(m.Run())
	}
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), inside+"=yes")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		one := func(id int) []syscall.SysProcIDMap { return []syscall.SysProcIDMap{{HostID: id, Size: 1}} }
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings, cmd.SysProcAttr.GidMappings = one(os.Getuid()), one(os.Getgid())
	}
	runtime.LockOSThread() // Pdeathsig goes by the thread
	if err := cmd.Start(); err != nil {
		os.Setenv(inside, fmt.Sprintf("making a network namespace: %v", err))
		os.Exit(m.Run())
	}
	if err := cmd.Wait(); err != nil {
		os.Exit(max(1, cmd.ProcessState.ExitCode()))
	}
	os.Exit(0)
}

// Need skips the test where there are no namespaces.
func Need(t testing.TB) {
	t.Helper()
	switch why := os.Getenv(inside); {
	case why != "yes":
		t.Skip(why)
	default:
		if _, err := exec.LookPath("ip"); err != nil {
			t.Skip("the program ip (iproute2) is not installed")
		}
	}
}

// Link is a pair of interfaces: what is sent on one end arrives at the other.
type Link struct {
	Name string     // of the end here
	Here netip.Addr // its address
	Far  netip.Addr // that of the other end

	work    chan func() error
	results chan error
	socket  int
	index   int
}

var links atomic.Int32

// far is the name of every far end, in its own namespace.
const far = "far"

// New makes a link. It goes with the test.
func New(t testing.TB) *Link {
	t.Helper()
	Need(t)
	n := byte(links.Add(1))
	l := &Link{
		Name:    fmt.Sprintf("near%d", n),
		Here:    netip.AddrFrom4([4]byte{10, 99, n, 1}),
		Far:     netip.AddrFrom4([4]byte{10, 99, n, 2}),
		work:    make(chan func() error),
		results: make(chan error),
	}
	ready := make(chan int)
	go l.live(ready)
	tid := <-ready
	if tid == 0 {
		t.Fatal("making the namespace of the far end")
	}
	temporary := fmt.Sprintf("far%d", n)
	// 65,535 is the most a veth takes: recordings have joined segments.
	Run(t, "ip", "link", "add", l.Name, "mtu", "65535", "type", "veth", "peer", "name", temporary, "mtu", "65535")
	Run(t, "ip", "link", "set", temporary, "netns", fmt.Sprint(tid), "name", far)
	Run(t, "ip", "addr", "add", l.Here.String()+"/24", "dev", l.Name)
	Run(t, "ip", "link", "set", l.Name, "addrgenmode", "none", "up") // IPv6 stays silent
	l.Do(t, func() error {
		for _, args := range [][]string{
			{"ip", "addr", "add", l.Far.String() + "/24", "dev", far},
			{"ip", "link", "set", far, "addrgenmode", "none", "up"},
		} {
			if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
				return fmt.Errorf("%v: %w: %s", args, err, out)
			}
		}
		i, err := net.InterfaceByName(far)
		if err != nil {
			return err
		}
		l.index = i.Index
		l.socket, err = syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, 0)
		return err
	})
	t.Cleanup(func() {
		syscall.Close(l.socket)
		close(l.work)
		exec.Command("ip", "link", "del", l.Name).Run()
	})
	return l
}

// live is the far end: a thread in a namespace of its own, which ends with it.
func (l *Link) live(ready chan int) {
	runtime.LockOSThread() // for good
	if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
		ready <- 0
		return
	}
	ready <- syscall.Gettid()
	for f := range l.work {
		l.results <- f()
	}
}

// Do runs f at the far end: sockets it makes are of that namespace.
func (l *Link) Do(t testing.TB, f func() error) {
	t.Helper()
	l.work <- f
	if err := <-l.results; err != nil {
		t.Fatal(err)
	}
}

// Dial connects from the far end.
func (l *Link) Dial(t testing.TB, network, address string) net.Conn {
	t.Helper()
	var c net.Conn
	l.Do(t, func() (err error) {
		c, err = (&net.Dialer{}).DialContext(context.Background(), network, address)
		return err
	})
	t.Cleanup(func() { c.Close() })
	return c
}

// Send sends an Ethernet frame from the far end.
func (l *Link) Send(t testing.TB, frame []byte) {
	if err := syscall.Sendto(l.socket, frame, 0, &syscall.SockaddrLinklayer{Ifindex: l.index, Halen: 6}); err != nil {
		t.Fatalf("sending a frame of %d bytes: %v", len(frame), err)
	}
}

// Run runs a program.
func Run(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}
