package samrrecon_test

import (
	"testing"

	"github.com/verderer/verderer/center/detect/detecttest"
	"github.com/verderer/verderer/center/detect/samrrecon"
)

func TestScenarios(t *testing.T) { detecttest.Run(t, samrrecon.Definition) }

func TestMutants(t *testing.T) { detecttest.Mutants(t) }
