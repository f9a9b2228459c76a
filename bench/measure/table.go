//go:build unix

package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// An input says how large what the commands read is; 0 is unknown.
type input struct {
	units, bytes float64
	unit         string
}

// leastCPU stands for a CPU time that was too short to be counted, so that
// ratios and rates stay finite.
const leastCPU = time.Millisecond

// table prints a row for each command.
func table(out io.Writer, rows []row, size input) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "CPU s\twall s\tRSS MiB\tk %s/CPU-s\tMB/CPU-s\tlines\t× first\tspread\t\n", size.unit)
	for _, r := range rows {
		if r.line == "" {
			fmt.Fprintf(w, "-\t-\t-\t-\t-\t-\tpeer absent\t-\t%s\n", pad(r.name))
			continue
		}
		cpu := median(r.samples, func(s sample) float64 { return s.cpu.Seconds() })
		least, ratio, most := ratios(r.samples, rows[0].samples)
		fmt.Fprintf(w, "%.2f\t%.2f\t%.0f\t%s\t%s\t%d\t%.2f\t%.2f–%.2f\t%s\n", cpu,
			median(r.samples, func(s sample) float64 { return s.wall.Seconds() }),
			median(r.samples, func(s sample) float64 { return float64(s.rss) })/(1<<20),
			rate(size.units/1e3, cpu), rate(size.bytes/1e6, cpu),
			r.lines, ratio, least, most, pad(r.label()))
	}
	return w.Flush()
}

// label is the name, with how the command ended if that was not well.
func (r row) label() string {
	if r.exit == "0" {
		return r.name
	}
	return r.name + " (" + r.exit + ")"
}

// pad sets the last column, which is the name, off from the numbers.
func pad(name string) string { return "  " + name }

func rate(amount, cpu float64) string {
	if amount == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", amount/max(cpu, leastCPU.Seconds()))
}

// ratios compares CPU times round by round: the least, the median, the most.
func ratios(of, to []sample) (least, mid, most float64) {
	var all []float64
	for i := range of {
		all = append(all, float64(max(of[i].cpu, leastCPU))/float64(max(to[i].cpu, leastCPU)))
	}
	return slices.Min(all), middle(all), slices.Max(all)
}

func median(samples []sample, of func(sample) float64) float64 {
	var all []float64
	for _, s := range samples {
		all = append(all, of(s))
	}
	return middle(all)
}

// middle is the median of values, of which there is at least one.
func middle(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}
