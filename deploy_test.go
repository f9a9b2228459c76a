package verderer_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestUnitsAreAsClosedAsTheySay holds the services' exposure, as systemd counts
// it, to what docs/service.md tells administrators.
func TestUnitsAreAsClosedAsTheySay(t *testing.T) {
	docs, err := os.ReadFile("docs/service.md")
	if err != nil {
		t.Fatal(err)
	}
	program, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	out, err := exec.Command(program, "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	counted := regexp.MustCompile(`with systemd (\d+)`).FindSubmatch(docs)
	if counted == nil {
		t.Fatal("docs/service.md does not name the version of systemd that counted")
	}
	if !strings.HasPrefix(string(out), fmt.Sprintf("systemd %s ", counted[1])) {
		t.Skipf("docs/service.md has the figures of systemd %s, this is %s", counted[1], strings.SplitN(string(out), "\n", 2)[0])
	}
	for _, unit := range []string{"verderer.service", "verderer-sensor.service"} {
		// No --threshold: the command fails above it only, and the figure is what counts.
		out, err := exec.Command(program, "security", "--offline=true", "--no-pager", "deploy/systemd/"+unit).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", unit, err, out)
			continue
		}
		is := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindSubmatch(out)
		says := regexp.MustCompile("\\| `" + regexp.QuoteMeta(unit) + "` \\| ([0-9.]+) \\|").FindSubmatch(docs)
		if is == nil || says == nil || string(is[1]) != string(says[1]) {
			t.Errorf("%s has exposure %s, docs/service.md says %s", unit, is, says)
		}
	}
}
