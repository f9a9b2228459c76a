package detecttest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// Mutant is a deliberately broken copy of a rule: one place of its source
// replaced.
type Mutant struct {
	Name string `yaml:"name"` // what is broken
	Old  string `yaml:"old"`  // stands exactly once in the folder's Go files
	New  string `yaml:"new"`
}

// Mutants builds each copy listed in testdata/mutants.yaml of the current
// folder and runs TestScenarios with it: every one must fail there, or the
// scenarios do not prove the rule. It takes seconds a mutant, and is left out
// with -short.
func Mutants(t *testing.T) {
	if testing.Short() {
		t.Skip("mutants are compiled one by one: left out with -short")
	}
	b, err := os.ReadFile("testdata/mutants.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var mutants []Mutant
	if err := yaml.Unmarshal(b, &mutants); err != nil {
		t.Fatalf("testdata/mutants.yaml: %v", err)
	}
	if len(mutants) == 0 {
		t.Fatal("testdata/mutants.yaml lists none")
	}
	for _, m := range mutants {
		t.Run(m.Name, func(t *testing.T) {
			file, source := find(t, m.Old)
			dir := t.TempDir()
			broken := filepath.Join(dir, filepath.Base(file))
			if err := os.WriteFile(broken, []byte(strings.Replace(source, m.Old, m.New, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			overlay, _ := json.Marshal(map[string]any{"Replace": map[string]string{file: broken}})
			path := filepath.Join(dir, "overlay.json")
			if err := os.WriteFile(path, overlay, 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("go", "test", "-vet=off", "-overlay", path, "-run", "^TestScenarios$", ".")
			cmd.Env = append(os.Environ(), "VERDERER_GOLDEN=") // a mutant writes no goldens
			out, err := cmd.CombinedOutput()
			switch {
			case err == nil:
				t.Errorf("the scenarios do not notice it: %q instead of %q", m.New, m.Old)
			case !strings.Contains(string(out), "--- FAIL: TestScenarios"):
				t.Fatalf("the copy does not run:\n%s", out)
			}
		})
	}
}

func find(t *testing.T, old string) (file, source string) {
	files, _ := filepath.Glob("*.go")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(b), old); n > 1 || n == 1 && file != "" {
			t.Fatalf("%q stands more than once", old)
		} else if n == 1 {
			if file, err = filepath.Abs(f); err != nil {
				t.Fatal(err)
			}
			source = string(b)
		}
	}
	if file == "" {
		t.Fatalf("%q does not stand in the folder", old)
	}
	return file, source
}
