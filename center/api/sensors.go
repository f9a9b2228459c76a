package api

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/center/pki"
	"github.com/verderer/verderer/center/store"
)

var errNoSensor = refuse(http.StatusNotFound, "not-found", "There is no such sensor.")

// sensors lists those that were not revoked, by name.
func (s *Server) sensors(ctx context.Context) ([]Sensor, error) {
	rows, err := s.cfg.Store.Sensors(ctx)
	if err != nil {
		return nil, err
	}
	states, now := s.cfg.Sensors(), s.now()
	list := make([]Sensor, 0, len(rows))
	for i := range rows {
		if rows[i].Revoked {
			continue
		}
		list = append(list, sensor(&rows[i], states[rows[i].ID], now, s.cfg.SensorAddress))
	}
	slices.SortFunc(list, func(a, b Sensor) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	return list, nil
}

func (s *Server) listSensors(ctx context.Context, _ *none) (*body[SensorList], error) {
	list, err := s.sensors(ctx)
	return &body[SensorList]{SensorList{list}}, err
}

func (s *Server) getSensor(ctx context.Context, in *withID) (*body[Sensor], error) {
	row, err := s.cfg.Store.Sensor(ctx, in.ID)
	if errors.Is(err, store.ErrNotFound) || err == nil && row.Revoked {
		return nil, errNoSensor
	}
	if err != nil {
		return nil, err
	}
	return &body[Sensor]{sensor(row, s.cfg.Sensors()[in.ID], s.now(), s.cfg.SensorAddress)}, nil
}

func (s *Server) revokeSensor(ctx context.Context, in *withID) (*none, error) {
	row, err := s.cfg.Store.Sensor(ctx, in.ID)
	if errors.Is(err, store.ErrNotFound) || err == nil && row.Revoked {
		return nil, errNoSensor
	}
	if err != nil {
		return nil, err
	}
	// The row stays: its certificate is known, and known to be worth nothing.
	err = s.cfg.Store.UpdateSensor(ctx, in.ID, func(v *store.Sensor) error { v.Revoked = true; return nil })
	if err != nil {
		return nil, err
	}
	s.cfg.Disconnect(in.ID)
	s.done(ctx, "revokeSensor", in.ID, row.Name)
	s.NotifySensors()
	return nil, nil
}

func (s *Server) listAccessKeys(ctx context.Context, _ *none) (*body[AccessKeyList], error) {
	keys, err := s.cfg.Store.AccessKeys(ctx)
	if err != nil {
		return nil, err
	}
	list := AccessKeyList{AccessKeys: make([]AccessKey, 0, len(keys))}
	for _, k := range keys {
		list.AccessKeys = append(list.AccessKeys, AccessKey(k))
	}
	return &body[AccessKeyList]{list}, nil
}

func (s *Server) createAccessKey(ctx context.Context, in *body[NewAccessKey]) (*body[ShownAccessKey], error) {
	now := s.now()
	secret, k, err := s.cfg.Store.NewAccessKey(ctx, store.AccessKey{
		Note: strings.TrimSpace(in.Body.Note), By: callerOf(ctx).name(), Created: now,
		Expires: now.Add(time.Duration(in.Body.Hours) * time.Hour), Uses: in.Body.Uses,
	})
	if err != nil {
		return nil, err
	}
	s.done(ctx, "createAccessKey", k.ID, k.Note)
	return &body[ShownAccessKey]{Show(k, secret, s.cfg.Fingerprint, s.cfg.ConsoleURL)}, nil
}

// Show is a new key as it is shown, once: whole, and in the command that uses it.
func Show(k store.AccessKey, secret, fingerprint, consoleURL string) ShownAccessKey {
	key := strings.Join([]string{keyVersion, k.ID, secret, fingerprint}, "-")
	return ShownAccessKey{AccessKey: AccessKey(k), Key: key,
		Command: "verderer-sensor enroll --center " + consoleURL + " --key " + key}
}

func (s *Server) deleteAccessKey(ctx context.Context, in *withID) (*none, error) {
	err := s.cfg.Store.DeleteAccessKey(ctx, in.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, refuse(http.StatusNotFound, "not-found", "There is no such access key.")
	}
	if err != nil {
		return nil, err
	}
	s.done(ctx, "deleteAccessKey", in.ID, "")
	return nil, nil
}

// keyVersion begins every access key: vk1-ID-SECRET-FINGERPRINT.
const keyVersion = "vk1"

var errAccessKey = refuse(http.StatusForbidden, "access-key", "This access key is wrong, expired or used up. Make a new one in the console, under Sensors.")

// enrol makes a sensor of whoever shows an access key.
func (s *Server) enrol(ctx context.Context, in *body[wire.Enrolment]) (*body[wire.Enrolled], error) {
	c, e := callerOf(ctx), &in.Body
	if !s.enrolling.allow(c.address) {
		return nil, errTooMany
	}
	parts := strings.Split(e.Key, "-")
	if len(parts) != 4 || parts[0] != keyVersion {
		return nil, errAccessKey
	}
	if err := checkSensorName(e.Name); err != nil {
		return nil, err
	}
	// Before the key is used: a request that cannot be signed costs it nothing.
	if err := pki.CheckRequest(e.CSR); err != nil {
		return nil, refuse(http.StatusUnprocessableEntity, "csr", "The certificate request cannot be read, or its key is not ECDSA on P-256 or P-384, or Ed25519.")
	}
	err := s.cfg.Store.UseAccessKey(ctx, parts[1], parts[2])
	if errors.Is(err, store.ErrAccessKey) {
		s.stranger(ctx, "enrol", "wrong, expired or used up access key, from "+c.address)
		return nil, errAccessKey
	}
	if err != nil {
		return nil, err
	}
	id := newSensorID()
	certificate, serial, expires, err := s.cfg.SignSensor(e.CSR, id)
	if err != nil {
		return nil, err
	}
	now := s.now()
	err = s.cfg.Store.AddSensor(ctx, store.Sensor{ID: id, Name: e.Name, Host: e.Name, OS: e.OS, Version: e.Version, Files: e.Files,
		Enrolled: now, Serial: serial, CertExpires: activity.Time(expires.UnixNano())})
	if err != nil {
		return nil, err
	}
	s.audit(ctx, store.AuditEntry{Action: "enrol", Object: id, Detail: e.Name + " by access key " + parts[1] + ", from " + c.address, OK: true})
	s.NotifySensors()
	return &body[wire.Enrolled]{wire.Enrolled{ID: id, Certificate: certificate, CA: s.cfg.CA, Address: s.cfg.SensorAddress}}, nil
}

// newSensorID draws one: 60 bits, so that two never meet.
func newSensorID() string { return "s" + strings.ToLower(rand.Text()[:12]) }
