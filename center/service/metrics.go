package service

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/verderer/verderer/center/detect"
)

// metrics serves the figures, on a port of its own, which only this machine
// reaches unless somebody configures it otherwise.
func (s *service) metrics() *http.Server {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), figures{s})
	s.api.Metrics(reg)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", s.api.Handler().ServeHTTP)
	return &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("verderer_"+name, help, labels, nil)
}

var (
	counted        = describe("counter_total", "What stages of the center saw, dropped and did not understand.", "stage", "name")
	sensorCounted  = describe("sensor_counter_total", "The same of a sensor's stages.", "sensor", "stage", "name")
	sensorUp       = describe("sensor_connected", "1 while the sensor is connected.", "sensor")
	sensorAttached = describe("sensor_attached", "1 while the log waits for the sensor.", "sensor")
	sensorLag      = describe("sensor_lag_seconds", "How far what the sensor states is behind.", "sensor")
	sensorPackets  = describe("sensor_packets_total", "Packets the sensor read.", "sensor")
	sensorDropped  = describe("sensor_dropped_packets_total", "Packets the sensor's kernel dropped.", "sensor")
	sensorSpooled  = describe("sensor_spool_bytes", "What waits in the sensor's spool.", "sensor")
	journalEntries = describe("journal_entries_total", "Entries appended to the ingest log since the start.")
	journalBytes   = describe("journal_stored_bytes", "What the ingest log has on disk.")
	journalBehind  = describe("journal_behind_entries", "Entries of the ingest log that were not worked through yet.")
	workerLag      = describe("worker_lag_seconds", "From storing the last entry to its alerts being stored.")
	batches        = describe("batches_total", "Batches by what became of them.", "became")
	refusals       = describe("connections_refused_total", "Connections of sensors refused: no valid certificate, or too many.")
	openAlerts     = describe("alerts_open", "Open alerts.", "severity")
	issues         = describe("health_issues", "Open health issues.", "severity")
)

// figures collects at the time of asking.
type figures struct{ s *service }

// Describe implements prometheus.Collector. Which series there are is found
// out at each collection.
func (figures) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (f figures) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	total := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	for _, r := range f.s.worker.Counters() {
		total(counted, float64(r.Count), r.Stage, r.Name)
	}
	j := f.s.journal.Stats()
	total(journalEntries, float64(j.Entries))
	gauge(journalBytes, float64(j.Stored))
	w := f.s.worker.Stats()
	gauge(journalBehind, float64(j.Last-min(j.Last, w.Position)))
	gauge(workerLag, time.Duration(f.s.lag.Load()).Seconds())
	now := f.s.journal.Now()
	for id, st := range f.s.sensors() {
		gauge(sensorUp, truth(st.Connected), id)
		gauge(sensorAttached, truth(st.Attached), id)
		if st.Clock != 0 && !st.Files {
			gauge(sensorLag, now.Sub(st.Clock).Seconds(), id)
		}
		total(sensorPackets, float64(st.Status.Packets), id)
		total(sensorDropped, float64(st.Status.Dropped), id)
		gauge(sensorSpooled, float64(st.Status.Spool.Bytes), id)
		for _, r := range st.Status.Counters {
			total(sensorCounted, float64(r.Count), id, r.Stage, r.Name)
		}
	}
	for became, n := range f.batches() {
		total(batches, float64(n), became)
	}
	if f.s.receiver != nil {
		total(refusals, float64(f.s.receiver.Stats().Refusals))
	}
	open := make(map[detect.Severity]int)
	byDetection, err := f.s.store.OpenAlerts(context.Background())
	if err != nil {
		ch <- prometheus.NewInvalidMetric(openAlerts, err)
	}
	for _, m := range byDetection {
		for sev, n := range m {
			open[sev] += n
		}
	}
	wrong := make(map[detect.Severity]int)
	for _, i := range f.s.health.Issues() {
		wrong[i.Severity]++
	}
	for _, sev := range []detect.Severity{detect.High, detect.Medium, detect.Low} {
		gauge(openAlerts, float64(open[sev]), string(sev))
		gauge(issues, float64(wrong[sev]), string(sev))
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// batches counts those of all sensors by what became of them.
func (f figures) batches() map[string]int64 {
	if f.s.receiver == nil {
		return nil
	}
	st := f.s.receiver.Stats()
	n := map[string]int64{"stored": st.Accepted, "repeated": st.Repeated, "lost": st.Lost, "refused": 0, "held": 0}
	for _, m := range st.Refused {
		n["refused"] += m
	}
	for _, m := range st.Held {
		n["held"] += m
	}
	return n
}
