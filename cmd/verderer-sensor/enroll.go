package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/verderer/verderer/sensor/ship"
	"github.com/verderer/verderer/version"
)

// maxKeyFile caps what is read of a file with an access key.
const maxKeyFile = 4096

type enrollCommand struct {
	Center  string `required:"" env:"VERDERER_CENTER" placeholder:"URL" help:"The center's address, as in https://center.example:8443."`
	Key     string `xor:"key" env:"VERDERER_ACCESS_KEY" help:"Access key, from the console under Sensors. Other users of this computer may see it while this runs; see --key-file."`
	KeyFile string `xor:"key" placeholder:"FILE" help:"File that holds the access key; - is standard input."`
	Name    string `placeholder:"NAME" help:"What people call this sensor (default: this computer's name)."`
	Files   bool   `help:"This sensor will read files and capture nothing."`
	Force   bool   `help:"Replace the identity that this sensor has."`
}

func (e *enrollCommand) Run(ctx context.Context, c *commands) error {
	key := e.Key
	if e.KeyFile != "" {
		var err error
		if key, err = readKey(e.KeyFile); err != nil {
			return fmt.Errorf("reading access key: %w", err)
		}
	}
	if key == "" {
		return usageError{errors.New("an access key is needed: --key or --key-file")}
	}
	id, err := ship.Enrol(ctx, ship.Enrolment{State: c.State, Center: e.Center, Key: key, Name: e.Name,
		Files: e.Files, Force: e.Force, Version: version.String()})
	if errors.Is(err, ship.ErrEnrolled) {
		return fmt.Errorf("this sensor is enrolled already (see %s): --force replaces its identity", c.State)
	}
	if err != nil {
		return fmt.Errorf("enrolling: %w", err)
	}
	fmt.Printf("Enrolled as %s (sensor %s). The center takes what it sends at %s.\n", id.Name, id.ID, id.Address)
	return nil
}

// readKey reads the file of an access key.
func readKey(path string) (string, error) {
	f := os.Stdin
	if path != "-" {
		var err error
		if f, err = os.Open(path); err != nil {
			return "", err
		}
		defer f.Close()
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	return string(b), err
}
