// Command verderer-sensor watches the traffic of domain controllers and sends
// what it states of it to a center.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/verderer/verderer/names"
	"github.com/verderer/verderer/sensor/ship"
	"github.com/verderer/verderer/version"
)

// Exit codes that scripts rely on.
const (
	exitDone  = 0
	exitError = 1
	exitUsage = 2
)

// configFile is read where it exists: for services, whose command line is
// somebody else's.
const configFile = "/etc/verderer-sensor.yaml"

type commands struct {
	State  string          `default:"${state}" env:"VERDERER_SENSOR_STATE" placeholder:"FOLDER" help:"Folder for the sensor's identity and its spool (default: ${state})."`
	Config kong.ConfigFlag `placeholder:"FILE" help:"YAML file with options by their long names; ${config} is read where it exists. The command line and the environment come first."`

	Enroll  enrollCommand  `cmd:"" help:"Enrol this sensor at a center."`
	Run     runCommand     `cmd:"" help:"Capture, or read files, and send to the center."`
	Check   checkCommand   `cmd:"" help:"Try the way to the center, or look at a mirror port."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

// usageError is an error of the caller's: exit code 2.
type usageError struct{ error }

func main() {
	var c commands
	parser := kong.Must(&c,
		kong.Name("verderer-sensor"),
		kong.Description("Watches the traffic of domain controllers for a Verderer center."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Vars{"state": ship.DefaultState(), "config": configFile},
		kong.Configuration(loadConfig, configFile),
	)
	ctx, err := parser.Parse(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "verderer-sensor: %v\nTry 'verderer-sensor --help'.\n", err)
		os.Exit(exitUsage)
	}
	stop, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	ctx.BindTo(stop, (*context.Context)(nil))
	code := exitDone
	if err := ctx.Run(&c); err != nil {
		fmt.Fprintf(os.Stderr, "verderer-sensor: %s\n", names.Display(err.Error()))
		code = exitError
		var usage usageError
		if errors.As(err, &usage) {
			code = exitUsage
		}
	}
	os.Exit(code)
}

// identity opens that of the state folder.
func (c *commands) identity() (*ship.Identity, error) {
	id, err := ship.OpenIdentity(c.State)
	if errors.Is(err, ship.ErrNotEnrolled) {
		return nil, fmt.Errorf("this sensor is not enrolled (no identity in %s). In the console, under Sensors, make an access key; then run: verderer-sensor enroll --center https://HOST:8443 --key KEY", c.State)
	}
	return id, err
}

type versionCommand struct{}

func (versionCommand) Run() error {
	fmt.Println("verderer-sensor", version.String())
	return nil
}
