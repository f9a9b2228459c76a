package store

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/uptrace/bun"

	"github.com/verderer/verderer/activity"
)

// AccessKey lets sensors enrol, as often as Uses says, until it expires.
type AccessKey struct {
	ID      string // lower-case letters and digits
	Note    string
	By      string // user name
	Created activity.Time
	Expires activity.Time
	Uses    int // how many sensors it may enrol
	Used    int // how many it has enrolled
}

type keyRow struct {
	bun.BaseModel `bun:"table:access_key"`

	ID      string `bun:",pk"`
	Hash    []byte
	Note    string
	Person  string
	Created int64
	Expires int64
	Uses    int
	Used    int
}

func (r *keyRow) key() AccessKey {
	return AccessKey{r.ID, r.Note, r.Person, nanos(r.Created), nanos(r.Expires), r.Uses, r.Used}
}

const (
	// keyIDBytes make the id of an access key: 8 characters, to tell some keys apart.
	keyIDBytes = 5
	// keptKeys is how long expired keys are still listed.
	keptKeys = 30 * 24 * time.Hour
)

// NewAccessKey makes a key with the Note, By, Expires and Uses of k. The secret
// is returned this once: only its hash is kept. Keys that expired a month ago
// are forgotten.
func (s *Store) NewAccessKey(ctx context.Context, k AccessKey) (secret string, made AccessKey, err error) {
	now := s.clock()
	if k.Uses < 1 || k.Expires <= now {
		return "", AccessKey{}, errors.New("making an access key: it needs at least one use, and to expire in the future")
	}
	secret = newSecret(secretBytes)
	row := keyRow{ID: newSecret(keyIDBytes), Hash: hashOf(secret), Note: cut(k.Note, activity.MaxText), Person: text(k.By),
		Created: micros(now), Expires: micros(k.Expires), Uses: k.Uses}
	err = s.change(ctx, synced, func(tx bun.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM access_key WHERE expires < ?", micros(now.Add(-keptKeys))); err != nil {
			return err
		}
		_, err := tx.NewInsert().Model(&row).Exec(ctx)
		return err
	})
	if err != nil {
		return "", AccessKey{}, s.explain("storing the access key", err)
	}
	return secret, row.key(), nil
}

// AccessKeys lists the keys, newest first, expired and used-up ones too.
func (s *Store) AccessKeys(ctx context.Context) ([]AccessKey, error) {
	var rows []keyRow
	if err := s.read.NewSelect().Model(&rows).OrderExpr("created DESC, id").Scan(ctx); err != nil {
		return nil, s.explain("listing access keys", err)
	}
	list := make([]AccessKey, 0, len(rows))
	for i := range rows {
		list = append(list, rows[i].key())
	}
	return list, nil
}

// DeleteAccessKey withdraws a key. ErrNotFound when there is none of that id.
func (s *Store) DeleteAccessKey(ctx context.Context, id string) error {
	err := s.change(ctx, synced, func(tx bun.Tx) error {
		r, err := tx.ExecContext(ctx, "DELETE FROM access_key WHERE id = ?", text(id))
		return one(r, err, ErrNotFound)
	})
	return s.explain("deleting access key "+strconv.Quote(id), err)
}

// UseAccessKey counts one use of a key. ErrAccessKey, and nothing is counted,
// when id or secret is wrong, or the key expired or used up: which, is not told.
func (s *Store) UseAccessKey(ctx context.Context, id, secret string) error {
	err := s.change(ctx, synced, func(tx bun.Tx) error {
		r, err := tx.ExecContext(ctx, "UPDATE access_key SET used = used + 1 WHERE id = ? AND hash = ? AND expires > ? AND used < uses",
			text(id), hashOf(secret), micros(s.clock()))
		return one(r, err, ErrAccessKey)
	})
	return s.explain("using an access key", err)
}

// Sensor is an enrolled sensor.
type Sensor struct {
	ID, Name, Host, OS, Version string
	Files                       bool // it reads files
	Enrolled                    activity.Time
	LastSeen                    activity.Time
	FirstPacket, FirstActivity  activity.Time
	Serial                      string // of its certificate
	PreviousSerial              string // of the one before, valid until the new one is used; or ""
	CertExpires                 activity.Time
	Revoked                     bool
	Status                      []byte // the last wire.Status, JSON; nil before the first
}

type sensorRow struct {
	bun.BaseModel `bun:"table:sensor"`

	ID             string `bun:",pk"`
	Name           string
	Host           string
	OS             string `bun:"os"`
	Version        string
	Files          bool
	Enrolled       int64
	LastSeen       int64
	FirstPacket    int64
	FirstActivity  int64
	Serial         string
	PreviousSerial string
	CertExpires    int64
	Revoked        bool
	Status         []byte
}

