package service

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// families are the center's figures, read as Prometheus reads them.
func (c *center) families() (map[string]*dto.MetricFamily, error) {
	res, err := (&http.Client{Timeout: 10 * time.Second}).Get(c.metrics + "/metrics")
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(res.Body)
		return nil, fmt.Errorf("metrics: %s: %.500s", res.Status, b)
	}
	p := expfmt.NewTextParser(model.UTF8Validation)
	return p.TextToMetricFamilies(res.Body)
}

// figure is one of the center's figures, summed over the series that have the
// labels, each "name=value".
func (c *center) figure(name string, labels ...string) float64 {
	c.t.Helper()
	all, err := c.families()
	if err != nil {
		c.t.Fatal(err)
	}
	sum := 0.0
	for _, m := range all[name].GetMetric() {
		var has []string
		for _, l := range m.GetLabel() {
			has = append(has, l.GetName()+"="+l.GetValue())
		}
		if !slices.ContainsFunc(labels, func(l string) bool { return !slices.Contains(has, l) }) {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue()
		}
	}
	return sum
}

// became is how many batches were stored, repeated, held, refused or lost since
// the center was started.
func (c *center) became(what string) int {
	c.t.Helper()
	return int(c.figure("verderer_batches_total", "became="+what))
}

// issue is an open health issue.
type issue struct{ Kind, Subject, Severity, Text, Remedy string }

// wrong finds an open health issue of a kind.
func (c *center) wrong(kind string) (i issue, open bool) {
	c.t.Helper()
	var report struct{ Issues []issue }
	c.must("GET", "health", nil, &report)
	n := slices.IndexFunc(report.Issues, func(i issue) bool { return i.Kind == kind })
	if n < 0 {
		return issue{}, false
	}
	return report.Issues[n], true
}

// listed is a sensor as the console shows it.
type listed struct {
	ID, Name, State, StateText string
	Activities, SpoolBatches   int64
	SkewSeconds                float64
}

// sensorOf is how the center shows a sensor.
func (c *center) sensorOf(id string) (l listed) {
	c.t.Helper()
	c.must("GET", "sensors/"+id, nil, &l)
	return l
}

// audited is a line of the audit log.
type audited struct {
	User, Action, Object, Detail string
	OK                           bool
}

// audit is the audit log, newest first.
func (c *center) audit() []audited {
	c.t.Helper()
	var log struct{ Entries []audited }
	c.must("GET", "audit", nil, &log)
	return log.Entries
}

// TestFigures: what the center counts can be read by Prometheus, and the series
// that an operator watches are there.
func TestFigures(t *testing.T) {
	t.Parallel()
	c := newCenter(t, "", "")
	c.start()
	c.login()
	inputs := recordings(t)
	s := c.enroll("--files")
	if code, out := s.run(read(inputs)...); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	c.shows(offline(t, inputs))
	all, err := c.families()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"verderer_counter_total", "verderer_sensor_counter_total", "verderer_sensor_connected", "verderer_sensor_attached",
		"verderer_sensor_packets_total", "verderer_sensor_dropped_packets_total", "verderer_sensor_spool_bytes",
		"verderer_journal_entries_total", "verderer_journal_stored_bytes", "verderer_journal_behind_entries", "verderer_worker_lag_seconds",
		"verderer_batches_total", "verderer_connections_refused_total", "verderer_alerts_open", "verderer_health_issues",
		"go_goroutines", "process_resident_memory_bytes",
	} {
		if f := all[name]; len(f.GetMetric()) == 0 {
			t.Errorf("there is no %s", name)
		} else if f.GetHelp() == "" {
			t.Errorf("%s does not say what it is", name)
		}
	}
	var open struct{ Alerts []struct{ ID string } }
	c.must("GET", "alerts?status=open&limit=200", nil, &open)
	if got := c.figure("verderer_alerts_open"); int(got) != len(open.Alerts) {
		t.Errorf("%v open alerts, and the API lists %d", got, len(open.Alerts))
	}
	if c.became("stored") == 0 || c.became("refused")+c.became("lost")+c.became("held") != 0 {
		t.Error("batches are not counted as what became of them")
	}
	if got := c.figure("verderer_sensor_packets_total"); got == 0 {
		t.Error("no packets are counted")
	}
}
