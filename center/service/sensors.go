package service

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
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
		Authenticate: s.authenticate, Journal: s.journal, Sensors: known, TagKeys: s.tagKeys, Renew: s.renew,
		Health: s.health, Name: s.name, Changed: func(string) { s.api.NotifySensors() },
		Log: s.Log.With("part", "receiver"),
	})
	if err != nil {
		return err
	}
	for id := range known { // removed, but the center ended before its log knew
		v, err := s.store.Sensor(context.Background(), id)
		if errors.Is(err, store.ErrNotFound) || err == nil && v.Revoked {
			s.receiver.Disconnect(id)
		}
	}
	return nil
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
	if err != nil || v.Revoked || serial != v.Serial && serial != v.PreviousSerial {
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

// secret reads a secret of 32 bytes, or draws one and keeps it.
func secret(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		b = make([]byte, 32)
		rand.Read(b)
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the key of the password tags: %w", err)
	}
	if len(b) != 32 {
		return nil, fmt.Errorf("reading the key of the password tags: %s has %d bytes, not 32: move it away, and a new one is made", path, len(b))
	}
	return b, nil
}
