//go:build unix

// Measure runs commands side by side, in turn (A B C A B C …), and prints what
// each cost beside the first, the yardstick.
//
//	measure [-n 5] [-units N -unit packets] [-bytes N] [-timeout 10m] [LIST]
//
// LIST, or standard input, has a line for each command, "name TAB command", run
// by sh -c; "#" begins a comment. A name without a command is a peer that is not
// installed: its row says so.
//
// CPU is user and system time of the command and of the children it waited for.
// "× first" is the median over the rounds of CPU(command) / CPU(first) within
// the same round, so that a load that comes and goes cancels out; the spread is
// the least and the largest of these. Memory is the largest resident set of a
// single process; it is never below that of measure itself, a few MiB, since
// the system counts a process from before it becomes the command.
//
// A round before the first warms the caches and is not measured; in it the lines
// that a command prints are counted, its records. In the measured rounds output
// goes to the null device. Exits with 1 if a command did not exit with 0.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// A command is one line of the list.
type command struct{ name, line string } // line is "" for an absent peer

// A sample is what one run cost.
type sample struct {
	cpu, wall time.Duration
	rss       int64 // bytes
}

// A row is everything seen of one command.
type row struct {
	command
	lines   int64 // printed in the warm-up
	exit    string
	samples []sample
}

func main() {
	var size input
	n := flag.Int("n", 5, "rounds to measure")
	flag.Float64Var(&size.units, "units", 0, "units in the input, for the rate")
	flag.StringVar(&size.unit, "unit", "packets", "what a unit is")
	flag.Float64Var(&size.bytes, "bytes", 0, "bytes in the input, for the rate")
	timeout := flag.Duration("timeout", 10*time.Minute, "end a command after this long")
	flag.Parse()
	if err := run(os.Stdout, flag.Args(), *n, size, *timeout); err != nil {
		fmt.Fprintf(os.Stderr, "measure: %v\n", err)
		os.Exit(1)
	}
}

func run(out io.Writer, args []string, n int, size input, timeout time.Duration) error {
	list := io.Reader(os.Stdin)
	if len(args) > 0 {
		f, err := os.Open(args[0])
		if err != nil {
			return fmt.Errorf("opening the list: %w", err)
		}
		defer f.Close()
		list = f
	}
	commands, err := parse(list)
	if err != nil {
		return err
	}
	if n < 1 {
		return errors.New("measuring no rounds: want -n 1 or more")
	}
	rows := rounds(commands, n, timeout)
	if err := table(out, rows, size); err != nil {
		return err
	}
	for _, r := range rows {
		if r.exit != "0" && r.line != "" {
			return fmt.Errorf("running %s: %s", r.name, r.exit)
		}
	}
	return nil
}

// parse reads the list.
func parse(r io.Reader) ([]command, error) {
	var out []command
	for sc := bufio.NewScanner(r); sc.Scan(); {
		line := strings.TrimSpace(sc.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		name, cmd, _ := strings.Cut(line, "\t")
		out = append(out, command{strings.TrimSpace(name), strings.TrimSpace(cmd)})
	}
	if len(out) == 0 || out[0].line == "" {
		return nil, errors.New("reading the list: its first line must name a command, the yardstick")
	}
	return out, nil
}

// rounds runs every command once to warm up and n times to measure.
func rounds(commands []command, n int, timeout time.Duration) []row {
	rows := make([]row, len(commands))
	for i, c := range commands {
		rows[i] = row{command: c, exit: "0"}
	}
	for round := range n + 1 {
		for i := range rows {
			r := &rows[i]
			if r.line == "" {
				continue
			}
			var count *lines
			if round == 0 {
				count = new(lines)
			}
			s, exit := once(r.line, count, timeout)
			if exit != "0" {
				r.exit = exit
			}
			if round == 0 {
				r.lines = count.n
			} else {
				r.samples = append(r.samples, s)
			}
		}
	}
	return rows
}

// once runs a command and says what it cost and how it ended: "0", another
// status with the last words of its standard error, or a signal.
func once(line string, count *lines, timeout time.Duration) (sample, string) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var words bytes.Buffer
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Stderr = &words
	if count != nil {
		cmd.Stdout = count
	}
	// A group of its own, so that the end of sh is also that of what it started.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	start := time.Now()
	err := cmd.Run()
	s := sample{wall: time.Since(start)}
	if p := cmd.ProcessState; p != nil {
		s.cpu = p.UserTime() + p.SystemTime()
		if ru, ok := p.SysUsage().(*syscall.Rusage); ok {
			s.rss = int64(ru.Maxrss)
			if runtime.GOOS != "darwin" { // getrusage(2): bytes there, kilobytes elsewhere
				s.rss *= 1024
			}
		}
	}
	if err == nil {
		return s, "0"
	}
	all := strings.Split(strings.TrimSpace(words.String()), "\n")
	return s, strings.TrimSpace(err.Error() + " " + all[len(all)-1])
}

// lines counts the lines written to it.
type lines struct{ n int64 }

func (l *lines) Write(b []byte) (int, error) {
	l.n += int64(bytes.Count(b, []byte{'\n'}))
	return len(b), nil
}