func (r *sensorRow) sensor() *Sensor {
	return &Sensor{ID: r.ID, Name: r.Name, Host: r.Host, OS: r.OS, Version: r.Version, Files: r.Files,
		Enrolled: nanos(r.Enrolled), LastSeen: nanos(r.LastSeen), FirstPacket: nanos(r.FirstPacket), FirstActivity: nanos(r.FirstActivity),
		Serial: r.Serial, PreviousSerial: r.PreviousSerial, CertExpires: nanos(r.CertExpires), Revoked: r.Revoked, Status: r.Status}
}

func rowOf(v *Sensor) *sensorRow {
	return &sensorRow{ID: text(v.ID), Name: cut(v.Name, maxName), Host: cut(v.Host, maxName), OS: cut(v.OS, maxName), Version: cut(v.Version, maxName),
		Files: v.Files, Enrolled: micros(v.Enrolled), LastSeen: micros(v.LastSeen), FirstPacket: micros(v.FirstPacket), FirstActivity: micros(v.FirstActivity),
		Serial: text(v.Serial), PreviousSerial: text(v.PreviousSerial), CertExpires: micros(v.CertExpires), Revoked: v.Revoked, Status: v.Status}
}

// AddSensor stores a sensor that has enrolled. ErrExists when its id is taken.
func (s *Store) AddSensor(ctx context.Context, v Sensor) error {
	err := s.change(ctx, synced, func(tx bun.Tx) error {
		_, err := tx.NewInsert().Model(rowOf(&v)).Exec(ctx)
		if duplicate(err) {
			return ErrExists
		}
		return err
	})
	return s.explain("adding sensor "+strconv.Quote(v.ID), err)
}

// Sensor reads one sensor. ErrNotFound when there is none of that id.
func (s *Store) Sensor(ctx context.Context, id string) (*Sensor, error) {
	var row sensorRow
	err := s.read.NewSelect().Model(&row).Where("id = ?", text(id)).Scan(ctx)
	if err = found(err); err != nil {
		return nil, s.explain("reading sensor "+strconv.Quote(id), err)
	}
	return row.sensor(), nil
}

// Sensors lists the sensors by name.
func (s *Store) Sensors(ctx context.Context) ([]Sensor, error) {
	var rows []sensorRow
	if err := s.read.NewSelect().Model(&rows).Order("name", "id").Scan(ctx); err != nil {
		return nil, s.explain("listing sensors", err)
	}
	list := make([]Sensor, 0, len(rows))
	for i := range rows {
		list = append(list, *rows[i].sensor())
	}
	return list, nil
}

// UpdateSensor reads a sensor, lets change alter it, and stores it, with
// nobody in between. An error of change leaves it as it was. Its id stays.
// ErrNotFound when there is none of that id.
func (s *Store) UpdateSensor(ctx context.Context, id string, change func(*Sensor) error) error {
	err := s.change(ctx, synced, func(tx bun.Tx) error {
		var row sensorRow
		if err := found(tx.NewSelect().Model(&row).Where("id = ?", text(id)).Scan(ctx)); err != nil {
			return err
		}
		v := row.sensor()
		if err := change(v); err != nil {
			return err
		}
		v.ID = row.ID
		_, err := tx.NewUpdate().Model(rowOf(v)).WherePK().Exec(ctx)
		return err
	})
	return s.explain("updating sensor "+strconv.Quote(id), err)
}

// SawSensors notes what sensors said of themselves: Host, OS, Version, LastSeen,
// FirstPacket, FirstActivity and Status; nothing else is touched, and nor is a
// time or Status that is zero. Of the first times the earliest stays. It does not wait for the disk: sensors
// say it again within seconds. Sensors that are not there are passed over.
func (s *Store) SawSensors(ctx context.Context, seen []Sensor) error {
	err := s.change(ctx, unsynced, func(tx bun.Tx) error {
		for i := range seen {
			r := rowOf(&seen[i])
			q := tx.NewUpdate().Model(r).WherePK().Set("host = ?host, os = ?os, version = ?version")
			if r.LastSeen != 0 {
				q.Set("last_seen = ?last_seen")
			}
			if r.FirstPacket != 0 {
				q.Set("first_packet = CASE WHEN first_packet BETWEEN 1 AND ?first_packet THEN first_packet ELSE ?first_packet END")
			}
			if r.FirstActivity != 0 {
				q.Set("first_activity = CASE WHEN first_activity BETWEEN 1 AND ?first_activity THEN first_activity ELSE ?first_activity END")
			}
			if r.Status != nil {
				q.Set("status = ?status")
			}
			if _, err := q.Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	return s.explain("storing how sensors are", err)
}

// DeleteSensor forgets a sensor. ErrNotFound when there is none of that id.
func (s *Store) DeleteSensor(ctx context.Context, id string) error {
	err := s.change(ctx, synced, func(tx bun.Tx) error {
		r, err := tx.ExecContext(ctx, "DELETE FROM sensor WHERE id = ?", text(id))
		return one(r, err, ErrNotFound)
	})
	return s.explain("deleting sensor "+strconv.Quote(id), err)
}
