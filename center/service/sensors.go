package service

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/health"
	"github.com/verderer/verderer/center/ingest/receive"
	"github.com/verderer/verderer/center/pki"
	"github.com/verderer/verderer/center/store"
)

// saveEvery is how often sensors' figures are stored: what a restart forgets.
const saveEvery = 10 * time.Second

func (s *service) startReceiver() (err error) {
	known := make(map[string]receive.Known)
	for id, k := range s.worker.Sensors() {
		known[id] = receive.Known{Attached: k.Attached, Files: k.Files, Spool: k.Spool, Sequence: k.Sequence, Clock: k.Clock}
	}
	s.receiver, err = receive.New(receive.Config{
		Listen: s.Config.Sensors.Listen, TLS: s.authority.ServerTLS(), CAPool: s.authority.CAPool,
		Authenticate: s.authenticate, Journal: s.journal, Enrolled: s.enrolled, Sensors: known, TagKeys: s.tagKeys, Renew: s.renew,
		Health: s.health, Name: s.name, Changed: func(string) { s.api.NotifySensors() },
		Log: s.Log.With("part", "receiver"),
	})
	return err
}

// enrolled tells whether a sensor is enrolled, and whether to read files.
func (s *service) enrolled(id string) (files, ok bool) {
	v, err := s.store.Sensor(context.Background(), id)
	if err != nil {
		return false, false
	}
	return v.Files, !v.Revoked
}

func (s *service) sensors() map[string]receive.State {
	if s.receiver == nil {
		return nil
	}
	return s.receiver.States()
}

func (s *service) name(id string) string {
	v, err := s.store.Sensor(context.Background(), id)
	if err != nil {
		return id
	}
	return v.Name
}

var errRevoked = errors.New("the sensor was removed from the center: enroll it anew")

// authenticate tells whose certificate it is. The one before is good until the
// new one was used for the first time.
func (s *service) authenticate(cert *x509.Certificate) (id string, ok bool) {
	id, ok = pki.SensorID(cert)
	if !ok {
		return "", false
	}
	ctx, serial := context.Background(), pki.SerialText(cert.SerialNumber)
	v, err := s.store.Sensor(ctx, id)
	if err != nil || v.Revoked {
		return id, false
	}
	if serial != v.Serial && serial != v.PreviousSerial {
		s.replaced(v, serial)
		return id, false
	}
	if serial == v.Serial && v.PreviousSerial != "" {
		err := s.store.UpdateSensor(ctx, id, func(v *store.Sensor) error {
			v.PreviousSerial = ""
			return nil
		})
		if err != nil {
			s.Log.Warn("a sensor's old certificate stays valid", "sensor", id, "error", err)
		}
	}
	return id, true
}

const oldCertificate = "sensor-old-certificate"

// replaced tells people that a certificate is used which a newer one has taken
// the place of. Either its owner went back to a backup, or somebody else renewed
// with a stolen key and is now taken for the sensor.
func (s *service) replaced(v *store.Sensor, serial string) {
	s.health.Set(health.Issue{Kind: oldCertificate, Subject: v.ID, Severity: detect.High, Since: activity.Time(time.Now().UnixNano()),
		Text: fmt.Sprintf("Somebody connects as sensor %s with a certificate that was replaced by a newer one. Two computers hold its identity, "+
			"and the one with the newer certificate is taken for the sensor.", v.Name),
		Remedy: "If the sensor's state folder was restored from a backup, or its machine was cloned, enroll it anew. If not, its key was stolen: " +
			"delete the sensor here, enroll it anew, and look at what was stated in its name since the renewal in the audit log."})
	if _, told := s.told.LoadOrStore(v.ID+serial, true); told {
		return // it tries again every minute
	}
	s.audit(store.AuditEntry{Action: "oldCertificate", Object: v.ID, Detail: "serial number " + serial})
}

func (s *service) audit(e store.AuditEntry) {
	if err := s.store.Audit(context.Background(), e); err != nil {
		s.Log.Error("an entry of the audit log is lost", "action", e.Action, "object", e.Object, "error", err)
	}
}

// renew signs a sensor's new key. The certificate it uses now stays valid.
func (s *service) renew(id string, csr []byte) (wire.Renewed, error) {
	der, serial, expires, err := s.authority.SignSensor(csr, id)
	if err != nil {
		return wire.Renewed{}, err
	}
	err = s.store.UpdateSensor(context.Background(), id, func(v *store.Sensor) error {
		if v.Revoked {
			return errRevoked
		}
		if v.PreviousSerial == "" { // else the sensor asks again: it never used what it got
			v.PreviousSerial = v.Serial
		}
		v.Serial, v.CertExpires = serial, activity.Time(expires.UnixNano())
		return nil
	})
	if err != nil {
		return wire.Renewed{}, err
	}
	s.audit(store.AuditEntry{Action: "renewCertificate", Object: id, Detail: "serial number " + serial, OK: true})
	return wire.Renewed{Certificate: der, CA: s.authority.CADER()}, nil
}

// saveSensors stores what is known of sensors now.
func (s *service) saveSensors() error {
	var seen []store.Sensor
	for id, st := range s.sensors() {
		if st.LastSeen == 0 {
			continue
		}
		status, err := json.Marshal(st.Status)
		if err != nil {
			return err
		}
		seen = append(seen, store.Sensor{ID: id, Host: st.Hello.Host, OS: st.Hello.OS, Version: st.Hello.Version, Files: st.Files,
			LastSeen: st.LastSeen, FirstPacket: st.FirstPacket, FirstActivity: st.FirstActivity, Status: status})
	}
	return s.store.SawSensors(context.Background(), seen)
}

// tagKeys are the keys of today's password tags and of tomorrow's. The secret
// they come from stays here, so that a stolen sensor knows two days at most.
func (s *service) tagKeys() []wire.TagKey {
	var keys []wire.TagKey
	for _, ahead := range []int{0, 1} {
		day := time.Now().UTC().AddDate(0, 0, ahead).Format(time.DateOnly)
		m := hmac.New(sha256.New, s.tagRoot)
		m.Write([]byte("password tags of " + day))
		keys = append(keys, wire.TagKey{Day: day, Key: m.Sum(nil)})
	}
	return keys
}
