package e2e

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestReadme runs each command of README.md that is shown with its output.
func TestReadme(t *testing.T) {
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```\n\\$ \\./verderer (.*?[^\\\\])\n(.*?)```").FindAllStringSubmatch(string(b), -1)
	if len(examples) == 0 {
		t.Fatal("README.md shows no command with its output")
	}
	for _, e := range examples {
		args := strings.Fields(strings.ReplaceAll(e[1], "\\\n", " "))
		cmd := exec.Command(build(t), args...)
		cmd.Dir = ".."
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%s: %v", args, err)
		}
		if string(out) != e[2] {
			t.Errorf("verderer %s prints\n%s\nand not, as README.md says,\n%s", strings.Join(args, " "), out, e[2])
		}
	}
}
