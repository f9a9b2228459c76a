package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// screen is a terminal with a program on it, and what it shows.
type screen struct {
	t      *testing.T
	master *os.File
	cmd    *exec.Cmd
	mu     sync.Mutex
	shown  bytes.Buffer
}

// onTerminal starts the program on a terminal of its own.
func onTerminal(t *testing.T, args ...string) *screen {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	s := &screen{t: t, master: master, cmd: exec.Command(os.Args[0], args...)}
	s.cmd.Env = append(os.Environ(), asProgram+"=1")
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = slave, slave, slave
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go io.Copy(s, master) // ends when the program does
	t.Cleanup(func() { s.cmd.Process.Kill() })
	return s
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.Write(b)
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

// typed waits for a prompt, and types when nothing is echoed any more.
func (s *screen) typed(prompt, text string) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if strings.Contains(s.text(), prompt) {
			if m, err := unix.IoctlGetTermios(int(s.master.Fd()), unix.TCGETS); err == nil && m.Lflag&unix.ECHO == 0 {
				break
			}
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("no prompt %q without echo: %s", prompt, s.text())
		}
	}
	if _, err := s.master.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

func (s *screen) ends() int {
	_ = s.cmd.Wait() // the code says it
	return s.cmd.ProcessState.ExitCode()
}

func TestPasswordOnATerminal(t *testing.T) {
	_, config := data(t)
	const password = "correct horse battery"
	s := onTerminal(t, "user", "add", "ada", "--role", "viewer", "--config", config)
	s.typed("New password of ada: ", password+"\n")
	s.typed("The same again: ", password+"x\n")
	if code := s.ends(); code != exitUsage || strings.Contains(s.text(), "correct") {
		t.Errorf("two that differ: exit code %d: %s", code, s.text())
	}
	s = onTerminal(t, "user", "add", "ada", "--role", "viewer", "--config", config)
	s.typed("New password of ada: ", password+"\n")
	s.typed("The same again: ", password+"\n")
	if code := s.ends(); code != 0 || strings.Contains(s.text(), "correct") {
		t.Errorf("exit code %d: %s", code, s.text())
	}
	// Ctrl-C ends it, and the terminal shows again what is typed.
	s = onTerminal(t, "user", "password", "ada", "--config", config)
	s.typed("New password of ada: ", "abc\x03")
	if code := s.ends(); code != exitError {
		t.Errorf("interrupted: exit code %d: %s", code, s.text())
	}
	if m, err := unix.IoctlGetTermios(int(s.master.Fd()), unix.TCGETS); err != nil || m.Lflag&unix.ECHO == 0 {
		t.Errorf("the terminal echoes no more: %v", err)
	}
}
