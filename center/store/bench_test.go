package store

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/worker"
)

// many fills a store with n alerts over the detections, severities and states
// that a site has: most are closed.
func many(b *testing.B, n int) *Store {
	b.Helper()
	s := open(b, filepath.Join(b.TempDir(), "center.db"))
	const batch = 1000
	for p := range n / batch {
		r := result(p + 1)
		for j := range batch {
			i := p*batch + j
			a := alarm(i)
			a.Detection = fmt.Sprintf("detection-%d", i%40)
			a.Severity = []detect.Severity{detect.Low, detect.Low, detect.Medium, detect.High}[i%4]
			a.Status = alert.Closed
			if i%50 == 0 {
				a.Status = alert.Open
			}
			a.Summary = fmt.Sprintf("ws%d.lab.example (10.1.2.3) guessed the passwords of 7 accounts at dc01.lab.example and 2 more, 350 times; it found that of user%d.", i, i)
			for k := range 10 {
				a.Accounts = append(a.Accounts, detect.Party{Name: fmt.Sprintf("user%d", i*10+k), Domain: "LAB.EXAMPLE", Role: detect.Attacked, Key: fmt.Sprintf("user%d@lab.example", i*10+k)})
			}
			r.Alerts = append(r.Alerts, a)
		}
		write(b, s, r)
	}
	return s
}

func BenchmarkAlerts100k(b *testing.B) {
	const n = 100_000
	s := many(b, n)
	_, deep, _, err := s.Alerts(context.Background(), AlertFilter{Before: fmt.Sprintf("%d.z", micros(t0+n/2*second))})
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		filter AlertFilter
	}{
		{"first page", AlertFilter{}},
		{"page in the middle", AlertFilter{Before: deep}},
		{"open", AlertFilter{Status: []string{"open"}}},
		{"open and high", AlertFilter{Status: []string{"open"}, Severity: []string{"high"}}},
		{"high", AlertFilter{Severity: []string{"high"}}},
		{"one detection", AlertFilter{Detection: "detection-7"}},
		{"an hour of one detection", AlertFilter{Detection: "detection-7", From: t0 + 50_000*second, To: t0 + 53_600*second}},
		{"text found everywhere", AlertFilter{Text: "guessed"}},
		{"text found once", AlertFilter{Text: "ws77777.lab"}},
		{"text found nowhere", AlertFilter{Text: "nobody"}},
		{"text among open", AlertFilter{Status: []string{"open"}, Text: "ws100 user"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if _, _, _, err := s.Alerts(context.Background(), c.filter); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("one alert", func(b *testing.B) {
		i := 0
		for b.Loop() {
			if _, err := s.Alert(context.Background(), alarm(i*7919%n).ID); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
	b.Run("counts of open", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.OpenAlerts(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("counts of all", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.AlertCounts(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkWrite: what one entry of the log costs.
func BenchmarkWrite(b *testing.B) {
	for _, c := range []struct {
		name       string
		alerts     int
		activities int
	}{
		{"25 activities", 0, 25},
		{"1000 activities", 0, 1000},
		{"one alert of 25 activities", 1, 25},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := fresh(b)
			p := 0
			start := time.Now()
			for b.Loop() {
				p++
				r := &worker.Result{Position: uint64(p), Ingest: t0 + activity.Time(p)*second}
				for i := range c.activities {
					r.Activities = append(r.Activities, fact(p*c.activities+i))
				}
				for range c.alerts {
					r.Alerts = append(r.Alerts, alarm(p, r.Activities...))
				}
				write(b, s, r)
			}
			b.ReportMetric(float64(p*cmp.Or(c.activities, 1))/time.Since(start).Seconds(), "activities/s")
		})
	}
}

// BenchmarkGrowing: an alert that names a thousand activities takes in another.
func BenchmarkGrowing(b *testing.B) {
	s := fresh(b)
	var all []*activity.Activity
	for i := range 1000 {
		all = append(all, fact(i))
	}
	write(b, s, &worker.Result{Position: 1, Ingest: t0, Activities: all, Alerts: []*alert.Alert{alarm(1, all...)}})
	p := 1
	for b.Loop() {
		p++
		write(b, s, result(p, alarm(1, all...)))
	}
}
