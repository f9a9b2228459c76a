//go:build unix

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	got, err := parse(strings.NewReader("# the floor first\nfloor\tcat a\tb\n\n peer \nours\t x | y\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []command{{"floor", "cat a\tb"}, {"peer", ""}, {"ours", "x | y"}}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(command{})); d != "" {
		t.Error(d)
	}
	for _, bad := range []string{"", "# nothing\n", "peer without a command\n"} {
		if _, err := parse(strings.NewReader(bad)); err == nil {
			t.Errorf("%q: want an error, there is no yardstick", bad)
		}
	}
}

func TestMiddle(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{4, 1, 3}, 3}, {[]float64{9, 1, 3, 5}, 4}} {
		if got := middle(c.in); got != c.want {
			t.Errorf("middle(%v) = %v, want %v", c.in, got, c.want)
		}
	}
}

// A machine that is three times slower in one round changes neither ratio.
func TestRatiosAreOfTheSameRound(t *testing.T) {
	first := []sample{{cpu: 10 * time.Millisecond}, {cpu: 30 * time.Millisecond}, {cpu: 10 * time.Millisecond}}
	other := []sample{{cpu: 20 * time.Millisecond}, {cpu: 60 * time.Millisecond}, {cpu: 30 * time.Millisecond}}
	least, mid, most := ratios(other, first)
	if least != 2 || mid != 2 || most != 3 {
		t.Errorf("got %v, %v, %v; want 2, 2, 3", least, mid, most)
	}
	if _, mid, _ := ratios([]sample{{}}, []sample{{}}); mid != 1 {
		t.Errorf("two commands too short to count: ratio %v, want 1", mid)
	}
}

func TestTable(t *testing.T) {
	rows := []row{
		{command: command{"floor", "x"}, exit: "0", samples: []sample{{500 * time.Millisecond, time.Second, 8 << 20}}},
		{command: command{"peer", ""}},
		{command: command{"ours", "y"}, exit: "exit status 3", lines: 42, samples: []sample{{2 * time.Second, time.Second, 64 << 20}}},
	}
	var b strings.Builder
	if err := table(&b, rows, input{units: 1e6, unit: "packets"}); err != nil {
		t.Fatal(err)
	}
	var got [][]string
	for _, line := range strings.Split(strings.TrimSpace(b.String()), "\n") {
		got = append(got, strings.Fields(line))
	}
	want := [][]string{
		strings.Fields("CPU s wall s RSS MiB k packets/CPU-s MB/CPU-s lines × first spread"),
		strings.Fields("0.50 1.00 8 2000.0 - 0 1.00 1.00–1.00 floor"),
		strings.Fields("- - - - - - peer absent - peer"),
		strings.Fields("2.00 1.00 64 500.0 - 42 4.00 4.00–4.00 ours (exit status 3)"),
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestRounds(t *testing.T) {
	rows := rounds([]command{
		{"three lines", `printf 'a\nb\nc\n'`},
		{"fails", "echo no disk >&2; exit 3"},
		{"absent", ""},
	}, 2, time.Minute)
	if r := rows[0]; r.lines != 3 || r.exit != "0" || len(r.samples) != 2 || r.samples[0].rss == 0 {
		t.Errorf("a command that prints three lines: %+v", r)
	}
	if want := "exit status 3 no disk"; rows[1].exit != want {
		t.Errorf("a command that fails: %q, want %q", rows[1].exit, want)
	}
	if len(rows[2].samples) != 0 {
		t.Errorf("an absent peer was run: %+v", rows[2])
	}
}

func TestTimeoutEndsTheWholeGroup(t *testing.T) {
	// The inner sh holds the output open: unless it ends too, this never returns.
	if _, exit := once("sh -c 'sleep 600; :'; :", new(lines), 50*time.Millisecond); !strings.Contains(exit, "killed") {
		t.Errorf("a command past its time: %q, want it killed", exit)
	}
}
