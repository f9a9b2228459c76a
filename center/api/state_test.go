package api_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/center/api"
	"github.com/verderer/verderer/center/ingest/receive"
	"github.com/verderer/verderer/center/store"
)

func ago(d time.Duration) activity.Time { return t0.Add(-d) }

func TestSensorState(t *testing.T) {
	live := wire.Status{Now: ago(time.Second), Sources: []string{"interface eth0"}, Packets: 10, Activities: 3, Clock: ago(time.Second)}
	quiet := wire.Status{Now: ago(time.Second), Sources: []string{"interface eth0"}}
	lossy := live
	lossy.Dropped, lossy.Spool.Lost = 7, 1
	backlog := live
	backlog.Spool.Batches, backlog.Clock = 400, ago(3*time.Hour)
	full := live
	full.Spool = wire.SpoolStatus{Batches: 12, Bytes: 30, Limit: 1000}
	done := wire.Status{Now: ago(time.Hour), Sources: []string{"3 files"}, Done: true, Packets: 1, Events: 5}
	sending := done
	sending.Spool.Batches = 2
	stored, err := json.Marshal(done)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name  string
		row   store.Sensor
		state receive.State
		want  api.SensorState
		says  []string
	}{
		{"just enrolled", store.Sensor{}, receive.State{}, api.SensorNever,
			[]string{"has not connected yet", "dc1", "systemctl start", "center:8444"}},
		{"works", store.Sensor{}, receive.State{LastSeen: ago(time.Second), Status: live}, api.SensorWorking, []string{"It works."}},
		{"just within its time", store.Sensor{}, receive.State{LastSeen: ago(15*time.Second - 1), Status: live}, api.SensorWorking, []string{"It works."}},
		{"just out of it", store.Sensor{}, receive.State{LastSeen: ago(15 * time.Second), Status: live}, api.SensorSilent,
			[]string{"for 15 seconds", "systemctl status", "dc1", "center:8444"}},
		{"silent, center restarted", store.Sensor{LastSeen: ago(72 * time.Hour)}, receive.State{}, api.SensorSilent, []string{"for 3 days"}},
		{"silent wins over all", store.Sensor{}, receive.State{LastSeen: ago(time.Hour), Ahead: true, Behind: true, Holding: true}, api.SensorSilent, []string{"for 60 minutes"}},
		{"no packet", store.Sensor{}, receive.State{LastSeen: ago(time.Second), Status: quiet}, api.SensorWorking,
			[]string{"no packet", "interface eth0"}},
		{"drops", store.Sensor{}, receive.State{LastSeen: ago(time.Second), Status: lossy}, api.SensorWorking,
			[]string{"It works.", "dropped 7 packets", "1 batch went because the spool was full"}},
		{"refused", store.Sensor{}, receive.State{LastSeen: ago(time.Second), Status: live, Refused: 2, RefusedWhy: "too large"}, api.SensorWorking,
			[]string{"2 batches will not be taken: too large."}},
		{"clock ahead", store.Sensor{}, receive.State{LastSeen: ago(time.Second), Status: live, Ahead: true, Behind: true, Skew: 10 * time.Minute}, api.SensorAhead,
			[]string{"10 minutes ahead", "Set the clock of dc1"}},
		{"clock behind", store.Sensor{}, receive.State{LastSeen: ago(time.Second), Status: live, Behind: true, Holding: true, Skew: -40 * time.Second}, api.SensorBehind,
			[]string{"40 seconds behind", "Set the clock of dc1"}},
		{"backlog", store.Sensor{}, receive.State{LastSeen: ago(time.Second), Status: backlog, Clock: ago(3 * time.Hour), Behind: true}, api.SensorBehind,
			[]string{"3 hours behind", "400 batches", "needs nothing but time"}},
		{"held", store.Sensor{}, receive.State{LastSeen: ago(time.Second), Status: full, Holding: true, HoldWhy: "the disk is full"}, api.SensorHolding,
			[]string{"(the disk is full)", "12 batches, 3% of its spool"}},
		{"reads files", store.Sensor{Files: true}, receive.State{LastSeen: ago(time.Second), Files: true, Status: wire.Status{Now: 1, Sources: []string{"3 files"}}}, api.SensorFiles,
			[]string{"It reads 3 files."}},
		{"has read them", store.Sensor{Files: true}, receive.State{LastSeen: ago(time.Hour), Files: true, Status: done}, api.SensorDone,
			[]string{"1 packet, 5 events"}},
		{"has read them, before the center restarted", store.Sensor{Files: true, LastSeen: ago(time.Hour), Status: stored}, receive.State{}, api.SensorDone,
			[]string{"1 packet, 5 events"}},
		{"has read them, and not sent all", store.Sensor{Files: true}, receive.State{LastSeen: ago(time.Second), Files: true, Status: sending}, api.SensorFiles, nil},
		{"went away before it had sent all", store.Sensor{Files: true}, receive.State{LastSeen: ago(time.Hour), Files: true, Status: sending}, api.SensorSilent, nil},
		{"a status that cannot be read", store.Sensor{LastSeen: ago(time.Hour), Status: []byte("{")}, receive.State{}, api.SensorSilent, nil},
	} {
		t.Run(x.name, func(t *testing.T) {
			x.row.ID, x.row.Name, x.row.Host = "s1", "DC 1", "dc1"
			got := api.SensorOf(&x.row, x.state, t0)
			if got.State != x.want {
				t.Errorf("state %s, want %s (%s)", got.State, x.want, got.StateText)
			}
			for _, want := range x.says {
				if !strings.Contains(got.StateText, want) {
					t.Errorf("%q does not say %q", got.StateText, want)
				}
			}
			if got.Sources == nil || got.Counters == nil {
				t.Error("a list is null")
			}
			if got.StateText == "" || strings.Contains(got.StateText, "%!") || strings.Contains(got.StateText, "  ") {
				t.Errorf("text %q", got.StateText)
			}
		})
	}
}

