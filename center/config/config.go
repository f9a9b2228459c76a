// Package config reads the center's settings: defaults, then a YAML file, then
// environment variables, the later over the earlier. The settings, their
// defaults and what they may be are stated once, in the tags of Config; the
// reference and the example file are generated from there.
package config

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/detect"
)

// DefaultPath is the file that is read when none is named. It need not be there.
const DefaultPath = "/etc/verderer/verderer.yaml"

// Config is every setting of the center. Its tags: koanf the key, default as
// text, one of the allowed words or min and max the allowed range, doc what it
// does, eg an example where the default is empty.
type Config struct {
	Data      string    `koanf:"data" default:"/var/lib/verderer" doc:"The folder of everything that the center keeps: the database, the ingest log, keys and certificates. Back it up, and keep it on a local disk."`
	Names     []string  `koanf:"names" eg:"verderer.corp.example" doc:"DNS names and addresses by which people and sensors reach the center, the best one first. They are added to the server certificate. The host's own name and addresses always are."`
	Console   Console   `koanf:"console" doc:"The console and the API, over HTTPS."`
	Sensors   Sensors   `koanf:"sensors" doc:"The port that sensors send to, over mutual TLS."`
	Detection Detection `koanf:"detection" doc:"What findings depend on."`
	Journal   Journal   `koanf:"journal" doc:"The ingest log: what sensors sent, in order, from which everything else is made."`
	Disk      Disk      `koanf:"disk" doc:"The disk of the data folder."`
	Metrics   Metrics   `koanf:"metrics" doc:"Figures for Prometheus, over HTTP, without a login."`
	Log       Log       `koanf:"log" doc:"The center's own log, on standard error."`
}

type Console struct {
	Listen      string `koanf:"listen" is:"listen" default:":8443" doc:"Address and port to listen on."`
	Certificate string `koanf:"certificate" eg:"/etc/verderer/console.crt" doc:"A certificate of your own for the console, PEM, with its chain. Without one the console uses the center's, which browsers do not know. Sensors go on using the center's."`
	Key         string `koanf:"key" eg:"/etc/verderer/console.key" doc:"The key of that certificate, PEM."`
	URL         string `koanf:"url" is:"url" eg:"https://verderer.corp.example:8443" doc:"What links to the console begin with, in the set-up link and in notifications. Without it: https, the first of names or the host's own name, and the port of console.listen."`
}

type Sensors struct {
	Listen  string `koanf:"listen" is:"listen" default:":8444" doc:"Address and port to listen on."`
	Address string `koanf:"address" is:"address" eg:"verderer.corp.example:8444" doc:"Host and port that sensors are told to connect to. Without it: the first of names or the host's own name, and the port of sensors.listen."`
}

type Detection struct {
	Level      detect.Level `koanf:"level" one:"high medium low" default:"medium" doc:"How much a detection must see: high the most, low the least. Baselines are not learned yet, so medium, which does without them, is the default."`
	Exclusions []string     `koanf:"exclusions" eg:"account-enumeration:10.0.0.5" doc:"What never raises an alert: an address, a subnet, a computer or an account, for all detections, or for one with its id and a colon before it."`
	Shards     int          `koanf:"shards" min:"0" max:"64" default:"0" doc:"How many goroutines detect. 0 is one for each core. Findings do not depend on it."`
}

type Journal struct {
	MaxSize Size          `koanf:"max_size" min:"64MiB" max:"16TiB" default:"8GiB" doc:"The largest that the log may grow. When it is full, sensors are told to hold what they have."`
	Keep    time.Duration `koanf:"keep" min:"1h" max:"720h" default:"24h" doc:"How long entries are kept after they were worked through, so that a center that lost its state can make it anew."`
}

type Disk struct {
	MinFree Size `koanf:"min_free" min:"0" max:"16TiB" default:"1GiB" doc:"With less free than this, sensors are told to hold what they have, and a health issue says so."`
}

type Metrics struct {
	Listen string `koanf:"listen" is:"listen-or-off" default:"127.0.0.1:8445" doc:"Address and port to listen on. Empty: off."`
}

type Log struct {
	Level  string `koanf:"level" one:"debug info warn error" default:"info" doc:"The least that is logged."`
	Format string `koanf:"format" one:"text json" default:"text" doc:"One line of text, or one of JSON."`
}

// ConsoleURL is what links to the console begin with, without a "/" at the end.
func (c *Config) ConsoleURL() string {
	if c.Console.URL != "" {
		return strings.TrimRight(c.Console.URL, "/")
	}
	return "https://" + c.reach(c.Console.Listen)
}

// SensorAddress is the host and port that sensors are told to connect to.
func (c *Config) SensorAddress() string {
	return cmp.Or(c.Sensors.Address, c.reach(c.Sensors.Listen))
}

// reach is host and port at which others reach a port of ours: the first name
// that was given, else the address listened on if it is one, else the host's name.
func (c *Config) reach(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen // Load lets none pass
	}
	if a, err := netip.ParseAddr(host); err == nil && a.IsUnspecified() {
		host = ""
	}
	if len(c.Names) > 0 {
		host = c.Names[0]
	}
	if host == "" {
		if host, err = os.Hostname(); err != nil || host == "" {
			host = "localhost"
		}
	}
	return net.JoinHostPort(host, port)
}

// CertificateNames is what the server certificate must be for, besides the
// host's own name and addresses: Names, and the hosts that people and sensors
// are sent to.
func (c *Config) CertificateNames() []string {
	list := append([]string{}, c.Names...)
	if u, err := url.Parse(c.ConsoleURL()); err == nil {
		list = append(list, u.Hostname())
	}
	if h, _, err := net.SplitHostPort(c.SensorAddress()); err == nil {
		list = append(list, h)
	}
	return list
}

// Check looks at what the settings name: whether the data folder can be written
// to, the console's certificate and key belong together, and the exclusions
// name a detection of those given, where they name one. It changes nothing.
func (c *Config) Check(detections []string) error {
	var errs []error
	bad := func(key string, value any, err error) {
		errs = append(errs, fmt.Errorf("%s: %v: %w", key, value, err))
	}
	if err := writable(c.Data); err != nil {
		bad("data", c.Data, err)
	}
	if (c.Console.Certificate == "") != (c.Console.Key == "") {
		errs = append(errs, errors.New("console.certificate and console.key: one is set, so the other must be too"))
	} else if c.Console.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(c.Console.Certificate, c.Console.Key)
		switch {
		case err != nil:
			bad("console.certificate", c.Console.Certificate, err)
		case time.Now().After(pair.Leaf.NotAfter):
			bad("console.certificate", c.Console.Certificate, fmt.Errorf("expired on %s", pair.Leaf.NotAfter.Format(time.DateOnly)))
		}
	}
	for _, x := range c.Detection.Exclusions {
		if _, err := alert.ParseExclusion(x, detections); err != nil {
			errs = append(errs, fmt.Errorf("detection.exclusions: %w", err))
		}
	}
	return errors.Join(errs...)
}

// writable tells whether a folder can be written to, or made in one that can.
func writable(dir string) error {
	for {
		st, err := os.Stat(dir)
		if errors.Is(err, os.ErrNotExist) && dir != filepath.Dir(dir) {
			dir = filepath.Dir(dir)
			continue
		}
		if err != nil {
			return err
		}
		if !st.IsDir() {
			return fmt.Errorf("%s is not a folder", dir)
		}
		f, err := os.CreateTemp(dir, ".verderer-check-*")
		if err != nil {
			return err
		}
		f.Close()
		return os.Remove(f.Name())
	}
}
