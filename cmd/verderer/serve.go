package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/analyze"
	"github.com/verderer/verderer/center/api"
	"github.com/verderer/verderer/center/config"
	"github.com/verderer/verderer/center/detect/all"
	"github.com/verderer/verderer/center/pki"
	"github.com/verderer/verderer/center/service"
	"github.com/verderer/verderer/center/store"
	"github.com/verderer/verderer/version"
)

// configured reads the configuration that --config names.
type configured struct {
	Config string `placeholder:"FILE" help:"Configuration (default: ${config} if it is there). Environment variables VERDERER_* win over it."`
}

// defaultConfig is where a package installs the configuration.
const defaultConfig = "/etc/verderer/verderer.yaml"

func (c *configured) load() (*config.Config, error) {
	path := c.Config
	if path == "" {
		if _, err := os.Stat(defaultConfig); err == nil {
			path = defaultConfig
		}
	}
	cfg, err := config.Load(path, os.Environ())
	if err != nil {
		return nil, &analyze.UsageError{Err: err}
	}
	return cfg, nil
}

// open opens the database of a center that was started before.
func (c *configured) open() (*config.Config, *store.Store, error) {
	cfg, err := c.load()
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join(cfg.Data, "verderer.db")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("there is no center in %s yet: start it once with verderer serve", cfg.Data)
	}
	st, err := store.Open(path)
	return cfg, st, err
}

func detectionIDs() []string {
	var ids []string
	for _, d := range all.Definitions {
		ids = append(ids, d.ID)
	}
	return ids
}

type serveCommand struct{ configured }

func (c *serveCommand) Run(ctx context.Context) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if err := cfg.Check(detectionIDs()); err != nil {
		return &analyze.UsageError{Err: err}
	}
	return service.Run(ctx, service.Options{
		Config: cfg, Definitions: all.Definitions, Version: version.String(), Log: logger(cfg, os.Stderr),
		Ready: func(r service.Ready) {
			fmt.Printf("Console: %s\n", r.Console)
			if r.Setup != "" {
				fmt.Printf("There is no account yet. Make the first one within 24 hours, with this link, which works once:\n%s\n", r.Setup)
			}
		},
	})
}

func logger(cfg *config.Config, w io.Writer) *slog.Logger {
	var level slog.Level
	level.UnmarshalText([]byte(cfg.Log.Level)) // Load has checked it
	o := &slog.HandlerOptions{Level: level}
	if cfg.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

type configCommand struct {
	Check configCheckCommand `cmd:"" help:"Read the configuration, tell what is wrong with it, and change nothing."`
}

type configCheckCommand struct{ configured }

func (c *configCheckCommand) Run() error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if err := cfg.Check(detectionIDs()); err != nil {
		return &analyze.UsageError{Err: err}
	}
	fmt.Printf("The configuration is good.\n  data     %s\n  console  %s\n  sensors  %s\n", cfg.Data, cfg.ConsoleURL(), cfg.SensorAddress())
	return nil
}

type accessKeyCommand struct {
	New accessKeyNewCommand `cmd:"" help:"Make a key that enrolls sensors, and show it, once."`
}

type accessKeyNewCommand struct {
	configured
	Uses  int    `default:"1" help:"How many sensors it may enroll."`
	Hours int    `default:"24" help:"How long it is good."`
	Note  string `help:"What it is for."`
}

func (c *accessKeyNewCommand) Run(ctx context.Context) error {
	if c.Uses < 1 || c.Uses > 1000 || c.Hours < 1 || c.Hours > 720 {
		return &analyze.UsageError{Err: errors.New("want 1 to 1000 uses and 1 to 720 hours")}
	}
	cfg, st, err := c.open()
	if err != nil {
		return err
	}
	defer st.Close()
	// Nothing is written there: it may be root who asks, and the center must read it.
	fingerprint, err := pki.CAFingerprint(filepath.Join(cfg.Data, "pki"))
	if err != nil {
		return err
	}
	now := time.Now()
	secret, k, err := st.NewAccessKey(ctx, store.AccessKey{
		Note: c.Note, By: api.CommandLine, Uses: c.Uses,
		Created: activity.Time(now.UnixNano()), Expires: activity.Time(now.Add(time.Duration(c.Hours) * time.Hour).UnixNano()),
	})
	if err != nil {
		return err
	}
	if err := st.Audit(ctx, store.AuditEntry{User: api.CommandLine, Action: "createAccessKey", Object: k.ID, Detail: c.Note, OK: true}); err != nil {
		return err
	}
	shown := api.Show(k, secret, fingerprint, cfg.ConsoleURL())
	fmt.Printf("Access key, shown only now, good until %s for %d:\n%s\n\nOn the domain controller:\n%s\n",
		k.Expires.Go().Format("2006-01-02 15:04 MST"), c.Uses, shown.Key, shown.Command)
	return nil
}