func TestSensorNumbers(t *testing.T) {
	row := store.Sensor{ID: "s1", Host: "old", LastSeen: ago(time.Hour), FirstPacket: ago(2 * time.Hour)}
	status := wire.Status{Now: ago(0), Packets: 5, Memory: 9, Spool: wire.SpoolStatus{Batches: 1, Bytes: 2, Limit: 3, Lost: 4}}
	got := api.SensorOf(&row, receive.State{
		Hello: wire.Hello{Host: "new", OS: "linux/amd64", Version: "2"}, Status: status, LastSeen: ago(time.Second),
		Clock: ago(30 * time.Second), Skew: -2 * time.Second, FirstPacket: ago(time.Minute), FirstActivity: ago(time.Minute),
	}, t0)
	if got.Host != "new" || got.Version != "2" || got.LagSeconds != 30 || got.SkewSeconds != -2 || got.FirstPacket != row.FirstPacket ||
		got.FirstActivity != ago(time.Minute) || got.LastSeen != ago(time.Second) || got.Packets != 5 || got.Memory != 9 ||
		got.SpoolBatches != 1 || got.SpoolBytes != 2 || got.SpoolLimit != 3 || got.SpoolLost != 4 {
		t.Errorf("%+v", got)
	}
	// Files have a time of their own, which is behind nothing.
	row.Files = true
	if got := api.SensorOf(&row, receive.State{Clock: ago(1000 * time.Hour)}, t0); got.LagSeconds != 0 {
		t.Errorf("lag %v", got.LagSeconds)
	}
}

func TestChecklist(t *testing.T) {
	enrolled := api.Sensor{Name: "DC 1", Enrolled: ago(4 * time.Hour), State: api.SensorNever, StateText: "Start it."}
	heard := enrolled
	heard.LastSeen, heard.State, heard.StateText = ago(time.Second), api.SensorWorking, "No packet."
	packet := heard
	packet.FirstPacket = ago(3 * time.Hour)
	all := packet
	all.FirstActivity = ago(2 * time.Hour)
	for _, x := range []struct {
		name    string
		account activity.Time
		sensors []api.Sensor
		done    string // ids
		hint    string // of the first step that is not done
	}{
		{"nothing", 0, nil, "", "set-up link"},
		{"account", ago(5 * time.Hour), nil, "account", "domain controller"},
		{"enrolled", ago(5 * time.Hour), []api.Sensor{enrolled}, "account", "DC 1: Start it."},
		{"heard of", ago(5 * time.Hour), []api.Sensor{heard}, "account sensor", "DC 1: No packet."},
		{"packet", ago(5 * time.Hour), []api.Sensor{packet, enrolled}, "account sensor packet", "Log on"},
		{"all", ago(5 * time.Hour), []api.Sensor{enrolled, all}, "account sensor packet activity", ""},
	} {
		c := api.ChecklistOf(x.account, x.sensors)
		var done []string
		hint := ""
		for _, s := range c.Steps {
			if s.Done != (s.At != 0) || s.Title == "" || s.Hint == "" {
				t.Errorf("%s: %+v", x.name, s)
			}
			if s.Done {
				done = append(done, s.ID)
			} else if hint == "" {
				hint = s.Hint
			}
		}
		if got := strings.Join(done, " "); got != x.done || c.Done != (len(done) == 4) {
			t.Errorf("%s: done %q, %v", x.name, got, c.Done)
		}
		if !strings.Contains(hint, x.hint) {
			t.Errorf("%s: hint %q, want %q", x.name, hint, x.hint)
		}
	}
}
