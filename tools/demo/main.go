// Demo starts a center and a sensor in a throwaway folder on free ports and
// replays recorded attacks through them: the whole product as it runs in
// earnest, but for the packets, whose times are moved to now.
//
//	demo [--once] RECORDING...
//
// It prints where the console is and the one-time set-up link, and replays once
// the first account exists. With --once it makes that account itself, waits for
// the alerts, prints them and ends.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/verderer/verderer/center/notify/table"
)

func main() {
	once := flag.Bool("once", false, "wait for the alerts, print them, and end")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, *once, flag.Args()); err != nil && ctx.Err() == nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, once bool, recordings []string) error {
	if len(recordings) == 0 {
		return fmt.Errorf("no recording to replay")
	}
	dir, err := os.MkdirTemp("", "verderer-demo")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	d := &demo{dir: dir, state: filepath.Join(dir, "sensor"), config: filepath.Join(dir, "verderer.yaml")}
	if err := d.configure(); err != nil {
		return err
	}
	center, err := d.serve(ctx)
	if err != nil {
		return err
	}
	defer center.stop()
	if err := d.enroll(ctx); err != nil {
		return err
	}
	if once {
		return d.once(ctx, recordings)
	}
	fmt.Printf("\nVerderer runs at  %s\nMake an account:  %s\n", d.url, d.setup)
	fmt.Printf("\nThe certificate is the center's own, so the browser will warn. Waiting for the account…\n")
	if err := d.accountMade(ctx); err != nil {
		return err
	}
	fmt.Printf("Replaying %d recordings of attacks, as fast as they happened. Ctrl-C ends the demo and removes everything.\n", len(recordings))
	sensor, err := d.replay(recordings, "--speed", "1", "--stay")
	if err != nil {
		return err
	}
	defer sensor.stop()
	select {
	case err := <-sensor.ended:
		return fmt.Errorf("the sensor ended (%v):\n%s", err, sensor.said)
	case err := <-center.ended:
		return fmt.Errorf("the center ended (%v):\n%s", err, center.said)
	case <-ctx.Done():
		fmt.Println("\nStopping.")
		return nil
	}
}

// demo is one throwaway installation.
type demo struct {
	dir    string
	config string
	state  string // of the sensor
	url    string
	setup  string // one-time link
	figure string // URL of the center's metrics
}

func (d *demo) configure() error {
	console, err := freePort()
	if err != nil {
		return err
	}
	sensors, err := freePort()
	if err != nil {
		return err
	}
	metrics, err := freePort()
	if err != nil {
		return err
	}
	d.url, d.figure = "https://"+console, "http://"+metrics+"/metrics"
	// Level low: recordings are squeezed in time, and nothing is learned yet.
	text := fmt.Sprintf("data: %s\nnames: [127.0.0.1]\nconsole: {listen: %q, url: %q}\nsensors: {listen: %q, address: %q}\n"+
		"metrics: {listen: %q}\ndetection: {level: low}\nlog: {level: warn}\n",
		filepath.Join(d.dir, "center"), console, d.url, sensors, sensors, metrics)
	return os.WriteFile(d.config, []byte(text), 0o600)
}

// freePort is an address on this machine that nobody listens on now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// serve starts the center and waits for its set-up link.
func (d *demo) serve(ctx context.Context) (*child, error) {
	c, err := start("./verderer", "serve", "--config", d.config)
	if err != nil {
		return nil, err
	}
	for {
		if d.setup = c.said.field("/setup#"); d.setup != "" {
			return c, nil
		}
		select {
		case err := <-c.ended:
			return nil, fmt.Errorf("the center ended (%v):\n%s", err, c.said)
		case <-ctx.Done():
			c.stop()
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// enroll gives the sensor its certificate, with a key from the center's command.
func (d *demo) enroll(ctx context.Context) error {
	out, err := command(ctx, "./verderer", "access-key", "new", "--config", d.config).CombinedOutput()
	if err != nil {
		return fmt.Errorf("making an access key: %w\n%s", err, out)
	}
	key := ""
	for _, f := range strings.Fields(string(out)) {
		if strings.HasPrefix(f, "vk1-") {
			key = f
		}
	}
	out, err = command(ctx, "./verderer-sensor", "enroll", "--state", d.state,
		"--center", d.url, "--key", key, "--name", "recordings", "--files").CombinedOutput()
	if err != nil {
		return fmt.Errorf("enrolling the sensor: %w\n%s", err, out)
	}
	return nil
}

// replay starts the sensor on the recordings.
func (d *demo) replay(recordings []string, more ...string) (*child, error) {
	args := append([]string{"run", "--state", d.state, "--shift-to-now"}, more...)
	for _, r := range recordings {
		args = append(args, "--read", r)
	}
	return start("./verderer-sensor", args...)
}

// once replays as fast as it goes and prints what the center found.
func (d *demo) once(ctx context.Context, recordings []string) error {
	c, err := d.login(ctx)
	if err != nil {
		return err
	}
	sensor, err := d.replay(recordings)
	if err != nil {
		return err
	}
	defer sensor.stop()
	select {
	case err := <-sensor.ended:
		if err != nil {
			return fmt.Errorf("replaying: %w\n%s", err, sensor.said)
		}
		sensor.ended <- nil
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := d.worked(ctx); err != nil {
		return err
	}
	alerts, err := c.alerts(ctx)
	if err != nil {
		return err
	}
	if missing := without(detections(recordings), alerts); len(missing) > 0 {
		return fmt.Errorf("everything was worked through, and there is no alert of %s", strings.Join(missing, ", "))
	}
	width, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		width = 0 // no terminal
	}
	if err := table.Write(os.Stdout, alerts, width); err != nil {
		return err
	}
	fmt.Printf("%d alerts from %d recordings, through sensor, log and center at %s.\n", len(alerts), len(recordings), d.url)
	return nil
}

// command is one of our programs, with nobody's settings but the demo's.
func command(ctx context.Context, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "VERDERER_") })
	return cmd
}

// child is a running program.
type child struct {
	cmd   *exec.Cmd
	said  *lastLines
	ended chan error
}

// start starts a program that Ctrl-C at the terminal does not reach: stop ends
// it, in order.
func start(path string, args ...string) (*child, error) {
	c := &child{command(context.Background(), path, args...), new(lastLines), make(chan error, 1)}
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.cmd.Stdout, c.cmd.Stderr = c.said, c.said
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", path, err)
	}
	go func() { c.ended <- c.cmd.Wait() }()
	return c, nil
}

// stop ends the program as a service manager would, and waits for it.
func (c *child) stop() {
	c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.ended:
	case <-time.After(15 * time.Second):
		c.cmd.Process.Kill()
	}
}
